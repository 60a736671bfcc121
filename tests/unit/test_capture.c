/* Captures: every link type, datagrams cut and in fragments, HTTP requests out of segments in any
 * order; and what is written can be read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bytes.h"
#include "capture.h"
#include "capture_write.h"

#define ETHERNET 1
#define RAW      101
#define SLL      113
#define SLL2     276

static uint8_t file[1 << 20];
static size_t file_len;

/* --- a capture, made by hand ---------------------------------------------------------------- */

static void put_native(uint32_t value)
{
    memcpy(file + file_len, &value, 4);
    file_len += 4;
}

static void begin(uint32_t link)
{
    file_len = 0;
    put_native(0xa1b2c3d4);
    put_native(0x00040002);
    put_native(0);
    put_native(0);
    put_native(65535);
    put_native(link);
}

static void put_frame(const uint8_t *data, size_t len, size_t captured)
{
    put_native((uint32_t)(1700000000 + file_len));
    put_native(250000);
    put_native((uint32_t)captured);
    put_native((uint32_t)len);
    memcpy(file + file_len, data, captured);
    file_len += captured;
}

/* How the next frames are made. */
static struct {
    uint32_t link;
    unsigned vlans;
    uint16_t fragment;
    uint8_t version;
    size_t padding;
    size_t captured; /* at most */
} how;

static void reset(uint32_t link)
{
    memset(&how, 0, sizeof how);
    how.link = link;
    how.version = 0x45;
    how.captured = 65535;
    begin(link);
}

static void link_header(struct bytes_writer *w)
{
    if (how.link == ETHERNET) {
        bytes_put(w, "\xff\xff\xff\xff\xff\xff\x52\x54\x00\x12\x34\x56", 12);
        for (unsigned i = 0; i < how.vlans; i++) {
            bytes_put_u16(w, i ? 0x8100 : 0x88a8);
            bytes_put_u16(w, 12);
        }
        bytes_put_u16(w, 0x0800);
    } else if (how.link == SLL) {
        bytes_put_zeros(w, 14);
        bytes_put_u16(w, 0x0800);
    } else if (how.link == SLL2) {
        bytes_put_u16(w, 0x0800);
        bytes_put_zeros(w, 18);
    }
}

static void packet(uint8_t protocol, const void *payload, size_t len)
{
    uint8_t data[65536];
    struct bytes_writer w = bytes_writer(data, sizeof data);
    link_header(&w);
    bytes_put_u8(&w, how.version);
    bytes_put_u8(&w, 0);
    bytes_put_u16(&w, (uint16_t)(20 + len));
    bytes_put_u16(&w, 1);
    bytes_put_u16(&w, how.fragment);
    bytes_put_u8(&w, 64);
    bytes_put_u8(&w, protocol);
    bytes_put_u16(&w, 0);
    bytes_put_u32(&w, 0x0a000032);
    bytes_put_u32(&w, 0x0a000002);
    bytes_put(&w, payload, len);
    bytes_put_zeros(&w, how.padding);
    size_t n = bytes_written(&w);
    put_frame(data, n, n < how.captured ? n : how.captured);
}

static void udp(uint16_t port, const char *text)
{
    uint8_t data[2048];
    struct bytes_writer w = bytes_writer(data, sizeof data);
    bytes_put_u16(&w, 68);
    bytes_put_u16(&w, port);
    bytes_put_u16(&w, (uint16_t)(8 + strlen(text)));
    bytes_put_u16(&w, 0);
    bytes_put(&w, text, strlen(text));
    packet(IPPROTO_UDP, data, bytes_written(&w));
}

static void tcp_from(uint16_t from, uint32_t seq, uint8_t flags, const char *text, size_t len)
{
    static uint8_t data[65536];
    struct bytes_writer w = bytes_writer(data, sizeof data);
    bytes_put_u16(&w, from);
    bytes_put_u16(&w, 8080);
    bytes_put_u32(&w, seq);
    bytes_put_u32(&w, 5000);
    bytes_put_u8(&w, 6 << 4); /* with an option */
    bytes_put_u8(&w, flags);
    bytes_put_zeros(&w, 10);
    bytes_put(&w, text, len);
    packet(IPPROTO_TCP, data, bytes_written(&w));
}

static void tcp(uint32_t seq, const char *text)
{
    tcp_from(40000, seq, 0x18, text, strlen(text));
}

#define SYN 0x02
#define RST 0x04

/* --- what is read of it ------------------------------------------------------------------------
 */

static struct capture_counts counts;
static char problem[CAPTURE_ERROR];

/* All messages, as "datagram PORT TEXT" and "METHOD PATH BODY" or "refused STATUS", one a line. */
static const char *read_all(void)
{
    static char text[65536];
    size_t len = 0;
    const struct capture_options options = {.http_ports = {8080}, .n_http_ports = 1};
    FILE *in = fmemopen(file, file_len, "r");
    struct capture *capture = capture_open_file(in, &options, problem);
    struct capture_message m;
    int result;
    *text = '\0';
    if (!capture)
        return NULL;
    while ((result = capture_next(capture, &m)) == 1) {
        if (!m.tcp)
            len += (size_t)snprintf(text + len, sizeof text - len, "datagram %u %.*s%s\n",
                                    ntohs(m.to.sin_port), (int)m.len, (const char *)m.data,
                                    m.cut ? " (cut)" : "");
        else if (m.status)
            len += (size_t)snprintf(text + len, sizeof text - len, "refused %d\n", m.status);
        else
            len +=
                (size_t)snprintf(text + len, sizeof text - len, "%s %s %.*s\n", m.head.method_name,
                                 m.head.path, (int)m.len, m.data ? (const char *)m.data : "");
    }
    snprintf(problem, sizeof problem, "%s", result < 0 ? capture_problem(capture) : "");
    counts = *capture_counts(capture);
    capture_close(capture);
    return text;
}

#define HEAD(path) "GET " path " HTTP/1.1\r\nHost: h\r\n\r\n"

static void test_links(void **state)
{
    static const uint32_t links[] = {ETHERNET, RAW, SLL, SLL2};
    (void)state;
    for (size_t i = 0; i < sizeof links / sizeof *links; i++) {
        reset(links[i]);
        udp(67, "hello");
        tcp(1, HEAD("/a"));
        assert_string_equal(read_all(), "datagram 67 hello\nGET /a \n");
        assert_int_equal(counts.frames, 2);
    }
    for (unsigned vlans = 1; vlans < 4; vlans++) {
        reset(ETHERNET);
        how.vlans = vlans;
        udp(67, "tagged");
        assert_string_equal(read_all(), "datagram 67 tagged\n");
    }
    begin(105); /* 802.11 */
    assert_null(read_all());
    assert_non_null(strstr(problem, "IEEE802_11"));
    file_len = 3;
    assert_null(read_all());
}

static void test_datagrams(void **state)
{
    (void)state;
    reset(ETHERNET);
    how.padding = 20;
    udp(69, "padded");
    how.padding = 0;
    how.captured = 14 + 20 + 8 + 3;
    udp(69, "cut off");
    how.captured = 14 + 20 + 4;
    udp(69, "no header");
    how.captured = 65535;
    how.fragment = 0x2000;
    udp(69, "first");
    how.fragment = 0x0003;
    udp(69, "third");
    how.fragment = 0x4000; /* do not fragment */
    udp(69, "whole");
    how.version = 0x65;
    udp(69, "six");
    how.version = 0x44;
    udp(69, "short header");
    how.version = 0x45;
    packet(IPPROTO_UDP, "\0\104\0\105\xff\xff\0\0", 8); /* longer than its packet */
    packet(IPPROTO_ICMP, "x", 1);
    assert_string_equal(read_all(), "datagram 69 padded\ndatagram 69 cut (cut)\n"
                                    "datagram 69 whole\n");
    assert_int_equal(counts.frames, 10);
    assert_int_equal(counts.fragments, 2);
    assert_int_equal(counts.other, 2);
    assert_int_equal(counts.malformed, 3);
}

static void test_requests(void **state)
{
    (void)state;
    reset(ETHERNET);
    tcp_from(40000, 99, SYN, "", 0);
    tcp(100, HEAD("/one"));
    tcp(100, HEAD("/one")); /* sent again */
    tcp(100 + strlen(HEAD("/one")), HEAD("/two") HEAD("/three"));
    assert_string_equal(read_all(), "GET /one \nGET /two \nGET /three \n");

    reset(ETHERNET); /* by single bytes, backwards in threes, across the wrap */
    const char *text = HEAD("/bytes");
    uint32_t seq = UINT32_MAX - 5;
    tcp_from(40000, seq - 1, SYN, "", 0);
    for (size_t i = 0; i < strlen(text); i += 3) {
        for (size_t j = 3; j-- > 0;) {
            if (i + j < strlen(text))
                tcp_from(40000, seq + (uint32_t)(i + j), 0x18, text + i + j, 1);
        }
    }
    assert_string_equal(read_all(), "GET /bytes \n");

    reset(ETHERNET); /* several at once, and one that is over */
    for (uint16_t i = 0; i < 50; i++)
        tcp_from(1000 + i, 1, 0x18, "GET /", 5);
    tcp_from(1007, 6, RST, "", 0);
    for (uint16_t i = 0; i < 50; i++)
        tcp_from(1000 + i, 6, 0x18, "x HTTP/1.0\r\n\r\n", 14);
    const char *all = read_all();
    for (unsigned i = 0; i < 49; i++, all += strlen("GET /x \n"))
        assert_memory_equal(all, "GET /x \n", strlen("GET /x \n"));
    assert_string_equal(all, "");
}

static void test_bodies(void **state)
{
    (void)state;
    reset(ETHERNET);
    tcp(1, "POST /event HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nab");
    tcp(55, "cde" HEAD("/next"));
    assert_string_equal(read_all(), "POST /event abcde\nGET /next \n");

    reset(ETHERNET); /* too long to keep, and skipped */
    char chunk[1001];
    memset(chunk, 'x', 1000);
    chunk[1000] = '\0';
    const char *post = "POST /big HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n";
    uint32_t seq = 1;
    tcp(seq, post);
    seq += strlen(post);
    for (int i = 0; i < 100; i++, seq += 1000)
        tcp(seq, chunk);
    tcp(seq, HEAD("/after"));
    assert_string_equal(read_all(), "refused 413\nGET /after \n");
}

static void test_holes(void **state)
{
    (void)state;
    reset(ETHERNET); /* not all of a segment was captured */
    how.captured = 80;
    tcp(1, HEAD("/a/long/path/that/is/cut"));
    how.captured = 65535;
    tcp(100, HEAD("/b"));
    assert_string_equal(read_all(), "GET /b \n");
    assert_int_equal(counts.lost, 1);

    reset(ETHERNET); /* a segment was not captured */
    tcp(1, "GET /a HTTP/1.1\r\n");
    tcp(500, "Host: h\r\n\r\n");
    assert_string_equal(read_all(), "");
    for (uint32_t i = 0; i < 20; i++)
        tcp(600 + i, "y");
    tcp(1000, HEAD("/b"));
    assert_string_equal(read_all(), "GET /b \n");
    assert_int_equal(counts.lost, 1);

    reset(ETHERNET); /* between two requests */
    tcp(1, HEAD("/a"));
    tcp(5000, HEAD("/b"));
    assert_string_equal(read_all(), "GET /a \nGET /b \n");

    reset(ETHERNET); /* begun before the capture */
    tcp(1, "able\r\nHost: h\r\n\r\n");
    tcp(19, HEAD("/a"));
    assert_string_equal(read_all(), "GET /a \n");
}

static void test_nonsense(void **state)
{
    (void)state;
    reset(ETHERNET);
    tcp(1, "GET / HTTP/9.9\r\n\r\n");
    tcp(19, HEAD("/a"));
    assert_string_equal(read_all(), "refused 505\nGET /a \n");
    reset(ETHERNET);
    char chunk[1401];
    memset(chunk, 'A', 1400);
    chunk[1400] = '\0';
    memcpy(chunk, "GET ", 4);
    for (uint32_t i = 0; i < 100; i++)
        tcp(1 + 1400 * i, chunk);
    assert_non_null(strstr(read_all(), "refused 414\n"));
    for (uint16_t i = 0; i < 2000; i++) /* more streams than are kept */
        tcp_from(i, 1, 0x18, "GET /", 5);
    tcp_from(1999, 6, 0x18, " HTTP/1.0\r\n\r\n", 13);
    assert_non_null(strstr(read_all(), "GET / \n"));
}

static void test_damage(void **state)
{
    (void)state;
    reset(ETHERNET);
    udp(67, "good");
    udp(67, "lost");
    file_len -= 3;
    assert_string_equal(read_all(), "datagram 67 good\n");
    assert_non_null(strstr(problem, "truncated"));
    reset(ETHERNET);
    assert_string_equal(read_all(), "");
    assert_string_equal(problem, "");
}

/* --- writing -------------------------------------------------------------------------------------
 */

static void test_written(void **state)
{
    char path[] = "/tmp/moonboot-capture-XXXXXX", error[CAPTURE_ERROR];
    close(mkstemp(path));
    (void)state;
    struct capture_writer *w = capture_write_open(path, error);
    assert_non_null(w);
    struct capture_target target = {
        .time = {1700000000, 5},
        .from = {AF_INET, htons(67), {htonl(0x0a000002)}, {0}},
        .to = {AF_INET, htons(68), {htonl(INADDR_BROADCAST)}, {0}},
    };
    static char body[5000];
    memset(body, 'b', sizeof body);
    memcpy(body, HEAD("/in/four/segments"), strlen(HEAD("/in/four/segments")));
    capture_write_datagram(w, &target, "hello", 5);
    capture_write_datagram(w, &target, "", 0);
    target.to = (struct sockaddr_in){AF_INET, htons(8080), {htonl(0x0a000032)}, {0}};
    capture_write_stream(w, &target, 7, 8, body, sizeof body, true);
    assert_true(capture_write_close(w));
    FILE *in = fopen(path, "r");
    file_len = fread(file, 1, sizeof file, in);
    fclose(in);
    unlink(path);
    assert_string_equal(read_all(), "datagram 68 hello\ndatagram 68 \nGET /in/four/segments \n");
    assert_int_equal(counts.frames, 6);
    assert_null(capture_write_open("/nonesuch/x", error));
    assert_string_equal(error, "No such file or directory");
    w = capture_write_open("/dev/full", error);
    capture_write_datagram(w, &target, "hello", 5);
    assert_false(capture_write_close(w));
    assert_null(capture_open("/nonesuch/x", &(struct capture_options){.n_http_ports = 0}, error));
    assert_string_equal(error, "No such file or directory");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_links),    cmocka_unit_test(test_datagrams),
        cmocka_unit_test(test_requests), cmocka_unit_test(test_bodies),
        cmocka_unit_test(test_holes),    cmocka_unit_test(test_nonsense),
        cmocka_unit_test(test_damage),   cmocka_unit_test(test_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
