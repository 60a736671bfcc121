/* How other servers are reached: connections that are kept, and are not too many; proxies, UNIX
 * sockets; and what a redirection is not told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "http_client.h"

static struct event_base *base;
static struct evhttp *server, *other; /* by two addresses */
static char root[64], far[64], path[64];

/* What the server has seen. */
static struct {
    unsigned requests, connections, open, most_open;
    char uri[128], authorization[64];
} seen;

static struct evhttp_connection *known[1024];

static struct evhttp_connection **place_of(const struct evhttp_connection *connection)
{
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (known[i] == connection)
            return &known[i];
    }
    return NULL;
}

static void on_closed(struct evhttp_connection *connection, void *arg)
{
    (void)arg;
    seen.open--;
    *place_of(connection) = NULL;
}

struct late {
    struct evhttp_request *request;
    struct event *timer;
};

static void on_late(evutil_socket_t fd, short what, void *arg)
{
    struct late *late = arg;
    (void)fd;
    (void)what;
    evhttp_send_reply(late->request, 200, "OK", NULL);
    event_free(late->timer);
    free(late);
}

static void on_request(struct evhttp_request *request, void *arg)
{
    struct evkeyvalq *out = evhttp_request_get_output_headers(request);
    const char *who =
        evhttp_find_header(evhttp_request_get_input_headers(request), "Authorization");
    struct evhttp_connection *connection = evhttp_request_get_connection(request);
    const char *uri = evhttp_request_get_uri(request);
    (void)arg;
    seen.requests++;
    if (!place_of(connection)) {
        *place_of(NULL) = connection;
        seen.connections++;
        if (++seen.open > seen.most_open)
            seen.most_open = seen.open;
        evhttp_connection_set_closecb(connection, on_closed, NULL);
    }
    snprintf(seen.uri, sizeof seen.uri, "%s", uri);
    snprintf(seen.authorization, sizeof seen.authorization, "%s", who ? who : "-");
    if (!strcmp(uri, "/away")) {
        evhttp_add_header(out, "Location", far);
        evhttp_send_reply(request, 302, "Found", NULL);
    } else if (!strcmp(uri, "/here")) {
        evhttp_add_header(out, "Location", "/now");
        evhttp_send_reply(request, 302, "Found", NULL);
    } else if (!strcmp(uri, "/late")) {
        struct late *late = malloc(sizeof *late);
        struct timeval after = {.tv_usec = 20000};
        late->request = request;
        late->timer = evtimer_new(base, on_late, late);
        evtimer_add(late->timer, &after);
    } else {
        evhttp_send_reply(request, 200, "OK", NULL);
    }
}

static unsigned n_done, n_good;

static void on_answer(const struct http_answer *answer, void *arg)
{
    (void)arg;
    n_done++;
    n_good += answer->status == 200;
}

static void ask_all(struct http_client *client, const struct http_question *question, unsigned n)
{
    time_t end = time(NULL) + 20;
    n_done = n_good = 0;
    for (unsigned i = 0; i < n; i++)
        assert_non_null(http_client_ask(client, question, on_answer, NULL));
    while (n_done < n && time(NULL) < end)
        event_base_loop(base, EVLOOP_ONCE);
    assert_int_equal(n_good, n);
}

static struct http_question question(const char *url)
{
    return (struct http_question){
        .method = "GET", .url = url, .timeout_ms = 10000, .max_bytes = 65536, .redirects = 3};
}

static void test_connections_are_kept(void **state)
{
    struct http_client *client = http_client_open(base);
    struct http_question q = question(root);
    unsigned before = seen.connections;
    (void)state;
    for (int i = 0; i < 20; i++)
        ask_all(client, &q, 1);
    assert_int_equal(seen.connections, before + 1);
    http_client_close(client);
}

/* Many at once share so many connections, and none is refused. */
static void test_connections_are_bounded(void **state)
{
    struct http_client *client = http_client_open(base);
    char url[128];
    (void)state;
    snprintf(url, sizeof url, "%s/late", root);
    struct http_question q = question(url);
    unsigned before = seen.requests;
    seen.most_open = seen.open;
    ask_all(client, &q, 400);
    assert_int_equal(seen.requests, before + 400);
    assert_in_range(seen.most_open, 2, 66);
    http_client_close(client);
}

static void test_proxy(void **state)
{
    struct http_client *client = http_client_open(base);
    struct http_question q = question("http://nowhere.invalid/a");
    (void)state;
    setenv("http_proxy", "http://127.0.0.1:1", 1); /* says nothing here */
    q.proxy = root;
    ask_all(client, &q, 1);
    assert_string_equal(seen.uri, "http://nowhere.invalid/a");
    struct http_question direct = question(root);
    ask_all(client, &direct, 1);
    assert_string_equal(seen.uri, "/");
    unsetenv("http_proxy");
    http_client_close(client);
}

static void test_unix_socket(void **state)
{
    struct http_client *client = http_client_open(base);
    struct http_question q = question("http://cmdb.lab/hosts");
    (void)state;
    q.unix_socket = path;
    ask_all(client, &q, 1);
    assert_string_equal(seen.uri, "/hosts");
    http_client_close(client);
}

/* Who we are is for who was asked, not for whom he names. */
static void test_redirection(void **state)
{
    static const char *const headers[] = {"Authorization: Token secret", NULL};
    struct http_client *client = http_client_open(base);
    char url[128];
    (void)state;
    snprintf(url, sizeof url, "%s/here", root);
    struct http_question q = question(url);
    q.headers = headers;
    ask_all(client, &q, 1);
    assert_string_equal(seen.uri, "/now");
    assert_string_equal(seen.authorization, "Token secret");
    snprintf(url, sizeof url, "%s/away", root);
    ask_all(client, &q, 1);
    assert_string_equal(seen.uri, "/far");
    assert_string_equal(seen.authorization, "-");
    http_client_close(client);
}

/* --- servers -------------------------------------------------------------------------------- */

static struct evhttp *serve(const char *address, char *out, size_t size, const char *suffix)
{
    struct sockaddr_in at;
    socklen_t len = sizeof at;
    struct evhttp *http = evhttp_new(base);
    struct evhttp_bound_socket *bound = evhttp_bind_socket_with_handle(http, address, 0);
    if (!bound || getsockname(evhttp_bound_socket_get_fd(bound), (struct sockaddr *)&at, &len) < 0)
        return NULL;
    evhttp_set_gencb(http, on_request, NULL);
    snprintf(out, size, "http://%s:%u%s", address, ntohs(at.sin_port), suffix);
    return http;
}

static int set_up(void **state)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    (void)state;
    base = event_base_new();
    server = serve("127.0.0.1", root, sizeof root, "");
    other = serve("127.0.0.2", far, sizeof far, "/far");
    snprintf(path, sizeof path, "/tmp/moonboot-ways-%d.sock", (int)getpid());
    snprintf(at.sun_path, sizeof at.sun_path, "%s", path);
    struct evconnlistener *listener = evconnlistener_new_bind(
        base, NULL, NULL, LEV_OPT_CLOSE_ON_FREE, 16, (struct sockaddr *)&at, sizeof at);
    return server && other && listener && evhttp_bind_listener(server, listener) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    evhttp_free(server);
    evhttp_free(other);
    event_base_free(base);
    unlink(path);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_connections_are_kept),
        cmocka_unit_test(test_connections_are_bounded),
        cmocka_unit_test(test_proxy),
        cmocka_unit_test(test_unix_socket),
        cmocka_unit_test(test_redirection),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
