/* One worker asks for all: one request a key, whoever asks; and when he dies, stands still, or has
 * only an old answer. Workers are processes here, as locks are theirs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "http_frame.h"
#include "http_share.h"

/* --- the server, in this process ----------------------------------------------------------- */

static struct event_base *base;
static struct evhttp *server;
static char root[64];
static unsigned n_requests;
static int status = 200;
static unsigned hold; /* so many requests are never answered */

static void on_request(struct evhttp_request *request, void *arg)
{
    struct evbuffer *body = evbuffer_new();
    (void)arg;
    n_requests++;
    if (hold > 0) {
        hold--;
        evbuffer_free(body);
        return;
    }
    evbuffer_add_printf(body, "answer");
    evhttp_send_reply(request, status, "Of course", body);
    evbuffer_free(body);
}

static void turn_ms(long ms)
{
    struct timeval after = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
    event_base_loopexit(base, &after);
    event_base_dispatch(base);
}

/* --- workers ------------------------------------------------------------------------------- */

struct worker {
    pid_t pid;
    int told; /* what it says, a character each */
    int ends; /* a byte ends it */
};

static int said; /* in a worker */
static struct event_base *own;

static void say(char what)
{
    if (write(said, &what, 1) < 0)
        _exit(2);
}

static void on_answer(const struct http_answer *answer, void *arg)
{
    (void)arg;
    say(answer->status == 200 && answer->body.len == 6 ? 'y' : 'n');
}

static void on_end(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    event_base_loopbreak(arg);
}

static void on_look(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    say(http_cache_stale(arg) ? 'o' : '-');
}

/* Asks `times` times for `path`, goes on until it is told to end, and says 'y' for each answer;
 * `look`: after 300 ms whether there is an old one, too ('o'). */
static _Noreturn void work(const int fds[HTTP_SHARE_FDS], const char *path, int times, int64_t ttl,
                           bool look, int ends)
{
    char url[128];
    struct timeval later = {.tv_usec = 300000};
    own = event_base_new();
    struct http_cache *cache = http_cache_open(own);
    struct event *end = event_new(own, ends, EV_READ, on_end, own);
    struct event *looks = NULL;
    snprintf(url, sizeof url, "%s%s", root, path);
    if (!cache || !http_cache_share(cache, fds) || event_add(end, NULL) < 0)
        _exit(3);
    for (int i = 0; i < times; i++) {
        struct http_question q = {
            .method = "GET", .url = url, .timeout_ms = 5000, .max_bytes = 65536};
        struct http_cache_rules rules = {
            .key = {(const uint8_t *)url, strlen(url)}, .ttl_ms = ttl, .stale_ms = 60000};
        struct http_waiter *waiter = http_cache_ask(cache, &q, &rules, on_answer, NULL);
        if (!waiter)
            _exit(4);
        if (look) {
            looks = evtimer_new(own, on_look, waiter);
            evtimer_add(looks, &later);
        }
    }
    event_base_dispatch(own);
    http_cache_close(cache);
    event_free(end);
    if (looks)
        event_free(looks);
    event_base_free(own);
    _exit(0);
}

static struct worker start(const int fds[HTTP_SHARE_FDS], const char *path, int times, int64_t ttl,
                           bool look)
{
    int out[2], in[2];
    assert_int_equal(pipe(out), 0);
    assert_int_equal(pipe(in), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        close(out[0]);
        close(in[1]);
        said = out[1];
        work(fds, path, times, ttl, look, in[0]);
    }
    close(out[1]);
    close(in[0]);
    evutil_make_socket_nonblocking(out[0]);
    return (struct worker){pid, out[0], in[1]};
}

/* What a worker says, in 10 s at the latest; '?' when nothing. */
static char hear(const struct worker *worker)
{
    time_t limit = time(NULL) + 10;
    char what;
    while (time(NULL) < limit) {
        ssize_t n = read(worker->told, &what, 1);
        if (n == 1)
            return what;
        turn_ms(5);
    }
    return '?';
}

static void finish(struct worker *worker, bool killed)
{
    int how = -1;
    if (!killed)
        assert_int_equal(write(worker->ends, "", 1), 1);
    close(worker->ends);
    for (int i = 0; i < 1000 && waitpid(worker->pid, &how, WNOHANG) == 0; i++)
        turn_ms(5);
    close(worker->told);
    assert_true(killed ? WIFSIGNALED(how) : WIFEXITED(how) && WEXITSTATUS(how) == 0);
}

static void wait_requests(unsigned n)
{
    for (int i = 0; i < 1000 && n_requests < n; i++)
        turn_ms(5);
    assert_int_equal(n_requests, n);
}

/* --- tests ---------------------------------------------------------------------------------- */

static void test_one_request(void **state)
{
    enum { WORKERS = 4, TIMES = 50 };
    struct worker workers[WORKERS];
    int fds[HTTP_SHARE_FDS];
    (void)state;
    n_requests = 0;
    assert_true(http_share_make(fds));
    for (int i = 0; i < WORKERS; i++)
        workers[i] = start(fds, "/one", TIMES, 60000, false);
    for (int i = 0; i < WORKERS * TIMES; i++)
        assert_int_equal(hear(&workers[i % WORKERS]), 'y');
    assert_int_equal(n_requests, 1);
    for (int i = 0; i < WORKERS; i++)
        finish(&workers[i], false);
    http_share_unmake(fds);
}

/* His question is asked anew, by one of those who wait for it. */
static void test_he_dies(void **state)
{
    int fds[HTTP_SHARE_FDS];
    (void)state;
    n_requests = 0;
    hold = 1;
    assert_true(http_share_make(fds));
    struct worker first = start(fds, "/dies", 1, 60000, false);
    wait_requests(1);
    struct worker second = start(fds, "/dies", 3, 60000, false);
    struct worker third = start(fds, "/dies", 3, 60000, false);
    turn_ms(300);
    assert_int_equal(n_requests, 1);
    kill(first.pid, SIGKILL);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(hear(&second), 'y');
        assert_int_equal(hear(&third), 'y');
    }
    assert_int_equal(n_requests, 2);
    finish(&first, true);
    finish(&second, false);
    finish(&third, false);
    http_share_unmake(fds);
}

/* Who stands still holds up the others for a second, not for ever. */
static void test_he_stands_still(void **state)
{
    int fds[HTTP_SHARE_FDS];
    (void)state;
    n_requests = 0;
    assert_true(http_share_make(fds));
    struct worker first = start(fds, "/still", 1, 60000, false);
    assert_int_equal(hear(&first), 'y');
    kill(first.pid, SIGSTOP);
    struct worker second = start(fds, "/still", 1, 60000, false);
    assert_int_equal(hear(&second), 'y');
    assert_int_equal(n_requests, 2);
    kill(first.pid, SIGKILL);
    finish(&first, true);
    finish(&second, false);
    http_share_unmake(fds);
}

/* What he knows that is old, and what he is told when the server fails. */
static void test_old(void **state)
{
    int fds[HTTP_SHARE_FDS];
    (void)state;
    n_requests = 0;
    assert_true(http_share_make(fds));
    struct worker first = start(fds, "/old", 1, 1, false);
    assert_int_equal(hear(&first), 'y');
    status = 503;
    struct worker second = start(fds, "/old", 1, 1, false);
    assert_int_equal(hear(&second), 'y');
    assert_int_equal(n_requests, 2);
    status = 200;
    hold = 1;
    struct worker third = start(fds, "/old", 1, 1, true);
    assert_int_equal(hear(&third), 'o');
    assert_int_equal(n_requests, 3);
    finish(&first, false); /* and with him his request: the third asks it anew */
    assert_int_equal(hear(&third), 'y');
    finish(&second, false);
    finish(&third, false);
    http_share_unmake(fds);
}

/* --- frames --------------------------------------------------------------------------------- */

#define TEXT(text)                                                                                 \
    {                                                                                              \
        (const uint8_t *)(text), sizeof(text) - 1                                                  \
    }

static bool same(struct bytes a, struct bytes b)
{
    return a.len == b.len && (a.len == 0 || !memcmp(a.data, b.data, a.len));
}

static void test_question(void **state)
{
    static const char *const headers[] = {"A: b", "C: d", NULL};
    const struct http_question q = {.method = "GET",
                                    .url = "http://a.lab/",
                                    .headers = headers,
                                    .body = TEXT("body"),
                                    .has_body = true,
                                    .timeout_ms = 7,
                                    .max_bytes = (size_t)5 << 32,
                                    .redirects = 3,
                                    .proxy = "http://p.lab",
                                    .ca = TEXT("ca"),
                                    .cert = TEXT("cert"),
                                    .key = TEXT("key"),
                                    .insecure = true};
    const struct http_cache_rules rules = {.key = TEXT("k"), .ttl_ms = 1LL << 40, .stale_ms = 9};
    struct evbuffer *buffer = evbuffer_new();
    struct http_frame frame;
    struct http_frame_question read;
    (void)state;
    assert_true(http_frame_put(buffer, HTTP_FRAME_HELLO, 1));
    assert_true(http_frame_put_question(buffer, 77, &q, &rules));
    assert_int_equal(http_frame_next(buffer, &frame), 1);
    assert_int_equal(frame.kind, HTTP_FRAME_HELLO);
    http_frame_drop(buffer, &frame);
    assert_int_equal(http_frame_next(buffer, &frame), 1);
    assert_true(frame.kind == HTTP_FRAME_QUESTION && frame.id == 77);
    assert_true(http_frame_read_question(frame.body, &read));
    assert_string_equal(read.question.url, q.url);
    assert_string_equal(read.question.proxy, q.proxy);
    assert_null(read.question.unix_socket);
    assert_string_equal(read.question.headers[1], "C: d");
    assert_null(read.question.headers[2]);
    assert_true(same(read.question.body, q.body) && same(read.question.ca, q.ca) &&
                same(read.question.cert, q.cert) && same(read.question.key, q.key) &&
                same(read.rules.key, rules.key));
    assert_true(read.question.max_bytes == q.max_bytes && read.question.timeout_ms == 7 &&
                read.question.redirects == 3 && read.question.insecure && read.question.has_body);
    assert_true(read.rules.ttl_ms == rules.ttl_ms && read.rules.stale_ms == 9);
    for (size_t len = 0; len < frame.body.len; len++)
        assert_false(http_frame_read_question((struct bytes){frame.body.data, len}, &read));
    evbuffer_free(buffer);
}

static void test_answer(void **state)
{
    const struct http_answer answers[] = {
        {.status = 200, .type = "text/plain", .body = TEXT("x"), .age_ms = 1LL << 33},
        {.status = 204, .type = ""},
        {.problem = "refused", .type = ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        struct evbuffer *buffer = evbuffer_new();
        struct http_frame frame;
        struct http_answer read;
        assert_true(http_frame_put_answer(buffer, HTTP_FRAME_ANSWER, 5, &answers[i]));
        assert_int_equal(http_frame_next(buffer, &frame), 1);
        assert_true(http_frame_read_answer(frame.body, &read));
        assert_int_equal(read.status, answers[i].status);
        assert_string_equal(read.type, answers[i].type);
        assert_true(same(read.body, answers[i].body) && read.age_ms == answers[i].age_ms);
        for (size_t len = 0; len < frame.body.len; len++)
            assert_false(http_frame_read_answer((struct bytes){frame.body.data, len}, &read));
        evbuffer_free(buffer);
    }
}

/* Not all there, and none at all. */
static void test_no_frame(void **state)
{
    static const uint8_t too_large[HTTP_FRAME_HEAD] = {0, 0, 0, 1, 0, 0, 0, 1, 0xff};
    static const uint8_t no_kind[HTTP_FRAME_HEAD] = {0, 0, 0, 99};
    static const uint8_t begun[HTTP_FRAME_HEAD] = {0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 2};
    struct evbuffer *buffer = evbuffer_new();
    struct http_frame frame;
    (void)state;
    assert_int_equal(http_frame_next(buffer, &frame), 0);
    evbuffer_add(buffer, begun, sizeof begun);
    assert_int_equal(http_frame_next(buffer, &frame), 0);
    evbuffer_drain(buffer, sizeof begun);
    evbuffer_add(buffer, too_large, sizeof too_large);
    assert_int_equal(http_frame_next(buffer, &frame), -1);
    evbuffer_drain(buffer, sizeof too_large);
    evbuffer_add(buffer, no_kind, sizeof no_kind);
    assert_int_equal(http_frame_next(buffer, &frame), -1);
    evbuffer_free(buffer);
}

static int set_up(void **state)
{
    struct sockaddr_in address;
    socklen_t len = sizeof address;
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    base = event_base_new();
    server = evhttp_new(base);
    struct evhttp_bound_socket *bound = evhttp_bind_socket_with_handle(server, "127.0.0.1", 0);
    evhttp_set_gencb(server, on_request, NULL);
    getsockname(evhttp_bound_socket_get_fd(bound), (struct sockaddr *)&address, &len);
    snprintf(root, sizeof root, "http://127.0.0.1:%u", ntohs(address.sin_port));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    evhttp_free(server);
    event_base_free(base);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_question), cmocka_unit_test(test_answer),
        cmocka_unit_test(test_no_frame), cmocka_unit_test(test_one_request),
        cmocka_unit_test(test_he_dies),  cmocka_unit_test(test_he_stands_still),
        cmocka_unit_test(test_old),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
