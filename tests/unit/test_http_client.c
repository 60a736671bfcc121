/* Asking others: answers, failures of all kinds, and what is shared. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "http_cache.h"
#include "metrics.h"

static struct event_base *base;
static struct evhttp *server;
static struct evhttp_bound_socket *bound;
static char root[64];
static int status = 200;    /* what /now answers */
static unsigned n_requests; /* that the server saw */

/* --- the server --------------------------------------------------------------------------- */

struct late {
    struct evhttp_request *request;
    struct event *timer;
};

static void send_text(struct evhttp_request *request, int code, const char *text)
{
    struct evbuffer *body = evbuffer_new();
    evbuffer_add(body, text, strlen(text));
    evhttp_send_reply(request, code, "Of course", body);
    evbuffer_free(body);
}

static void on_late(evutil_socket_t fd, short what, void *arg)
{
    struct late *late = arg;
    (void)fd;
    (void)what;
    send_text(late->request, status, "late");
    event_free(late->timer);
    free(late);
}

static void on_request(struct evhttp_request *request, void *arg)
{
    const char *path = evhttp_request_get_uri(request);
    struct evkeyvalq *out = evhttp_request_get_output_headers(request);
    (void)arg;
    n_requests++;
    if (!strcmp(path, "/late")) {
        struct late *late = malloc(sizeof *late);
        struct timeval after = {.tv_usec = 100000};
        late->request = request;
        late->timer = evtimer_new(base, on_late, late);
        evtimer_add(late->timer, &after);
    } else if (!strcmp(path, "/redirect")) {
        evhttp_add_header(out, "Location", "/now");
        send_text(request, 302, "");
    } else if (!strcmp(path, "/loop")) {
        evhttp_add_header(out, "Location", "/loop");
        send_text(request, 302, "");
    } else if (!strcmp(path, "/file")) {
        evhttp_add_header(out, "Location", "file:///etc/passwd");
        send_text(request, 302, "");
    } else if (!strcmp(path, "/big")) {
        char *text = calloc(1, 100001);
        memset(text, 'b', 100000);
        send_text(request, 200, text);
        free(text);
    } else if (!strcmp(path, "/echo")) {
        struct evbuffer *in = evhttp_request_get_input_buffer(request);
        const char *field = evhttp_find_header(evhttp_request_get_input_headers(request), "X-Test");
        char text[256];
        size_t len = evbuffer_get_length(in);
        snprintf(text, sizeof text, "%d %s %.*s", (int)evhttp_request_get_command(request),
                 field ? field : "-", (int)len, (char *)evbuffer_pullup(in, -1));
        evhttp_add_header(out, "Content-Type", "text/x-echo");
        send_text(request, 200, text);
    } else {
        send_text(request, status, "now");
    }
}

/* --- asking -------------------------------------------------------------------------------- */

struct asked {
    unsigned n_done;
    int status;
    char problem[256];
    char type[64];
    char body[128];
};

static void on_answer(const struct http_answer *answer, void *arg)
{
    struct asked *asked = arg;
    asked->n_done++;
    asked->status = answer->status;
    snprintf(asked->problem, sizeof asked->problem, "%s", answer->problem ? answer->problem : "");
    snprintf(asked->type, sizeof asked->type, "%s", answer->type);
    snprintf(asked->body, sizeof asked->body, "%.*s", (int)answer->body.len,
             (const char *)answer->body.data);
}

static struct http_question question(const char *method, const char *path, char url[128])
{
    snprintf(url, 128, "%s%s", strchr(path, ':') ? "" : root, path);
    return (struct http_question){
        .method = method, .url = url, .timeout_ms = 2000, .max_bytes = 65536, .redirects = 3};
}

static void turn_until(const struct asked *asked)
{
    time_t end = time(NULL) + 10;
    while (!asked->n_done && time(NULL) < end)
        event_base_loop(base, EVLOOP_ONCE);
    assert_int_equal(asked->n_done, 1);
}

static struct http_waiter *ask(struct http_cache *cache, const char *path, int64_t ttl,
                               int64_t stale, struct asked *asked)
{
    char url[128];
    struct http_question q = question("GET", path, url);
    struct http_cache_rules rules = {.ttl_ms = ttl, .stale_ms = stale};
    if (ttl >= 0)
        rules.key = (struct bytes){(const uint8_t *)url, strlen(url)};
    *asked = (struct asked){.n_done = 0};
    struct http_waiter *waiter = http_cache_ask(cache, &q, &rules, on_answer, asked);
    assert_non_null(waiter);
    assert_int_equal(asked->n_done, 0);
    memset(url, 'x', sizeof url);
    return waiter;
}

static void pause_ms(long ms)
{
    struct timeval after = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
    event_base_loopexit(base, &after);
    event_base_dispatch(base);
}

static void test_answers(void **state)
{
    static struct metrics counted;
    struct http_client *client = http_client_open(base);
    struct asked asked = {.n_done = 0};
    char url[128];
    (void)state;
    http_client_measure(client, &counted);
    static const char *const headers[] = {"X-Test: yes", NULL};
    struct http_question q = question("POST", "/echo", url);
    q.headers = headers;
    q.body = (struct bytes){(const uint8_t *)"text", 4};
    q.has_body = true;
    assert_non_null(http_client_ask(client, &q, on_answer, &asked));
    turn_until(&asked);
    assert_int_equal(asked.status, 200);
    assert_string_equal(asked.body, "2 yes text");
    assert_string_equal(asked.type, "text/x-echo");
    static const struct {
        const char *method, *path;
        int status;
        const char *says;
    } cases[] = {
        {"GET", "/now", 200, "now"},
        {"GET", "/redirect", 200, "now"},
        {"DELETE", "/echo", 200, "16 - "},
        {"HEAD", "/now", 200, ""},
        {"GET", "/loop", 0, "redirects"},
        {"GET", "/file", 0, "file"},
        {"GET", "/big", 0, "too large"},
        {"GET", "http://127.0.0.1:1/", 0, "onnect"},
        {"GET", "http://nowhere.invalid/", 0, "resolve"},
        {"GET", "ftp://127.0.0.1/", 0, "ftp"},
        {"GET", "no URL: at all", 0, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        asked = (struct asked){.n_done = 0};
        q = question(cases[i].method, cases[i].path, url);
        if (!http_client_ask(client, &q, on_answer, &asked)) {
            assert_int_equal(cases[i].status, 0);
            continue;
        }
        turn_until(&asked);
        assert_int_equal(asked.status, cases[i].status);
        const char *found = asked.status ? asked.body : asked.problem;
        if (!strstr(found, cases[i].says))
            fail_msg("%s: \"%s\" is not in: %s", cases[i].path, cases[i].says, found);
    }
    asked = (struct asked){.n_done = 0};
    q = question("GET", "/late", url);
    q.timeout_ms = 30;
    assert_non_null(http_client_ask(client, &q, on_answer, &asked));
    turn_until(&asked);
    assert_int_equal(asked.status, 0);
    assert_non_null(strstr(asked.problem, "timed out"));
    assert_string_equal(counted.hosts[0].name, strstr(root, "://") + 3);
    assert_int_equal(counted.hosts[0].outcomes[METRICS_OUTCOME_OK], 5);
    assert_int_equal(counted.hosts[0].outcomes[METRICS_OUTCOME_FAILED], 3);
    assert_int_equal(counted.hosts[0].outcomes[METRICS_OUTCOME_TIMEOUT], 1);
    assert_string_equal(counted.hosts[1].name, "127.0.0.1:1");
    assert_string_equal(counted.hosts[2].name, "nowhere.invalid");
    for (int i = 0; i < 100; i++) {
        char name[32];
        snprintf(name, sizeof name, "host%d.lab", i);
        metrics_asked(&counted, name, METRICS_OUTCOME_BROKEN, 1);
    }
    metrics_asked(&counted, "a\"b", METRICS_OUTCOME_BROKEN, 1);
    assert_string_equal(counted.hosts[METRICS_HOSTS - 1].name, "other");
    /* What is cancelled, or closed, tells nothing. */
    asked = (struct asked){.n_done = 0};
    q = question("GET", "/late", url);
    struct http_client_transfer *gone = http_client_ask(client, &q, on_answer, &asked);
    assert_non_null(http_client_ask(client, &q, on_answer, &asked));
    pause_ms(20);
    http_client_cancel(gone);
    http_client_close(client);
    pause_ms(150);
    assert_int_equal(asked.n_done, 0);
}

/* One request for all who want the same, and its answer for a while. */
static void test_shared(void **state)
{
    enum { N = 400 };
    struct http_cache *cache = http_cache_open(base);
    static struct asked asked[N];
    (void)state;
    status = 200;
    unsigned before = n_requests;
    for (int i = 0; i < N; i++)
        ask(cache, "/late", 200, 0, &asked[i]);
    for (int i = 0; i < N; i++) {
        turn_until(&asked[i]);
        assert_string_equal(asked[i].body, "late");
    }
    assert_int_equal(n_requests, before + 1);
    ask(cache, "/late", 200, 0, &asked[0]);
    turn_until(&asked[0]);
    assert_int_equal(n_requests, before + 1);
    pause_ms(220);
    ask(cache, "/late", 200, 0, &asked[0]);
    turn_until(&asked[0]);
    assert_int_equal(n_requests, before + 2);
    /* Without a key each asks for itself. */
    ask(cache, "/now", -1, 0, &asked[0]);
    ask(cache, "/now", -1, 0, &asked[1]);
    turn_until(&asked[0]);
    turn_until(&asked[1]);
    assert_int_equal(n_requests, before + 4);
    http_cache_close(cache);
}

/* Who leaves: a request of his own ends, a shared one goes on. */
static void test_leaving(void **state)
{
    struct http_cache *cache = http_cache_open(base);
    struct asked own, shared, again;
    (void)state;
    status = 200;
    unsigned before = n_requests;
    struct http_waiter *first = ask(cache, "/late", -1, 0, &own);
    struct http_waiter *second = ask(cache, "/late", 5000, 0, &shared);
    pause_ms(20);
    http_cache_leave(first);
    http_cache_leave(second);
    pause_ms(150);
    assert_int_equal(own.n_done + shared.n_done, 0);
    assert_int_equal(n_requests, before + 2);
    ask(cache, "/late", 5000, 0, &again);
    turn_until(&again);
    assert_int_equal(n_requests, before + 2);
    first = ask(cache, "/late", 5000, 0, &again); /* ready, and left before it is told */
    http_cache_leave(first);
    pause_ms(20);
    assert_int_equal(again.n_done, 0);
    http_cache_leave(ask(cache, "/late", 0, 0, &again)); /* the cache is closed meanwhile */
    http_cache_close(cache);
}

/* A server that fails: what it said before will do, for a while. */
static void test_stale(void **state)
{
    struct http_cache *cache = http_cache_open(base);
    struct asked asked;
    (void)state;
    status = 503;
    ask(cache, "/now", 1, 60000, &asked);
    turn_until(&asked);
    assert_int_equal(asked.status, 503); /* nothing is known yet */
    status = 200;
    struct http_waiter *waiter = ask(cache, "/now", 1, 60000, &asked);
    assert_null(http_cache_stale(waiter));
    turn_until(&asked);
    assert_int_equal(asked.status, 200);
    pause_ms(5);
    status = 503;
    waiter = ask(cache, "/now", 1, 60000, &asked);
    assert_int_equal(http_cache_stale(waiter)->status, 200);
    turn_until(&asked);
    assert_int_equal(asked.status, 200);
    ask(cache, "/now", 1, 0, &asked);
    turn_until(&asked);
    assert_int_equal(asked.status, 503);
    status = 404; /* is an answer */
    ask(cache, "/now", 1, 60000, &asked);
    turn_until(&asked);
    assert_int_equal(asked.status, 404);
    status = 200;
    http_cache_close(cache);
}

/* More than is kept: the oldest go. */
static void test_bounds(void **state)
{
    struct http_cache *cache = http_cache_open(base);
    struct asked asked;
    char path[32];
    (void)state;
    for (int i = 0; i < HTTP_CACHE_ENTRIES + 10; i++) {
        snprintf(path, sizeof path, "/now?%d", i);
        ask(cache, path, 60000, 0, &asked);
        turn_until(&asked);
    }
    unsigned before = n_requests;
    ask(cache, path, 60000, 0, &asked);
    turn_until(&asked);
    assert_int_equal(n_requests, before);
    ask(cache, "/now?0", 60000, 0, &asked);
    turn_until(&asked);
    assert_int_equal(n_requests, before + 1);
    http_cache_close(cache);
}

static int set_up(void **state)
{
    struct sockaddr_storage at;
    socklen_t len = sizeof at;
    (void)state;
    base = event_base_new();
    server = evhttp_new(base);
    evhttp_set_gencb(server, on_request, NULL);
    evhttp_set_allowed_methods(server, EVHTTP_REQ_GET | EVHTTP_REQ_POST | EVHTTP_REQ_HEAD |
                                           EVHTTP_REQ_DELETE);
    bound = evhttp_bind_socket_with_handle(server, "127.0.0.1", 0);
    if (!bound || getsockname(evhttp_bound_socket_get_fd(bound), (struct sockaddr *)&at, &len) < 0)
        return -1;
    snprintf(root, sizeof root, "http://127.0.0.1:%u",
             ntohs(((struct sockaddr_in *)&at)->sin_port));
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
        cmocka_unit_test(test_answers), cmocka_unit_test(test_shared),
        cmocka_unit_test(test_leaving), cmocka_unit_test(test_stale),
        cmocka_unit_test(test_bounds),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
