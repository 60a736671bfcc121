/* Heads of answers, and error pages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "http_response.h"

#define DATE "Sun, 06 Nov 1994 08:49:37 GMT"

static char request[1024];

static struct http_head parse(const char *line, const char *agent)
{
    struct http_head head;
    int n = snprintf(request, sizeof request, "%s HTTP/1.0\r\nUser-Agent: %s\r\n\r\n", line, agent);
    assert_int_equal(http_parse(request, (size_t)n, &head), 0);
    return head;
}

/* The body as text; the response is gone afterwards. */
static char *body_of(struct http_response *response)
{
    char *text = strndup(response->data, response->length);
    assert_non_null(text);
    assert_int_equal(strlen(text), response->length);
    http_response_clear(response);
    return text;
}

static void test_heads(void **state)
{
    char out[HTTP_RESPONSE_HEAD];
    struct http_response response = http_response_none();
    (void)state;
    response.status = 200;
    response.type = "application/efi";
    response.length = UINT64_C(5) << 30;
    http_response_field(&response, "ETag: %s", "\"e\"");
    size_t len = http_response_head(&response, DATE, HTTP_PERSIST, out);
    assert_int_equal(len, strlen(out));
    assert_string_equal(out, "HTTP/1.1 200 OK\r\nDate: " DATE "\r\nServer: moonboot\r\n"
                             "Content-Type: application/efi\r\nContent-Length: 5368709120\r\n"
                             "ETag: \"e\"\r\n\r\n");
    response.status = 304;
    http_response_head(&response, DATE, HTTP_CLOSE, out);
    assert_string_equal(out, "HTTP/1.1 304 Not Modified\r\nDate: " DATE "\r\nServer: moonboot\r\n"
                             "ETag: \"e\"\r\nConnection: close\r\n\r\n");
}

static void test_fields_that_do_not_fit_are_left_out(void **state)
{
    char out[HTTP_RESPONSE_HEAD];
    char type[200];
    struct http_response response = http_response_none();
    (void)state;
    for (int i = 0; i < 50; i++)
        http_response_field(&response, "X-%d: %s", i, "0123456789");
    size_t used = strlen(response.fields);
    assert_in_range(used, HTTP_RESPONSE_FIELDS - 24, HTTP_RESPONSE_FIELDS - 1);
    assert_string_equal(response.fields + used - 2, "\r\n");
    memset(type, 'a', sizeof type);
    type[127] = '\0';
    assert_true(http_response_is_type(type));
    response.type = type;
    size_t len = http_response_head(&response, DATE, HTTP_PERSIST_1_0, out);
    assert_true(len < HTTP_RESPONSE_HEAD);
    assert_string_equal(out + len - 4, "\r\n\r\n");
}

static void test_bodies_of_the_policy(void **state)
{
    uint8_t data[] = "x";
    struct reply_body body = {.status = 200, .data = data, .len = 1};
    char good[] = "text/html; charset=utf-8";
    char bad[] = "text/html\r\nX: y";
    (void)state;
    body.content_type = good;
    assert_string_equal(http_response_body(&body).type, good);
    body.content_type = bad;
    assert_string_equal(http_response_body(&body).type, "application/octet-stream");
    static const int statuses[][2] = {{100, 500}, {199, 500}, {0, 500},   {600, 500},
                                      {-1, 500},  {200, 200}, {599, 599}, {404, 404}};
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
        body.status = statuses[i][0];
        assert_int_equal(http_response_body(&body).status, statuses[i][1]);
    }
}

static void test_error_pages(void **state)
{
    struct http_head head = parse("GET /x", "curl/8");
    struct http_response response =
        http_response_error(&head, 404, "no such page: /x\r\nX: \x1b[2J");
    (void)state;
    assert_int_equal(response.status, 404);
    assert_int_equal(response.error, 404);
    assert_string_equal(response.type, "text/plain; charset=utf-8");
    char *text = body_of(&response);
    assert_string_equal(text, "404 Not Found: no such page: /x X: [2J\n");
    free(text);
    response = http_response_error(NULL, 400, NULL);
    text = body_of(&response);
    assert_string_equal(text, "400 Bad Request\n");
    free(text);
}

static void test_errors_for_ipxe_are_scripts(void **state)
{
    struct http_head head =
        parse("GET //a%24%7bb%7d%20%0ac;d?mac=${x}&y=%20;||\"'`\\", "iPXE/1.21.1");
    struct http_response response =
        http_response_error(&head, 500, "a${b} ; c || d && \"e\" 'f' `g` \\\n#!h\necho i");
    (void)state;
    assert_int_equal(response.status, 200);
    assert_int_equal(response.error, 500);
    char *text = body_of(&response);
    assert_string_equal(text, "#!ipxe\n"
                              "echo moonboot: 500 Internal Server Error: a b c d e f g !h echo i\n"
                              "isset ${failed} || set failed:int32 0\n"
                              "inc failed\n"
                              "iseq ${failed} 30 && goto leave ||\n"
                              "echo moonboot: trying again in 10 seconds\n"
                              "sleep 10 ||\n"
                              "chain --replace --autofree /a%24%7Bb%7D%20%0Ac%3Bd"
                              "?mac=%24%7Bx%7D&y=%20%3B%7C%7C%22%27%60%5C ||\n"
                              ":leave\n"
                              "echo moonboot: leaving network boot\n"
                              "iseq ${platform} efi && exit 1 ||\n"
                              "exit\n");
    free(text);
}

static void test_what_is_no_script_keeps_its_status(void **state)
{
    static const char *const lines[] = {
        "GET /assets/x", "GET /config/x",     "GET /autoexec.ipxe", "GET /a/autoexec.ipxe",
        "GET /ipxe.sig", "GET /ipxe.minisig", "POST /event/x"};
    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        struct http_head head = parse(lines[i], "iPXE/1.0");
        struct http_response response = http_response_error(&head, 404, "no");
        assert_int_equal(response.status, 404);
        http_response_clear(&response);
    }
    struct http_head head = parse("GET /ipxe", "Mozilla iPXE/1.0");
    struct http_response response = http_response_error(&head, 404, "no");
    assert_int_equal(response.status, 404);
    http_response_clear(&response);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_heads),
        cmocka_unit_test(test_fields_that_do_not_fit_are_left_out),
        cmocka_unit_test(test_bodies_of_the_policy),
        cmocka_unit_test(test_error_pages),
        cmocka_unit_test(test_errors_for_ipxe_are_scripts),
        cmocka_unit_test(test_what_is_no_script_keeps_its_status),
    };
    return cmocka_run_group_tests_name("http_response", tests, NULL, NULL);
}
