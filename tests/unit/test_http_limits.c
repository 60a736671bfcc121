/* The server against clients that are slow, many, greedy or gone; and its end. */
#include "http_peer.h"

#include <time.h>

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void pause_ms(long ms)
{
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    nanosleep(&t, NULL);
}

/* Waits for a counter, which may rise after the client has seen the effect. */
static void await_count(const struct peer *peer, enum metrics_counter counter, uint64_t n)
{
    for (int i = 0; i < 300 && peer_count(peer, counter) < n; i++)
        pause_ms(10);
    assert_int_equal(peer_count(peer, counter), n);
}

/* A byte each 50 ms: the deadline is for the head as a whole, and for the body. */
static void test_slow_requests(void **state)
{
    static const char *const starts[] = {
        "", "\r\n\r\n\r\n\r\n", "GET /healthz HTTP/1.1\r\n" LOCAL "X: ",
        "POST / HTTP/1.1\r\n" LOCAL "Content-Length: 10000\r\n\r\n"};
    struct peer peer = peer_start((struct peer_options){.header_seconds = 1});
    (void)state;
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++) {
        struct client *client = client_open(&peer);
        double start = now();
        char byte;
        client_say(client, starts[i]);
        for (;;) {
            if (i > 0)
                client_send(client, "a", 1);
            ssize_t n = recv(client->fd, &byte, 1, MSG_DONTWAIT);
            if (n == 0 || (n < 0 && errno != EAGAIN))
                break;
            assert_int_equal(n, -1);
            assert_true(now() - start < 3);
            pause_ms(50);
        }
        assert_true(now() - start > 0.8);
        client_close(client);
    }
    await_count(&peer, METRICS_HTTP_TIMED_OUT, 4);
    peer_stop(&peer);
}

static void test_idle_connections(void **state)
{
    struct peer peer = peer_start((struct peer_options){.idle_seconds = 1});
    struct client *client = client_open(&peer);
    (void)state;
    client_expect(client, 200, "GET /healthz HTTP/1.1\r\n" LOCAL "\r\n");
    pause_ms(700);
    client_expect(client, 200, "GET /late HTTP/1.1\r\n" LOCAL "\r\n"); /* starts anew */
    pause_ms(700);
    client_expect(client, 200, "GET /healthz HTTP/1.1\r\n" LOCAL "\r\n");
    double start = now();
    assert_true(client_at_end(client));
    assert_true(now() - start > 0.8 && now() - start < 3);
    client_close(client);
    await_count(&peer, METRICS_HTTP_TIMED_OUT, 1);
    peer_stop(&peer);
}

/* Who does not read is dropped; who reads slowly is not, even where it takes seconds until the
 * kernel has room for more. */
static void test_stalled_reading(void **state)
{
    struct peer peer = peer_start((struct peer_options){.stall_seconds = 1});
    int small = 65536;
    char block[65536];
    uint64_t got = 0;
    (void)state;
    close(peer_file(&peer, "file", 64 << 20));
    struct client *slow = client_open(&peer);
    struct client *stalled = client_open(&peer);
    struct client *slowest = client_open(&peer);
    setsockopt(slowest->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    client_say(slowest, "GET /assets/file HTTP/1.1\r\n" LOCAL "\r\n");
    client_say(stalled, "GET /assets/file HTTP/1.1\r\n" LOCAL "\r\n");
    client_say(slow, "GET /assets/file HTTP/1.1\r\n" LOCAL "\r\n");
    for (int i = 0; i < 30; i++) {
        for (int j = 0; j < 20; j++) {
            ssize_t n = recv(slow->fd, block, sizeof block, 0);
            assert_true(n > 0);
            got += (uint64_t)n;
        }
        for (int j = 0; j < 5; j++)
            assert_true(recv(slowest->fd, block, 8192, 0) > 0);
        pause_ms(100);
    }
    await_count(&peer, METRICS_HTTP_TIMED_OUT, 1);
    for (ssize_t n; (n = recv(slow->fd, block, sizeof block, 0)) > 0; got += (uint64_t)n) {
        if (got + (uint64_t)n > (64 << 20))
            break; /* and the rest: keep-alive */
    }
    assert_true(got >= (64 << 20) - sizeof block);
    client_close(slow);
    client_close(slowest);
    client_close(stalled);
    peer_stop(&peer);
}

/* Requests for 4 GB of answers, none of which is read: neither is held in memory. */
static void test_answers_nobody_reads(void **state)
{
    static const char request[] = "GET /big HTTP/1.1\r\n" LOCAL "\r\n";
    struct peer peer = peer_start((struct peer_options){0});
    struct client *client = client_open(&peer);
    (void)state;
    client_expect(client, 200, "GET /big HTTP/1.1\r\n" LOCAL "\r\n");
    long before = peer_memory_kb(&peer);
    int quiet = 0;
    for (int i = 0; i < 100000 && quiet < 20; i++) {
        if (send(client->fd, request, sizeof request - 1, MSG_DONTWAIT | MSG_NOSIGNAL) > 0) {
            quiet = 0;
        } else {
            quiet++;
            pause_ms(10);
        }
    }
    assert_true(peer_memory_kb(&peer) - before < 16000);
    client_close(client);
    client = client_open(&peer);
    client_expect(client, 200, "GET /healthz HTTP/1.1\r\n" LOCAL "\r\n");
    client_close(client);
    peer_stop(&peer);
}

static void test_many_requests_leave_nothing(void **state)
{
    static const char *const requests[] = {
        "GET /healthz HTTP/1.1\r\n" LOCAL "\r\n", "GET /assets/small HTTP/1.1\r\n" LOCAL "\r\n",
        "GET /assets/large HTTP/1.1\r\n" LOCAL "\r\n", "GET /error/0 HTTP/1.1\r\n" LOCAL "\r\n",
        "POST /e HTTP/1.1\r\n" LOCAL "Content-Length: 3\r\n\r\nabc"};
    struct peer peer = peer_start((struct peer_options){.descriptors = 20});
    struct client *client = client_open(&peer);
    long before = 0;
    (void)state;
    close(peer_file(&peer, "small", 100));
    close(peer_file(&peer, "large", 20000));
    for (int i = 0; i < 5000; i++) {
        if (i == 1000)
            before = peer_memory_kb(&peer);
        client_expect(client, i % 5 == 3 ? 404 : 200, requests[i % 5]);
    }
    /* a sanitizer keeps freed memory for a while */
    assert_true(peer_memory_kb(&peer) - before < 100000);
    client_close(client);
    assert_int_equal(peer_count(&peer, METRICS_HTTP_2XX), 4000);
    assert_int_equal(peer_count(&peer, METRICS_HTTP_4XX), 1000);
    assert_int_equal(peer_count(&peer, METRICS_HTTP_CONNECTIONS), 1);
    peer_stop(&peer);
}

static void test_a_file_that_shrinks(void **state)
{
    struct peer peer = peer_start((struct peer_options){0});
    struct client *client = client_open(&peer);
    char block[65536];
    uint64_t got = 0;
    ssize_t n;
    (void)state;
    int fd = peer_file(&peer, "file", 256 << 20);
    client_say(client, "GET /assets/file HTTP/1.1\r\n" LOCAL "\r\n");
    assert_true(recv(client->fd, block, 1, 0) == 1);
    assert_return_code(ftruncate(fd, 1000), errno);
    double start = now();
    while ((n = recv(client->fd, block, sizeof block, 0)) > 0)
        got += (uint64_t)n;
    assert_true(n == 0 || errno != EAGAIN);
    assert_true(got < (256 << 20) && now() - start < 5);
    close(fd);
    client_close(client);
    client = client_open(&peer);
    client_expect(client, 200, "GET /healthz HTTP/1.1\r\n" LOCAL "\r\n");
    client_close(client);
    peer_stop(&peer);
}

/* Gone while the policy decides, while a file is sent, in a head: nobody else notices. */
static void test_clients_that_are_gone(void **state)
{
    static const char *const requests[] = {
        "GET /late HTTP/1.1\r\n" LOCAL "\r\n", "GET /assets/file HTTP/1.1\r\n" LOCAL "\r\n",
        "GET /big HTTP/1.1\r\n" LOCAL "\r\nGET /big HTTP/1.1\r\n" LOCAL "\r\n", "GET / HT"};
    struct peer peer = peer_start((struct peer_options){0});
    struct linger reset = {1, 0};
    (void)state;
    close(peer_file(&peer, "file", 64 << 20));
    for (int i = 0; i < 40; i++) {
        struct client *client = client_open(&peer);
        client_say(client, requests[i % 4]);
        pause_ms(i % 3 * 5);
        if (i % 2)
            setsockopt(client->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        client_close(client);
    }
    pause_ms(2 * LATE_MS);
    struct client *client = client_open(&peer);
    client_expect(client, 200, "GET /late HTTP/1.1\r\n" LOCAL "\r\n");
    client_close(client);
    peer_stop(&peer);
}

static void test_too_many_connections(void **state)
{
    struct peer peer = peer_start((struct peer_options){.max_connections = 2});
    struct client *first = client_open(&peer);
    struct client *second = client_open(&peer);
    (void)state;
    client_expect(first, 200, "GET /healthz HTTP/1.1\r\n" LOCAL "\r\n");
    client_expect(second, 200, "GET /healthz HTTP/1.1\r\n" LOCAL "\r\n");
    struct client *third = client_open(&peer);
    struct answer a = client_answer(third, false);
    assert_int_equal(a.status, 503);
    assert_true(a.whole);
    assert_string_equal(answer_field(&a, "Retry-After"), "5");
    assert_string_equal(answer_field(&a, "Connection"), "close");
    assert_true(answer_field(&a, "Date")[0]);
    answer_free(&a);
    assert_true(client_at_end(third));
    client_close(third);
    client_close(first);
    pause_ms(100);
    third = client_open(&peer);
    client_expect(third, 200, "GET /healthz HTTP/1.1\r\n" LOCAL "\r\n");
    client_close(third);
    client_close(second);
    assert_int_equal(peer_count(&peer, METRICS_HTTP_REFUSED), 1);
    assert_int_equal(peer_count(&peer, METRICS_HTTP_CONNECTIONS), 3);
    peer_stop(&peer);
}

/* With no descriptor left the server closes what it accepts, and does not spin. */
static void test_no_descriptors(void **state)
{
    enum { MORE = 40 };
    struct client *clients[MORE];
    struct peer peer = peer_start((struct peer_options){.descriptors = 8});
    int open = 0;
    (void)state;
    close(peer_file(&peer, "file", 100));
    for (int i = 0; i < MORE; i++)
        clients[i] = client_open(&peer);
    pause_ms(200);
    for (int i = 0; i < MORE; i++) {
        char byte;
        open += recv(clients[i]->fd, &byte, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN;
    }
    assert_in_range(open, 6, 8);
    assert_int_equal(peer_count(&peer, METRICS_HTTP_REFUSED), MORE - open);
    long ticks = peer_ticks(&peer);
    pause_ms(500);
    assert_true(peer_ticks(&peer) - ticks < 10);
    /* no descriptor for a file either */
    client_expect(clients[0], 503, "GET /assets/file HTTP/1.1\r\n" LOCAL "\r\n");
    client_expect(clients[0], 200, "GET /healthz HTTP/1.1\r\n" LOCAL "\r\n");
    for (int i = 1; i < MORE; i++)
        client_close(clients[i]);
    pause_ms(100);
    client_expect(clients[0], 200, "GET /assets/file HTTP/1.1\r\n" LOCAL "\r\n");
    client_close(clients[0]);
    peer_stop(&peer);
}

static void test_drain(void **state)
{
    struct peer peer = peer_start((struct peer_options){0});
    struct client *idle = client_open(&peer);
    struct client *deciding = client_open(&peer);
    struct client *partial = client_open(&peer);
    struct client *sending = client_open(&peer);
    (void)state;
    close(peer_file(&peer, "file", 64 << 20));
    client_expect(idle, 200, "GET /healthz HTTP/1.1\r\n" LOCAL "\r\n");
    client_say(deciding, "GET /late HTTP/1.1\r\n" LOCAL "\r\n");
    client_say(partial, "GET /readyz HTTP/1.1\r\n");
    client_say(sending, "GET /assets/file HTTP/1.1\r\n" LOCAL "\r\n");
    pause_ms(50);
    struct client *fresh = client_open(&peer);
    pause_ms(50);
    peer_tell(&peer);
    assert_true(client_at_end(idle));
    struct answer a = client_answer(deciding, false);
    assert_int_equal(a.status, 200);
    assert_string_equal(answer_field(&a, "Connection"), "close");
    answer_free(&a);
    assert_true(client_at_end(deciding));
    a = client_ask(partial, 503, LOCAL "\r\n");
    assert_string_equal(a.body, "draining: generation 7\n");
    answer_free(&a);
    assert_true(client_at_end(partial));
    a = client_ask(fresh, 200, "GET /healthz HTTP/1.1\r\n" LOCAL "\r\n");
    assert_string_equal(answer_field(&a, "Connection"), "close");
    answer_free(&a);
    a = client_answer(sending, false);
    assert_int_equal(a.status, 200);
    assert_true(a.whole);
    answer_free(&a);
    assert_true(client_at_end(sending));
    client_close(idle);
    client_close(deciding);
    client_close(partial);
    client_close(fresh);
    client_close(sending);
    peer_stop(&peer);
}

/* One that never asks does not keep a draining server for long. */
static void test_drain_of_the_silent(void **state)
{
    struct peer peer = peer_start((struct peer_options){0});
    struct client *silent = client_open(&peer);
    (void)state;
    pause_ms(50);
    double start = now();
    peer_tell(&peer);
    assert_true(client_at_end(silent));
    assert_true(now() - start < 4);
    client_close(silent);
    peer_stop(&peer);
}

/* The policy answers after the server is gone. */
static void test_close_while_deciding(void **state)
{
    struct peer peer = peer_start((struct peer_options){.close_on_term = true});
    struct client *client = client_open(&peer);
    (void)state;
    client_say(client, "GET /late HTTP/1.1\r\n" LOCAL "\r\n");
    pause_ms(50);
    peer_tell(&peer);
    assert_true(client_at_end(client));
    client_close(client);
    peer_stop(&peer);
}

/* Who goes away, or is sent away, ends what the policy waits for. */
static void test_gone_while_waiting(void **state)
{
    struct peer peer = peer_start((struct peer_options){.close_on_term = true});
    struct client *gone = client_open(&peer), *other = client_open(&peer);
    struct linger reset = {.l_onoff = 1};
    (void)state;
    client_say(gone, "GET /wait HTTP/1.1\r\n" LOCAL "\r\n");
    pause_ms(50);
    struct answer answer = client_ask(other, 200, "GET /waiting HTTP/1.1\r\n" LOCAL "\r\n");
    assert_int_equal(answer.length, strlen("somebody"));
    answer_free(&answer);
    setsockopt(gone->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    client_close(gone);
    pause_ms(50);
    answer = client_ask(other, 200, "GET /waiting HTTP/1.1\r\n" LOCAL "\r\n");
    assert_int_equal(answer.length, strlen("nobody"));
    answer_free(&answer);
    client_close(other);
    struct client *client = client_open(&peer);
    client_say(client, "GET /wait HTTP/1.1\r\n" LOCAL "\r\n");
    pause_ms(50);
    peer_tell(&peer);
    assert_true(client_at_end(client));
    client_close(client);
    peer_stop(&peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gone_while_waiting),
        cmocka_unit_test(test_slow_requests),
        cmocka_unit_test(test_idle_connections),
        cmocka_unit_test(test_stalled_reading),
        cmocka_unit_test(test_answers_nobody_reads),
        cmocka_unit_test(test_many_requests_leave_nothing),
        cmocka_unit_test(test_a_file_that_shrinks),
        cmocka_unit_test(test_clients_that_are_gone),
        cmocka_unit_test(test_too_many_connections),
        cmocka_unit_test(test_no_descriptors),
        cmocka_unit_test(test_drain),
        cmocka_unit_test(test_drain_of_the_silent),
        cmocka_unit_test(test_close_while_deciding),
    };
    return cmocka_run_group_tests_name("http_limits", tests, NULL, NULL);
}
