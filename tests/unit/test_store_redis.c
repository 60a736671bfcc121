/* Redis that is late: who asked is told in time, and the connection is kept while it lives. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <hiredis/hiredis.h>
#include <string.h>
#include <unistd.h>

#include "store_redis.h"

#define TIMEOUT_MS 1000

static const char opened_reply[] = "*2\r\n$1\r\ns\r\n$1\r\n1\r\n";
static const char got_reply[] = "*2\r\n$4\r\ntext\r\n$1\r\n1\r\n";

/* A server in this process, which answers when it is told to. */
static struct {
    struct event_base *base;
    struct evconnlistener *listener;
    struct bufferevent *peer;
    redisReader *reader;
    unsigned connections, commands, answered;
    bool at_once; /* it answers commands as they come */
} server;

static struct {
    bool done;
    int64_t result;
    struct store_ask *ask;
} answers[2];

static struct store *store;

static void answer(void)
{
    const char *reply = server.answered++ ? got_reply : opened_reply;
    bufferevent_write(server.peer, reply, strlen(reply));
}

static void on_commands(struct bufferevent *peer, void *arg)
{
    (void)arg;
    char piece[4096];
    size_t len;
    while ((len = bufferevent_read(peer, piece, sizeof piece)) > 0)
        assert_int_equal(redisReaderFeed(server.reader, piece, len), REDIS_OK);
    void *command = NULL;
    while (redisReaderGetReply(server.reader, &command) == REDIS_OK && command) {
        freeReplyObject(command);
        server.commands++;
        if (server.at_once)
            answer();
    }
}

static void on_connection(struct evconnlistener *listener, evutil_socket_t fd,
                          struct sockaddr *address, int len, void *arg)
{
    (void)listener;
    (void)address;
    (void)len;
    (void)arg;
    if (server.connections++) { /* there is to be one alone */
        close(fd);
        return;
    }
    server.peer = bufferevent_socket_new(server.base, fd, BEV_OPT_CLOSE_ON_FREE);
    bufferevent_setcb(server.peer, on_commands, NULL, NULL, NULL);
    bufferevent_enable(server.peer, EV_READ | EV_WRITE);
}

static int begin(void **state)
{
    (void)state;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    memset(&server, 0, sizeof server);
    memset(answers, 0, sizeof answers);
    server.base = event_base_new();
    server.reader = redisReaderCreate();
    server.listener =
        evconnlistener_new_bind(server.base, on_connection, NULL, LEV_OPT_CLOSE_ON_FREE, -1,
                                (struct sockaddr *)&address, sizeof address);
    assert_non_null(server.listener);
    getsockname(evconnlistener_get_fd(server.listener), (struct sockaddr *)&address, &len);
    const struct store_redis_options options = {
        .link = {.host = "127.0.0.1", .port = ntohs(address.sin_port), .timeout_ms = TIMEOUT_MS},
        .prefix = "p:",
        .create = true};
    store = store_redis_open(server.base, &options);
    assert_non_null(store);
    return 0;
}

static int end(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        if (answers[i].ask)
            store_end(answers[i].ask);
    }
    store_close(store);
    if (server.peer)
        bufferevent_free(server.peer);
    evconnlistener_free(server.listener);
    redisReaderFree(server.reader);
    event_base_free(server.base);
    return 0;
}

static void on_done(void *arg)
{
    size_t i = (size_t)(uintptr_t)arg;
    answers[i].done = true;
    answers[i].result = store_answer(answers[i].ask)->result;
}

static void ask(size_t i)
{
    const struct store_request get = {.verb = STORE_GET, .key = {(const uint8_t *)"k", 1}};
    answers[i].ask = store_ask(store, &get, on_done, (void *)(uintptr_t)i);
    assert_non_null(answers[i].ask);
}

static void run(int ms)
{
    struct timeval after = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
    event_base_loopexit(server.base, &after);
    event_base_dispatch(server.base);
}

static void run_until_answered(size_t i)
{
    for (int turns = 0; !answers[i].done && turns < 500; turns++)
        run(10);
    assert_true(answers[i].done);
}

static void run_until_asked(unsigned commands)
{
    for (int turns = 0; server.commands < commands && turns < 500; turns++)
        run(10);
    assert_int_equal(server.commands, commands);
}

static void open_store(void)
{
    run_until_asked(1);
    answer();
    for (int turns = 0; store_trouble(store) != 0 && turns < 500; turns++)
        run(10);
    assert_int_equal(store_trouble(store), 0);
}

static void test_one_that_is_late_is_given_up_alone(void **state)
{
    (void)state;
    ask(0);
    run(TIMEOUT_MS / 2);
    open_store(); /* late: half of the first one's time is left */
    run_until_asked(2);
    ask(1);
    run_until_answered(0);
    assert_int_equal(answers[0].result, -ETIMEDOUT);
    assert_false(answers[1].done);
    run_until_asked(3);
    answer();
    answer();
    run_until_answered(1);
    assert_int_equal(answers[1].result, 0);
    assert_int_equal(server.connections, 1);
    assert_int_equal(store_trouble(store), 0);
}

static void test_an_event_loop_that_stood_still_reads_first(void **state)
{
    (void)state;
    open_store();
    server.at_once = true;
    ask(0);
    usleep((TIMEOUT_MS + 200) * 1000);
    run_until_answered(0);
    assert_int_equal(answers[0].result, 0);
    assert_int_equal(server.connections, 1);
}

static void test_one_that_says_nothing_is_left(void **state)
{
    (void)state;
    open_store();
    ask(0);
    run_until_asked(2);
    run(TIMEOUT_MS / 2);
    ask(1); /* which does not give the connection more time */
    run_until_answered(0);
    assert_int_equal(answers[0].result, -ETIMEDOUT);
    run(TIMEOUT_MS / 4);
    assert_true(answers[1].done); /* before its time is up */
    assert_int_equal(answers[1].result, -ETIMEDOUT);
    assert_int_not_equal(store_trouble(store), 0);
}

static void nobody_listens(void *arg)
{
    (void)arg;
}

/* Requests that are wrong from the start are answered at once: they are no sign of an event loop
 * that stood still, however many there are. */
static void pester(evutil_socket_t fd, short what, void *arg)
{
    const struct store_request wrong = {.verb = STORE_GET, .key = {(const uint8_t *)"", 0}};
    (void)fd;
    (void)what;
    (void)arg;
    struct store_ask *asked = store_ask(store, &wrong, nobody_listens, NULL);
    assert_non_null(asked);
    store_end(asked);
}

static void test_wrong_requests_keep_nobody_waiting(void **state)
{
    struct timeval often = {.tv_usec = 17000};
    (void)state;
    open_store();
    struct event *pest = event_new(server.base, -1, EV_PERSIST, pester, NULL);
    event_add(pest, &often);
    ask(0);
    run_until_answered(0);
    assert_int_equal(answers[0].result, -ETIMEDOUT);
    event_free(pest);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_one_that_is_late_is_given_up_alone, begin, end),
        cmocka_unit_test_setup_teardown(test_an_event_loop_that_stood_still_reads_first, begin,
                                        end),
        cmocka_unit_test_setup_teardown(test_one_that_says_nothing_is_left, begin, end),
        cmocka_unit_test_setup_teardown(test_wrong_requests_keep_nobody_waiting, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
