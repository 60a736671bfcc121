/* Every packet that real firmware sent in tests/wire/captures, through codec, policy and
 * codec, against tests/wire/golden: what is answered, to whom, with which fields and options.
 * UPDATE_GOLDEN=1 writes the files anew; read the difference before you commit it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <ctype.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dhcp_map.h"
#include "http.h"
#include "log.h"
#include "metrics.h"
#include "policy.h"
#include "tftp.h"
#include "wire.h"

#define BOOT_SERVER 0x0a630002 /* 10.99.0.2 */

static struct policy *policy;
static struct metrics_board *board;

struct answering {
    FILE *out;
    const struct dhcp_packet *packet;
    const struct dhcp_map_arrival *arrival;
    const struct request *request;
};

static void print_value(FILE *out, const uint8_t *data, size_t len)
{
    bool text = len > 0;
    for (size_t i = 0; i < len; i++)
        text = text && isprint(data[i]);
    for (size_t i = 0; i < len; i++)
        fprintf(out, text ? "%c" : "%02x", data[i]);
}

static void print_address(FILE *out, const char *name, struct in_addr address)
{
    char text[INET_ADDRSTRLEN];
    fprintf(out, " %s=%s", name, inet_ntop(AF_INET, &address, text, sizeof text));
}

static void print_dhcp(struct answering *a, const struct reply_dhcp *reply)
{
    static uint8_t answer[DHCP_MAP_REPLY_MAX];
    static struct dhcp_packet packet;
    size_t len = dhcp_map_reply(a->packet, a->request, reply, answer, sizeof answer);
    if (!len) {
        fprintf(a->out, "  no room\n");
        return;
    }
    assert_true(dhcp_parse(answer, len, &packet));
    struct sockaddr_in to = dhcp_map_destination(a->packet, a->arrival, 68);
    const struct dhcp_header *h = &packet.header;
    fprintf(a->out, "  %s, %zu bytes, to %s:%u\n",
            dhcp_message(&packet) == DHCP_OFFER ? "OFFER" : "ACK", len, inet_ntoa(to.sin_addr),
            ntohs(to.sin_port));
    fprintf(a->out, "   ");
    print_address(a->out, "ciaddr", h->ciaddr);
    print_address(a->out, "yiaddr", h->yiaddr);
    print_address(a->out, "siaddr", h->siaddr);
    print_address(a->out, "giaddr", h->giaddr);
    fprintf(a->out, " flags=%04x secs=%u hops=%u\n", h->flags, h->secs, h->hops);
    fprintf(a->out, "    sname=%.64s file=%.128s\n", (const char *)h->sname, (const char *)h->file);
    for (int code = 1; code < 255; code++) {
        if (!dhcp_has(&packet, (uint8_t)code))
            continue;
        fprintf(a->out, "    %d=", code);
        print_value(a->out, packet.options[code].data, packet.options[code].len);
        fprintf(a->out, "\n");
    }
}

static void print_reply(struct reply *reply, void *arg)
{
    static const char *const reasons[] = {"not found", "denied", "failed"};
    struct answering *a = arg;
    switch (reply->kind) {
    case REPLY_SILENCE:
        fprintf(a->out, "  silence\n");
        break;
    case REPLY_DHCP:
        print_dhcp(a, &reply->dhcp);
        break;
    case REPLY_FILE:
        fprintf(a->out, "  file %s under %s\n", reply->file.path,
                reply->file.root == REPLY_ROOT_TFTP ? "tftp" : "assets");
        break;
    case REPLY_BODY:
        fprintf(a->out, "  %d\n", reply->body.status);
        for (char *line = strtok((char *)reply->body.data, "\n"); line; line = strtok(NULL, "\n"))
            fprintf(a->out, "    %s\n", line);
        break;
    case REPLY_ERROR:
        fprintf(a->out, "  %s: %s\n", reasons[reply->error.reason], reply->error.message);
        break;
    }
    reply_free(reply);
}

static void answer_dhcp(FILE *out, const struct wire_payload *p)
{
    static struct dhcp_packet packet;
    struct dhcp_map_arrival arrival = {.sender = p->from,
                                       .server.s_addr = htonl(BOOT_SERVER),
                                       .boot_server_port = ntohs(p->to.sin_port) == 4011,
                                       .interface = "eth0"};
    struct request request;
    if (!dhcp_parse(p->data, p->len, &packet) || packet.header.op != DHCP_BOOTREQUEST)
        return;
    fprintf(out, "%u: DHCP message %u to port %u\n", p->frame, dhcp_message(&packet),
            ntohs(p->to.sin_port));
    const char *why = dhcp_map_request(&packet, &arrival, &request);
    if (why) {
        fprintf(out, "  not for us: %s\n", why);
        return;
    }
    struct answering answering = {out, &packet, &arrival, &request};
    policy_decide(policy, &request, print_reply, &answering);
}

static void answer_tftp(FILE *out, const struct wire_payload *p)
{
    struct tftp_request read;
    if (!tftp_request_parse(p->data, p->len, &read))
        return;
    struct request request = {.protocol = REQUEST_TFTP,
                              .client = p->from.sin_addr,
                              .server.s_addr = htonl(BOOT_SERVER),
                              .tftp.file = read.file};
    struct answering answering = {out, NULL, NULL, &request};
    fprintf(out, "%u: TFTP %s\n", p->frame, read.file);
    policy_decide(policy, &request, print_reply, &answering);
}

/* The captures hold heads without what follows, some cut by the capture's length. */
static void answer_http(FILE *out, const struct wire_payload *p)
{
    struct http_scan scan = {0};
    struct http_head head;
    char *data = malloc(p->len + 1);
    assert_non_null(data);
    memcpy(data, p->data, p->len);
    data[p->len] = '\0';
    ssize_t len = http_scan(&scan, data, p->len, 65536);
    if (len > 0 && http_parse(data, (size_t)len, &head) == 0) {
        struct request request = {.protocol = REQUEST_HTTP,
                                  .client = p->from.sin_addr,
                                  .server.s_addr = htonl(BOOT_SERVER),
                                  .http = {.method = head.method_name,
                                           .path = head.path,
                                           .query = head.query,
                                           .host = head.host,
                                           .user_agent = head.user_agent}};
        struct answering answering = {out, NULL, NULL, &request};
        fprintf(out, "%u: HTTP %s %s%s%s (%s)\n", p->frame, head.method_name, head.path,
                head.query ? "?" : "", head.query ? head.query : "",
                head.user_agent ? head.user_agent : "-");
        policy_decide(policy, &request, print_reply, &answering);
    }
    free(data);
}

static char *answers(const char *capture, size_t *len)
{
    char *text = NULL;
    struct wire wire;
    struct wire_payload payload;
    FILE *out = open_memstream(&text, len);
    assert_true(wire_open(&wire, capture));
    while (wire_next(&wire, &payload)) {
        uint16_t port = ntohs(payload.to.sin_port);
        if (!payload.tcp && (port == 67 || port == 4011))
            answer_dhcp(out, &payload);
        else if (!payload.tcp && port == 69)
            answer_tftp(out, &payload);
        else if (payload.tcp && (port == 80 || port == 8080) && payload.len)
            answer_http(out, &payload);
    }
    wire_close(&wire);
    fclose(out);
    return text;
}

static char *read_golden(const char *path)
{
    static char text[1 << 20];
    FILE *file = fopen(path, "r");
    size_t n = file ? fread(text, 1, sizeof text - 1, file) : 0;
    text[n] = '\0';
    if (file)
        fclose(file);
    return text;
}

static void test_captures(void **state)
{
    glob_t captures;
    unsigned wrong = 0;
    (void)state;
    assert_int_equal(glob("tests/wire/captures/*.pcap", 0, NULL, &captures), 0);
    for (size_t i = 0; i < captures.gl_pathc; i++) {
        char path[512];
        size_t len;
        const char *name = strrchr(captures.gl_pathv[i], '/') + 1;
        char *text = answers(captures.gl_pathv[i], &len);
        snprintf(path, sizeof path, "tests/wire/golden/%.*s.txt", (int)(strlen(name) - 5), name);
        if (getenv("UPDATE_GOLDEN")) {
            FILE *file = fopen(path, "w");
            assert_non_null(file);
            fputs(text, file);
            fclose(file);
        } else if (strcmp(text, read_golden(path)) != 0) {
            print_error("%s differs; now:\n%s", path, text);
            wrong++;
        }
        free(text);
    }
    assert_true(captures.gl_pathc >= 18);
    assert_int_equal(wrong, 0);
    globfree(&captures);
}

static int set_up(void **state)
{
    struct problems problems = {0};
    (void)state;
    log_setup(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
    board = metrics_board_alloc();
    struct policy_options options = {.dir = open("tests/wire", O_PATH | O_DIRECTORY),
                                     .file = "policy.lua",
                                     .display = "tests/wire/policy.lua",
                                     .http_port = 8080,
                                     .decision_ms = 1000,
                                     .memory_mb = 64,
                                     .metrics = &board->slots[0]};
    policy = policy_load(&options, &problems);
    for (size_t i = 0; i < problems.n; i++)
        print_error("%s\n", problems.lines[i]);
    close(options.dir);
    return policy ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    policy_free(policy);
    metrics_board_free(board);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_captures)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
