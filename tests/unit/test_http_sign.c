/* Signatures of what was rendered, as they are asked for: the dear ones count as requests, and none
 * is made of a digest that nobody took. */
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

#include "http_route.h"
#include "http_sign.h"

static char directory[] = "/tmp/moonboot-http-sign-XXXXXX";
static struct signer_board *board;
static struct metrics_board *metrics;
static struct minisign_key *key; /* of every signer here */

static void run(const char *command)
{
    char whole[512];
    snprintf(whole, sizeof whole, "cd %s && umask 077 && { %s; } 2>/dev/null", directory, command);
    assert_int_equal(system(whole), 0);
}

static struct signer *open_signer(bool with_cms)
{
    char cert[64], cms_key[64], problem[256] = "";
    struct minisign_key *copy = minisign_key_alloc();
    snprintf(cert, sizeof cert, "%s/sign.pem", directory);
    snprintf(cms_key, sizeof cms_key, "%s/sign.key", directory);
    struct cms *cms = with_cms ? cms_open(cert, cms_key, problem, sizeof problem) : NULL;
    if (with_cms && !cms)
        fail_msg("%s", problem);
    memcpy(copy, key, sizeof *copy);
    return signer_open(copy, cms, board);
}

static struct http_head head_of(const char *path)
{
    return (struct http_head){.method = HTTP_GET, .method_name = "GET", .path = path};
}

/* A machine is sent a text under that path. */
static void send_text(struct http_service *service, const char *path, struct in_addr client)
{
    struct http_head head = head_of(path);
    uint8_t script[] = "a script";
    struct reply_body body = {.status = 200, .data = script, .len = sizeof script};
    struct http_response response = http_sign_body(service, &head, client, &body);
    assert_int_equal(response.status, 200);
    http_response_clear(&response);
}

/* The status that is answered early; 0: it is the policy's matter. */
static int early(struct http_service *service, const char *path, struct in_addr client)
{
    struct http_visitor visitor = {0};
    struct http_head head = head_of(path);
    struct http_response response = {.fd = -1};
    if (!http_route_early(service, &visitor, &head, client, &response))
        return 0;
    int status = response.status;
    http_response_clear(&response);
    return status;
}

static void test_rate(void **state)
{
    struct in_addr client = {inet_addr("10.0.0.9")};
    struct http_service service = {.options = {.signer = open_signer(true),
                                               .rate = rate_alloc(1),
                                               .board = metrics,
                                               .metrics = &metrics->slots[0]}};
    (void)state;
    send_text(&service, "/ipxe", client);
    assert_int_equal(early(&service, "/ipxe.cms", client), 200);
    for (int i = 0; i < 10 && early(&service, "/ipxe", client) == 0; i++)
        continue;
    assert_int_equal(early(&service, "/ipxe", client), 429);
    assert_int_equal(early(&service, "/ipxe.cms", client), 429);
    assert_int_equal(early(&service, "/ipxe.sig", client), 200);
    signer_close(service.options.signer);
    rate_free(service.options.rate);
}

/* The board outlives the signer that knew no CMS. */
static void test_cms_is_new(void **state)
{
    struct in_addr client = {inet_addr("10.0.0.1")};
    struct http_service service = {.options = {.signer = open_signer(false), .board = metrics}};
    (void)state;
    send_text(&service, "/new", client);
    assert_int_equal(early(&service, "/new.sig", client), 200);
    signer_close(service.options.signer);
    service.options.signer = open_signer(true);
    assert_int_equal(early(&service, "/new.cms", client), 0);
    send_text(&service, "/new", client);
    assert_int_equal(early(&service, "/new.cms", client), 200);
    signer_close(service.options.signer);
}

static int set_up(void **state)
{
    (void)state;
    board = signer_board_alloc();
    metrics = metrics_board_alloc();
    key = minisign_key_alloc();
    if (!board || !metrics || !key || !mkdtemp(directory))
        return -1;
    minisign_key_make(key);
    run("openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=code -keyout sign.key -out sign.pem "
        "-addext keyUsage=digitalSignature -addext extendedKeyUsage=codeSigning");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    run("rm -rf \"$PWD\"");
    minisign_key_free(key);
    metrics_board_free(metrics);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rate),
        cmocka_unit_test(test_cms_is_new),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
