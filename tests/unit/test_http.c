/* Request heads: what is read, and what is refused with which status. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "http.h"

#define MAX_HEAD 16384
#define HOST     "Host: boot.lab:8080\r\n"

static char buffer[MAX_HEAD + 1];

/* Scans and parses as a connection does: in a block of exactly the head's size, so that
 * a sanitizer sees each byte too far. */
static int read_head(const char *text, size_t len, struct http_head *head, char **block)
{
    struct http_scan scan = {0};
    ssize_t head_len = http_scan(&scan, text, len, MAX_HEAD);
    if (head_len <= 0)
        return head_len < 0 ? (int)-head_len : -1;
    *block = malloc((size_t)head_len);
    assert_non_null(*block);
    memcpy(*block, text, (size_t)head_len);
    return http_parse(*block, (size_t)head_len, head);
}

static int status_of(const char *text, size_t len)
{
    struct http_head head;
    char *block = NULL;
    int status = read_head(text, len, &head, &block);
    free(block);
    return status;
}

static void test_reads_a_request(void **state)
{
    static const char text[] = "\r\nGET /ipxe%20a/%2e%2e//b%25?mac=52%3A54&x=%zz HTTP/1.1\r\n"
                               "host:  boot.lab:8080 \t\r\n"
                               "User-Agent: iPXE/1.21.1+ (g1)\r\n"
                               "X-Empty:\r\n"
                               "If-None-Match: \"a\"\r\n"
                               "Content-Length: 12\r\n"
                               "if-none-match: \"b\"\r\n"
                               "X: caf\xc3\xa9\ttab\r\n"
                               "\r\n";
    struct http_head head;
    char *block = NULL;
    (void)state;
    assert_int_equal(read_head(text, sizeof text - 1, &head, &block), 0);
    assert_int_equal(head.method, HTTP_GET);
    assert_string_equal(head.method_name, "GET");
    assert_string_equal(head.path, "/ipxe a/..//b%");
    assert_string_equal(head.query, "mac=52%3A54&x=%zz");
    assert_string_equal(head.host, "boot.lab:8080");
    assert_string_equal(head.user_agent, "iPXE/1.21.1+ (g1)");
    assert_int_equal(head.content_length, 12);
    assert_true(head.keep_alive);
    assert_false(head.is_1_0);
    assert_false(head.expect_continue);

    const char *first = http_field(&head, "If-None-Match", NULL);
    assert_string_equal(first, "\"a\"");
    const char *second = http_field(&head, "If-None-Match", first);
    assert_string_equal(second, "\"b\"");
    assert_null(http_field(&head, "If-None-Match", second));
    assert_null(http_field_single(&head, "If-None-Match"));
    assert_string_equal(http_field_single(&head, "x-empty"), "");
    assert_string_equal(http_field_single(&head, "x"), "caf\xc3\xa9\ttab");
    assert_null(http_field(&head, "Range", NULL));
    free(block);
}

static void test_targets(void **state)
{
    static const struct {
        const char *target, *path, *query, *host;
    } cases[] = {
        {"/", "/", NULL, "h"},
        {"/?", "/", "", "h"},
        {"/a?b?c", "/a", "b?c", "h"},
        {"/%41%2f%2E", "/A/.", NULL, "h"},
        {"/../x", "/../x", NULL, "h"},
        {"//evil/x", "//evil/x", NULL, "h"},
        {"http://other:81/a/b?c", "/a/b", "c", "other:81"},
        {"HTTP://other", "/", NULL, "other"},
        {"https://other?q", "/", "q", "other"},
        {"http://o/", "/", NULL, "o"},
        {"/a:b", "/a:b", NULL, "h"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct http_head head;
        char *block = NULL;
        int n =
            snprintf(buffer, sizeof buffer, "GET %s HTTP/1.1\r\nHost: h\r\n\r\n", cases[i].target);
        assert_int_equal(read_head(buffer, (size_t)n, &head, &block), 0);
        assert_string_equal(head.path, cases[i].path);
        assert_string_equal(head.host, cases[i].host);
        if (cases[i].query)
            assert_string_equal(head.query, cases[i].query);
        else
            assert_null(head.query);
        free(block);
    }
}

static void test_persistence(void **state)
{
    static const struct {
        const char *head;
        bool keep_alive, is_1_0, expect;
    } cases[] = {
        {"GET / HTTP/1.1\r\n" HOST "\r\n", true, false, false},
        {"GET / HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n", false, false, false},
        {"GET / HTTP/1.1\r\n" HOST "Connection: te, Close\r\n\r\n", false, false, false},
        {"GET / HTTP/1.1\r\n" HOST "Connection: te\r\nConnection: close\r\n\r\n", false, false,
         false},
        {"GET / HTTP/1.1\r\n" HOST "Connection: closed\r\n\r\n", true, false, false},
        {"GET / HTTP/1.0\r\n\r\n", false, true, false},
        {"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true, true, false},
        {"GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", false, true, false},
        {"GET / HTTP/1.7\r\n" HOST "\r\n", true, false, false},
        {"POST / HTTP/1.1\r\n" HOST "Expect: 100-Continue\r\n\r\n", true, false, true},
        {"POST / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n", false, true, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct http_head head;
        char *block = NULL;
        assert_int_equal(read_head(cases[i].head, strlen(cases[i].head), &head, &block), 0);
        assert_int_equal(head.keep_alive, cases[i].keep_alive);
        assert_int_equal(head.is_1_0, cases[i].is_1_0);
        assert_int_equal(head.expect_continue, cases[i].expect);
        free(block);
    }
}

static void test_refusals(void **state)
{
#define LINE(request_line) request_line "\r\n" HOST "\r\n"
#define FIELD(fields)      "GET / HTTP/1.1\r\n" HOST fields "\r\n\r\n"
    static const struct {
        int status;
        const char *head;
    } cases[] = {
        /* request lines */
        {400, LINE("GET /")},
        {400, LINE("GET  / HTTP/1.1")},
        {400, LINE("GET / HTTP/1.1 ")},
        {400, LINE("GET /a b HTTP/1.1")},
        {400, LINE("GET\t/ HTTP/1.1")},
        {400, LINE(" GET / HTTP/1.1")},
        {400, LINE("G(T / HTTP/1.1")},
        {400, LINE("GET / http/1.1")},
        {400, LINE("GET / HTTP/1")},
        {400, LINE("GET / HTTP/11.1")},
        {400, LINE("GET / HTTP/1.10")},
        {400, LINE("GET / HTTP/x.1")},
        {400, LINE("GET / HTTPS/1.1")},
        {505, LINE("GET / HTTP/2.0")},
        {505, LINE("PRI * HTTP/2.0")},
        {505, LINE("GET / HTTP/0.9")},
        {501, LINE("BREW / HTTP/1.1")},
        {501, LINE("get / HTTP/1.1")},
        {501, LINE("GETT / HTTP/1.1")},
        {405, LINE("PUT / HTTP/1.1")},
        {405, LINE("DELETE / HTTP/1.1")},
        {405, LINE("OPTIONS * HTTP/1.1")},
        {405, LINE("CONNECT a:443 HTTP/1.1")},
        {405, LINE("TRACE / HTTP/1.1")},
        /* targets */
        {400, LINE("GET * HTTP/1.1")},
        {400, LINE("GET a:443 HTTP/1.1")},
        {400, LINE("GET etc/passwd HTTP/1.1")},
        {400, LINE("GET http:// HTTP/1.1")},
        {400, LINE("GET http:///x HTTP/1.1")},
        {400, LINE("GET ftp://a/x HTTP/1.1")},
        {400, LINE("GET http://user@a/x HTTP/1.1")},
        {400, LINE("GET /a#b HTTP/1.1")},
        {400, LINE("GET /\xc3\xa9 HTTP/1.1")},
        {400, LINE("GET /%00 HTTP/1.1")},
        {400, LINE("GET /a%0 HTTP/1.1")},
        {400, LINE("GET /a% HTTP/1.1")},
        {400, LINE("GET /%g1 HTTP/1.1")},
        {400, LINE("GET /%1g HTTP/1.1")},
        /* line ends and characters */
        {400, "GET / HTTP/1.1\nHost: a\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\nHost: a\n\r\n"},
        {400, "GET / HTTP/1.1\r\nHost: a\r\n\n"},
        {400, "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"},
        {400, "\rGET / HTTP/1.1\r\nHost: a\r\n\r\n"},
        {400, "\x16\x03\x01\x02\x00 TLS"},
        {400, FIELD("X: a\rb")},
        {400, FIELD("X: a\x01")},
        {400, FIELD("X: a\x7f")},
        {400, FIELD("X: a\r\n folded")},
        {400, FIELD("X: a\r\n\tfolded")},
        {400, "GET / HTTP/1.1\r\n X: first line folded\r\n" HOST "\r\n"},
        {400, FIELD("X : a")},
        {400, FIELD(": a")},
        {400, FIELD("no colon")},
        {400, FIELD("X(: a")},
        /* framing: what request smuggling is made of */
        {400, FIELD("Content-Length: 1\r\nContent-Length: 1")},
        {400, FIELD("Content-Length: 1\r\nContent-Length: 2")},
        {400, FIELD("Content-Length: 1, 1")},
        {400, FIELD("Content-Length: +1")},
        {400, FIELD("Content-Length: -1")},
        {400, FIELD("Content-Length: 0x1")},
        {400, FIELD("Content-Length: 1 1")},
        {400, FIELD("Content-Length:")},
        {400, FIELD("Content-Length : 1")},
        {400, FIELD("Content-Length: 1\r\nTransfer-Encoding: chunked")},
        {400, FIELD("Transfer-Encoding: chunked\r\nContent-Length: 1")},
        {400, "GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"},
        {501, FIELD("Transfer-Encoding: chunked")},
        {501, FIELD("transfer-encoding: identity")},
        {501, FIELD("Transfer-Encoding:")},
        /* Host and Expect */
        {400, "GET / HTTP/1.1\r\n\r\n"},
        {400, "GET http://a/ HTTP/1.1\r\n\r\n"},
        {400, FIELD("Host: again")},
        {400, "GET / HTTP/1.1\r\nHost: a b\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\nHost: a@b\r\n\r\n"},
        {0, "GET / HTTP/1.1\r\nHost:\r\n\r\n"},
        {0, "GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n"},
        {417, FIELD("Expect: a miracle")},
        /* not all there */
        {-1, ""},
        {-1, "\r\n"},
        {-1, "G"},
        {-1, "GET / HTTP/1.1\r\nHost: a\r\n\r"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int status = status_of(cases[i].head, strlen(cases[i].head));
        if (status != cases[i].status)
            fail_msg("%d, not %d: %s", status, cases[i].status, cases[i].head);
    }
    static const char nul[] = "GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n";
    static const char nul_in_field[] = "GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n";
    assert_int_equal(status_of(nul, sizeof nul - 1), 400);
    assert_int_equal(status_of(nul_in_field, sizeof nul_in_field - 1), 400);
}

static void test_a_huge_length_stays_huge(void **state)
{
    static const char text[] =
        "GET / HTTP/1.1\r\n" HOST "Content-Length: 18446744073709551621\r\n\r\n";
    struct http_head head;
    char *block = NULL;
    (void)state;
    assert_int_equal(read_head(text, sizeof text - 1, &head, &block), 0);
    assert_true(head.content_length == UINT64_MAX);
    free(block);
}

static void test_limits(void **state)
{
    (void)state;
    /* a target of exactly the limit, and one more */
    for (int extra = 0; extra < 2; extra++) {
        size_t len = HTTP_MAX_TARGET + (size_t)extra;
        size_t n = 0;
        memcpy(buffer, "GET ", 4);
        memset(buffer + 4, '/', len);
        n = 4 + len;
        n += (size_t)sprintf(buffer + n, " HTTP/1.1\r\n" HOST "\r\n");
        assert_int_equal(status_of(buffer, n), extra ? 414 : 0);
    }
    /* a request line and a field that never end */
    memcpy(buffer, "GET /", 5);
    memset(buffer + 5, 'a', sizeof buffer - 5);
    assert_int_equal(status_of(buffer, 9000), 414);
    assert_int_equal(status_of(buffer, MAX_HEAD), 414);
    size_t n = (size_t)sprintf(buffer, "GET / HTTP/1.1\r\nX: ");
    memset(buffer + n, 'a', sizeof buffer - n);
    assert_int_equal(status_of(buffer, MAX_HEAD - 1), -1);
    assert_int_equal(status_of(buffer, MAX_HEAD), 431);
    /* empty lines without end */
    for (size_t i = 0; i < MAX_HEAD; i++)
        buffer[i] = i % 2 ? '\n' : '\r';
    assert_int_equal(status_of(buffer, MAX_HEAD), 431);
}

/* The scan finds the same end whatever the pieces. */
static void test_scan_in_pieces(void **state)
{
    static const char text[] = "\r\nGET / HTTP/1.1\r\n" HOST "X: y\r\n\r\nGET /next HTTP/1.1\r\n";
    size_t end = (size_t)(strstr(text, "\r\n\r\n") - text) + 4;
    (void)state;
    for (size_t piece = 1; piece < sizeof text; piece++) {
        struct http_scan scan = {0};
        ssize_t len = 0;
        for (size_t have = piece; len == 0; have += piece) {
            if (have > sizeof text - 1)
                have = sizeof text - 1;
            len = http_scan(&scan, text, have, MAX_HEAD);
        }
        assert_int_equal(len, end);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_a_request), cmocka_unit_test(test_targets),
        cmocka_unit_test(test_persistence),     cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_limits),          cmocka_unit_test(test_a_huge_length_stays_huge),
        cmocka_unit_test(test_scan_in_pieces),
    };
    return cmocka_run_group_tests_name("http", tests, NULL, NULL);
}
