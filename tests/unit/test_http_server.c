/* The server over a socket: what it answers. */
#include "http_peer.h"

#include <netinet/tcp.h>
#include <time.h>

#define LARGE_BYTES 9000000 /* it goes out in several pieces */

static struct peer peer;

static int start(void **state)
{
    (void)state;
    peer = peer_start((struct peer_options){0});
    return 0;
}

static int stop(void **state)
{
    (void)state;
    peer_stop(&peer);
    return 0;
}

/* One request on a connection of its own. */
static struct answer ask(int status, const char *text)
{
    struct client *client = client_open(&peer);
    struct answer answer = client_ask(client, status, text);
    client_close(client);
    return answer;
}

static void test_the_core_answers_for_itself(void **state)
{
    (void)state;
    struct answer a = ask(200, "GET /healthz HTTP/1.1\r\n" LOCAL "\r\n");
    assert_string_equal(a.body, "ok\n");
    assert_string_equal(answer_field(&a, "Server"), "moonboot");
    assert_string_equal(answer_field(&a, "Content-Type"), "text/plain; charset=utf-8");
    assert_string_equal(answer_field(&a, "Content-Length"), "3");
    assert_string_equal(answer_field(&a, "Connection"), "");
    struct tm tm;
    assert_non_null(strptime(answer_field(&a, "Date"), "%a, %d %b %Y %H:%M:%S GMT", &tm));
    assert_in_range(timegm(&tm), time(NULL) - 5, time(NULL) + 1);
    answer_free(&a);

    a = ask(200, "GET /readyz HTTP/1.1\r\n" LOCAL "\r\n");
    assert_string_equal(a.body, "ready: generation 7\n");
    answer_free(&a);
    peer.board->last_refused = 1;
    a = ask(200, "GET /readyz HTTP/1.1\r\n" LOCAL "\r\n");
    assert_string_equal(a.body, "ready: generation 7; the last reload was refused\n");
    answer_free(&a);
    peer.board->generation = 0;
    a = ask(503, "GET /readyz HTTP/1.1\r\n" LOCAL "\r\n");
    answer_free(&a);
    peer.board->generation = 7;

    a = ask(200, "GET /metrics HTTP/1.1\r\n" LOCAL "\r\n");
    assert_non_null(strstr(a.body, "\nmoonboot_http_responses_total{code=\"2xx\"} "));
    answer_free(&a);
    a = ask(405, "POST /metrics HTTP/1.1\r\n" LOCAL "Content-Length: 0\r\n\r\n");
    assert_string_equal(answer_field(&a, "Allow"), "GET, HEAD");
    answer_free(&a);
}

static void test_the_policy_sees_the_request(void **state)
{
    (void)state;
    struct answer a = ask(200, "GET http://boot.lab:81/a%20b/../c?x=%41&y HTTP/1.1\r\n" LOCAL
                               "User-Agent: iPXE/1.0\r\n\r\n");
    assert_string_equal(a.body, "GET /a b/../c?x=%41&y host=boot.lab:81 agent=iPXE/1.0 "
                                "127.0.0.1>127.0.0.1 body=");
    assert_string_equal(answer_field(&a, "Content-Type"), "text/x-test");
    answer_free(&a);
    a = ask(200, "POST / HTTP/1.0\r\nContent-Length: 5\r\n\r\nhello");
    assert_string_equal(a.body, "POST /?(none) host=(none) agent=(none) "
                                "127.0.0.1>127.0.0.1 body=hello");
    answer_free(&a);
}

static void test_head_is_get_without_its_body(void **state)
{
    static const char *const paths[] = {"/healthz",      "/readyz",     "/echo",
                                        "/big",          "/error/0",    "/assets/small",
                                        "/assets/large", "/assets/none"};
    char text[128];
    (void)state;
    close(peer_file(&peer, "small", 512));
    close(peer_file(&peer, "large", LARGE_BYTES));
    struct client *client = client_open(&peer);
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        snprintf(text, sizeof text, "HEAD %s HTTP/1.1\r\n" LOCAL "\r\n", paths[i]);
        client_say(client, text);
        struct answer head = client_answer(client, true);
        snprintf(text, sizeof text, "GET %s HTTP/1.1\r\n" LOCAL "\r\n", paths[i]);
        client_say(client, text);
        struct answer get = client_answer(client, false);
        assert_true(get.whole && get.length > 0);
        assert_int_equal(get.status, head.status);
        /* but for Date; and the echo says which method it was */
        if (strcmp(paths[i], "/echo") != 0)
            assert_string_equal(strstr(get.head, "\r\nServer"), strstr(head.head, "\r\nServer"));
        answer_free(&head);
        answer_free(&get);
    }
    client_close(client);
}

static void test_replies_and_their_statuses(void **state)
{
    static const struct {
        int status;
        const char *path;
    } cases[] = {{404, "/error/0"},    {403, "/error/1"},      {500, "/error/2"},
                 {500, "/silence"},    {404, "/assets/none"},  {404, "/assets/"},
                 {404, "/assets/dir"}, {403, "/assets/../x"},  {403, "/assets/%2e%2e/x"},
                 {403, "/assets//x"},  {403, "/assets/link"},  {202, "/status?202"},
                 {500, "/status?101"}, {500, "/status?60000"}, {404, "/assets/fifo"}};
    char path[128];
    char text[256];
    (void)state;
    snprintf(path, sizeof path, "%s/dir", peer.dir);
    assert_return_code(mkdir(path, 0755), errno);
    snprintf(path, sizeof path, "%s/link", peer.dir);
    assert_return_code(symlink("/etc/passwd", path), errno);
    snprintf(path, sizeof path, "%s/fifo", peer.dir);
    assert_return_code(mkfifo(path, 0644), errno);
    struct client *client = client_open(&peer);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        snprintf(text, sizeof text, "GET %s HTTP/1.1\r\n" LOCAL "\r\n", cases[i].path);
        client_expect(client, cases[i].status, text);
    }
    client_close(client);
}

static void test_bare_statuses_have_no_body(void **state)
{
    (void)state;
    struct client *client = client_open(&peer);
    client_say(client,
               "GET /status?204 HTTP/1.1\r\n" LOCAL "\r\nGET /echo HTTP/1.1\r\n" LOCAL "\r\n");
    struct answer a = client_answer(client, false);
    assert_int_equal(a.status, 204);
    assert_string_equal(answer_field(&a, "Content-Length"), "");
    assert_string_equal(answer_field(&a, "Content-Type"), "");
    answer_free(&a);
    a = client_answer(client, false);
    assert_int_equal(a.status, 200);
    answer_free(&a);
    client_close(client);
}

static void test_ipxe_gets_errors_as_scripts(void **state)
{
    (void)state;
    struct answer a =
        ask(200, "GET /error/2?mac=1 HTTP/1.1\r\n" LOCAL "User-Agent: iPXE/1.21\r\n\r\n");
    assert_true(!strncmp(a.body, "#!ipxe\necho moonboot: 500 ", 26));
    assert_non_null(strstr(a.body, "it says why"));
    assert_non_null(strstr(a.body, "chain --replace --autofree /error/2?mac=1 "));
    answer_free(&a);
    a = ask(404, "GET /assets/none HTTP/1.1\r\n" LOCAL "User-Agent: iPXE/1.21\r\n\r\n");
    answer_free(&a);
}

static void test_persistence(void **state)
{
    static const struct {
        const char *request;
        const char *connection;
        bool ends;
    } cases[] = {
        {"GET /echo HTTP/1.1\r\n" LOCAL "\r\n", "", false},
        {"GET /echo HTTP/1.1\r\n" LOCAL "Connection: close\r\n\r\n", "close", true},
        {"GET /echo HTTP/1.0\r\n\r\n", "close", true},
        {"GET /echo HTTP/1.0\r\nConnection: close\r\n\r\n", "close", true},
        {"GET /echo HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "keep-alive", false},
        {"GET /echo HTTP/9.9\r\n\r\n", "close", true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct client *client = client_open(&peer);
        client_say(client, cases[i].request);
        struct answer a = client_answer(client, false);
        assert_true(a.whole && a.length > 0);
        assert_string_equal(answer_field(&a, "Connection"), cases[i].connection);
        answer_free(&a);
        if (cases[i].ends)
            assert_true(client_at_end(client));
        else
            client_expect(client, 200, "GET /healthz HTTP/1.1\r\n" LOCAL "\r\n");
        client_close(client);
    }
}

static void test_pipelined_answers_come_in_order(void **state)
{
    static const char *const bodies[] = {"late", "ok\n", NULL, "GET /1", NULL, "late", "GET /2"};
    (void)state;
    close(peer_file(&peer, "large", LARGE_BYTES));
    struct client *client = client_open(&peer);
    client_say(client, "GET /late HTTP/1.1\r\n" LOCAL "\r\n"
                       "GET /healthz HTTP/1.1\r\n" LOCAL "\r\n"
                       "GET /assets/large HTTP/1.1\r\n" LOCAL "\r\n"
                       "GET /1 HTTP/1.1\r\n" LOCAL "Content-Length: 3\r\n\r\nGET"
                       "\r\n\r\nGET /big HTTP/1.1\r\n" LOCAL "\r\n"
                       "GET /late HTTP/1.1\r\n" LOCAL "\r\n"
                       "GET /2 HTTP/1.1\r\n" LOCAL "Connection: close\r\n\r\n"
                       "GET /never HTTP/1.1\r\n" LOCAL "\r\n");
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        struct answer a = client_answer(client, false);
        assert_int_equal(a.status, 200);
        assert_true(a.whole);
        if (bodies[i])
            assert_memory_equal(a.body, bodies[i], strlen(bodies[i]));
        else
            assert_int_equal(a.length, i == 2 ? LARGE_BYTES : BIG_BYTES);
        answer_free(&a);
    }
    assert_true(client_at_end(client));
    client_close(client);
}

static void test_a_client_that_has_said_all(void **state)
{
    (void)state;
    struct client *client = client_open(&peer);
    client_say(client, "GET /late HTTP/1.1\r\n" LOCAL "\r\nGET /2 HTTP/1.1\r\n" LOCAL "\r\nGET /3");
    shutdown(client->fd, SHUT_WR);
    for (int i = 0; i < 2; i++) {
        struct answer a = client_answer(client, false);
        assert_int_equal(a.status, 200);
        answer_free(&a);
    }
    assert_true(client_at_end(client));
    client_close(client);
}

/* Each is refused, the connection ends, and what follows is never taken for a request. */
static void test_refusals_end_the_connection(void **state)
{
#define SMUGGLED "GET /smuggled HTTP/1.1\r\n" LOCAL "\r\n"
    static const struct {
        int status;
        const char *text;
    } cases[] = {
        {400, "GET / HTTP/1.1\r\n\r\n"},
        {400, "GET / HTTP/1.1\n" LOCAL "\n"},
        {400, "GET / HTTP/1.1\r\n" LOCAL "Content-Length: 5\r\nContent-Length: 0\r\n\r\n"},
        {400,
         "POST / HTTP/1.1\r\n" LOCAL "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"},
        {501, "POST / HTTP/1.1\r\n" LOCAL "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
        {501, "POST / HTTP/1.1\r\n" LOCAL "Transfer-Encoding: \x0b"
              "chunked\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\n" LOCAL "X: y\r\n Content-Length: 9\r\n\r\n"},
        {413, "POST / HTTP/1.1\r\n" LOCAL "Content-Length: 16385\r\n\r\n"},
        {413, "POST / HTTP/1.1\r\n" LOCAL "Content-Length: 99999999999999999999999\r\n\r\n"},
        {405, "PUT / HTTP/1.1\r\n" LOCAL "Content-Length: 0\r\n\r\n"},
        {501, "BREW / HTTP/1.1\r\n" LOCAL "\r\n"},
        {505, "GET / HTTP/3.0\r\n" LOCAL "\r\n"},
        {417, "GET / HTTP/1.1\r\n" LOCAL "Expect: 200-ok\r\n\r\n"},
        {400, "\x16\x03\x01"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct client *client = client_open(&peer);
        client_say(client, cases[i].text);
        client_say(client, SMUGGLED);
        struct answer a = client_answer(client, false);
        /* a control character is a bad request before it is an encoding */
        int status = strchr(cases[i].text, '\x0b') ? 400 : cases[i].status;
        if (a.status != status)
            fail_msg("%d, not %d: %s", a.status, status, cases[i].text);
        assert_true(a.whole && a.length > 0);
        assert_string_equal(answer_field(&a, "Connection"), "close");
        if (a.status == 405)
            assert_string_equal(answer_field(&a, "Allow"), "GET, HEAD, POST");
        answer_free(&a);
        assert_true(client_at_end(client));
        client_close(client);
    }
}

/* A megabyte is under way: the answer arrives all the same. */
static void test_refusals_reach_a_client_that_goes_on_sending(void **state)
{
    static const struct {
        int status;
        const char *start;
    } cases[] = {{413, "POST / HTTP/1.1\r\n" LOCAL "Content-Length: 1000000\r\n\r\n"},
                 {414, "GET /"},
                 {431, "GET / HTTP/1.1\r\n" LOCAL "X: "}};
    char *rest = malloc(1000000);
    (void)state;
    memset(rest, 'a', 1000000);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct client *client = client_open(&peer);
        client_say(client, cases[i].start);
        client_send(client, rest, 1000000);
        struct answer a = client_answer(client, false);
        assert_int_equal(a.status, cases[i].status);
        assert_true(a.whole);
        answer_free(&a);
        client_close(client);
    }
    free(rest);
}

static void test_expect_continue(void **state)
{
    (void)state;
    struct client *client = client_open(&peer);
    client_expect(client, 100,
                  "POST /a HTTP/1.1\r\n" LOCAL "Content-Length: 5\r\nExpect: 100-continue\r\n\r\n");
    struct answer a = client_ask(client, 200, "hello");
    assert_non_null(strstr(a.body, "body=hello"));
    answer_free(&a);
    /* who has sent the body does not wait for it; nor does HTTP/1.0 */
    client_expect(client, 200,
                  "POST /b HTTP/1.1\r\n" LOCAL
                  "Content-Length: 1\r\nExpect: 100-continue\r\n\r\nx");
    client_say(client, "POST /c HTTP/1.0\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n");
    client_expect(client, 200, "x");
    client_close(client);
    client = client_open(&peer);
    client_expect(client, 413,
                  "POST /d HTTP/1.1\r\n" LOCAL
                  "Content-Length: 20000\r\nExpect: 100-continue\r\n\r\n");
    client_close(client);
}

static void test_files(void **state)
{
    static const off_t sizes[] = {0, 1, 511, 512, 513, 16384, 16385, 1000000};
    char text[512];
    char etag[256];
    char modified[256];
    (void)state;
    struct client *client = client_open(&peer);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        close(peer_file(&peer, "file.efi", sizes[i]));
        struct answer a = client_ask(client, 200, "GET /assets/file.efi HTTP/1.1\r\n" LOCAL "\r\n");
        assert_true(a.whole);
        assert_int_equal(a.length, sizes[i]);
        for (size_t at = 0; at < a.length; at++)
            assert_int_equal((unsigned char)a.body[at], at % 251);
        assert_string_equal(answer_field(&a, "Content-Type"), "application/efi");
        assert_string_equal(answer_field(&a, "Accept-Ranges"), "bytes");
        strcpy(etag, answer_field(&a, "ETag"));
        strcpy(modified, answer_field(&a, "Last-Modified"));
        assert_true(etag[0] == '"' && modified[0]);
        answer_free(&a);

        snprintf(text, sizeof text,
                 "GET /assets/file.efi HTTP/1.1\r\n" LOCAL "If-None-Match: %s\r\n\r\n", etag);
        a = client_ask(client, 304, text);
        assert_string_equal(answer_field(&a, "ETag"), etag);
        answer_free(&a);
        snprintf(text, sizeof text,
                 "GET /assets/file.efi HTTP/1.1\r\n" LOCAL "If-Modified-Since: %s\r\n\r\n",
                 modified);
        client_expect(client, 304, text);
        if (sizes[i] < 2)
            continue;
        /* as EDK2 goes on after a broken transfer */
        snprintf(text, sizeof text,
                 "GET /assets/file.efi HTTP/1.1\r\n" LOCAL
                 "If-Match: %s\r\nRange: bytes=100-\r\n\r\n",
                 etag);
        a = client_ask(client, 206, text);
        assert_int_equal(a.length, sizes[i] - 100);
        assert_int_equal(a.body[0], 100);
        snprintf(text, sizeof text, "bytes 100-%lld/%lld", (long long)sizes[i] - 1,
                 (long long)sizes[i]);
        assert_string_equal(answer_field(&a, "Content-Range"), text);
        answer_free(&a);
    }
    client_expect(client, 412,
                  "GET /assets/file.efi HTTP/1.1\r\n" LOCAL "If-Match: \"other\"\r\n\r\n");
    struct answer a = client_ask(
        client, 416, "GET /assets/file.efi HTTP/1.1\r\n" LOCAL "Range: bytes=1000000-\r\n\r\n");
    assert_string_equal(answer_field(&a, "Content-Range"), "bytes */1000000");
    answer_free(&a);
    a = client_ask(client, 405,
                   "POST /assets/file.efi HTTP/1.1\r\n" LOCAL "Content-Length: 0\r\n\r\n");
    assert_string_equal(answer_field(&a, "Allow"), "GET, HEAD");
    answer_free(&a);
    client_close(client);
}

static void test_files_beyond_4_gib(void **state)
{
    (void)state;
    int fd = peer_file(&peer, "huge", (off_t)5 << 30);
    assert_int_equal(pwrite(fd, "the end", 7, ((off_t)5 << 30) - 7), 7);
    close(fd);
    struct client *client = client_open(&peer);
    struct answer a = client_ask(client, 200, "HEAD /assets/huge HTTP/1.1\r\n" LOCAL "\r\n");
    assert_string_equal(answer_field(&a, "Content-Length"), "5368709120");
    answer_free(&a);
    a = client_ask(client, 206, "GET /assets/huge HTTP/1.1\r\n" LOCAL "Range: bytes=-7\r\n\r\n");
    assert_string_equal(a.body, "the end");
    answer_free(&a);
    /* by sendfile, from beyond 4 GiB */
    a = client_ask(client, 206,
                   "GET /assets/huge HTTP/1.1\r\n" LOCAL "Range: bytes=-1000000\r\n\r\n");
    assert_int_equal(a.length, 1000000);
    assert_memory_equal(a.body + 999993, "the end", 7);
    answer_free(&a);
    /* in pieces, of which the second begins there */
    a = client_ask(client, 206,
                   "GET /assets/huge HTTP/1.1\r\n" LOCAL
                   "Range: bytes=4290772992-4296014848\r\n\r\n");
    assert_int_equal(a.length, 5241857);
    assert_true(a.whole);
    answer_free(&a);
    client_close(client);
}

/* A large file goes out corked, where the kernel holds short segments back for 200 ms: what
 * follows does not. */
static void test_nothing_is_held_back_behind_a_file(void **state)
{
    struct timespec before, after;
    (void)state;
    close(peer_file(&peer, "large", LARGE_BYTES));
    struct client *client = client_open(&peer);
    struct answer a = client_ask(client, 200, "GET /assets/large HTTP/1.1\r\n" LOCAL "\r\n");
    assert_int_equal(a.length, LARGE_BYTES);
    answer_free(&a);
    clock_gettime(CLOCK_MONOTONIC, &before);
    for (int i = 0; i < 40; i++)
        client_expect(client, 200, "GET /echo HTTP/1.1\r\n" LOCAL "\r\n");
    clock_gettime(CLOCK_MONOTONIC, &after);
    assert_in_range(after.tv_sec - before.tv_sec, 0, 5); /* they would be 8 s */
    client_close(client);
}

static void test_a_file_from_the_future(void **state)
{
    struct timespec times[2] = {{.tv_sec = time(NULL) + 86400}, {.tv_sec = time(NULL) + 86400}};
    (void)state;
    int fd = peer_file(&peer, "future", 10);
    assert_return_code(futimens(fd, times), errno);
    close(fd);
    struct answer a = ask(200, "GET /assets/future HTTP/1.1\r\n" LOCAL
                               "If-Unmodified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n");
    assert_string_equal(answer_field(&a, "Last-Modified"), "");
    assert_true(answer_field(&a, "ETag")[0] == '"');
    answer_free(&a);
}

static void test_binding(void **state)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof address;
    int one = 0;
    (void)state;
    int first = http_server_bind(&address, 2);
    assert_true(first >= 0);
    getsockname(first, (struct sockaddr *)&address, &len);
    int second = http_server_bind(&address, 2);
    assert_true(second >= 0);
    close(first);
    assert_true(fcntl(second, F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(second, F_GETFD) & FD_CLOEXEC);
    assert_int_equal(http_server_bind(&address, 1), -EADDRINUSE);
    int client = socket(AF_INET, SOCK_STREAM, 0);
    assert_return_code(connect(client, (struct sockaddr *)&address, len), errno);
    int accepted = accept(second, NULL, NULL);
    len = sizeof one;
    getsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &one, &len);
    assert_int_equal(one, 1);
    close(accepted);
    close(client);
    close(second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_core_answers_for_itself),
        cmocka_unit_test(test_the_policy_sees_the_request),
        cmocka_unit_test(test_head_is_get_without_its_body),
        cmocka_unit_test(test_replies_and_their_statuses),
        cmocka_unit_test(test_bare_statuses_have_no_body),
        cmocka_unit_test(test_ipxe_gets_errors_as_scripts),
        cmocka_unit_test(test_persistence),
        cmocka_unit_test(test_pipelined_answers_come_in_order),
        cmocka_unit_test(test_a_client_that_has_said_all),
        cmocka_unit_test(test_refusals_end_the_connection),
        cmocka_unit_test(test_refusals_reach_a_client_that_goes_on_sending),
        cmocka_unit_test(test_expect_continue),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_files_beyond_4_gib),
        cmocka_unit_test(test_nothing_is_held_back_behind_a_file),
        cmocka_unit_test(test_a_file_from_the_future),
        cmocka_unit_test(test_binding),
    };
    return cmocka_run_group_tests_name("http_server", tests, start, stop);
}
