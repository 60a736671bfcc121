/* Many answers at once, over loopback. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dhcp_outbox.h"
#include "dhcp_server.h"

struct world {
    struct dhcp_outbox outbox;
    int fd, client;
    struct sockaddr_in to; /* the client, by broadcast */
};

static int set_up(void **state)
{
    static struct world w;
    socklen_t len = sizeof w.to;
    memset(&w, 0, sizeof w);
    w.fd = dhcp_server_bind(0);
    w.client = socket(AF_INET, SOCK_DGRAM, 0);
    w.to = (struct sockaddr_in){.sin_family = AF_INET};
    assert_int_equal(bind(w.client, (struct sockaddr *)&w.to, sizeof w.to), 0);
    assert_int_equal(getsockname(w.client, (struct sockaddr *)&w.to, &len), 0);
    w.to.sin_addr.s_addr = htonl(INADDR_BROADCAST);
    *state = &w;
    return w.fd >= 0 ? 0 : -1;
}

static int tear_down(void **state)
{
    struct world *w = *state;
    close(w->fd);
    close(w->client);
    return 0;
}

/* An answer of that many bytes, which end with its number. */
static struct dhcp_outbox_answer *put(struct world *w, size_t len)
{
    struct dhcp_outbox_answer *a = &w->outbox.answers[w->outbox.n];
    *a = (struct dhcp_outbox_answer){.to = w->to,
                                     .from = {htonl(INADDR_LOOPBACK)},
                                     .ifindex = (int)if_nametoindex("lo"),
                                     .len = len,
                                     .error = -1};
    memset(a->data, 0x5a, len);
    a->data[len - 1] = (uint8_t)w->outbox.n++;
    return a;
}

static void assert_arrives(const struct world *w, size_t i)
{
    uint8_t data[2048];
    struct pollfd ready = {w->client, POLLIN, 0};
    const struct dhcp_outbox_answer *a = &w->outbox.answers[i];
    assert_int_equal(a->error, 0);
    assert_int_equal(poll(&ready, 1, 5000), 1);
    assert_int_equal(recv(w->client, data, sizeof data, 0), (ssize_t)a->len);
    assert_memory_equal(data, a->data, a->len);
}

static void assert_no_more(const struct world *w)
{
    uint8_t byte;
    assert_int_equal(recv(w->client, &byte, 1, MSG_DONTWAIT), -1);
}

static void send_sizes(struct world *w)
{
    static const size_t sizes[] = {300, 300, 300, 280, 300, 1472, 1472, 1472, 1, 2};
    const size_t n = sizeof sizes / sizeof *sizes;
    for (size_t i = 0; i < n; i++)
        put(w, sizes[i]);
    dhcp_outbox_send(&w->outbox, w->fd);
    for (size_t i = 0; i < n; i++)
        assert_arrives(w, i);
    assert_no_more(w);
}

static void test_sizes(void **state)
{
    send_sizes(*state);
}

/* UDP_SEGMENT wants checksums: what is not cut for us is sent one by one. */
static void test_without_segments(void **state)
{
    struct world *w = *state;
    int on = 1;
    assert_int_equal(setsockopt(w->fd, SOL_SOCKET, SO_NO_CHECK, &on, sizeof on), 0);
    send_sizes(w);
}

static void test_full(void **state)
{
    struct world *w = *state;
    while (w->outbox.n < DHCP_OUTBOX_MAX)
        put(w, DHCP_MAP_REPLY_MAX);
    dhcp_outbox_send(&w->outbox, w->fd);
    for (size_t i = 0; i < DHCP_OUTBOX_MAX; i++)
        assert_arrives(w, i);
    assert_no_more(w);
}

/* What cannot be sent holds up none of the others. */
static void test_errors(void **state)
{
    struct world *w = *state;
    put(w, 300);
    put(w, 300)->from.s_addr = htonl(0xcb007109); /* not ours */
    put(w, 300)->to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    put(w, 300)->from.s_addr = htonl(0xcb007109);
    put(w, 300);
    dhcp_outbox_send(&w->outbox, w->fd);
    assert_arrives(w, 0);
    assert_arrives(w, 2);
    assert_arrives(w, 4);
    assert_no_more(w);
    assert_true(w->outbox.answers[1].error > 0 && w->outbox.answers[3].error > 0);
}

static void test_nothing(void **state)
{
    struct world *w = *state;
    dhcp_outbox_send(&w->outbox, w->fd);
    assert_no_more(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_sizes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_without_segments, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_full, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_errors, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_nothing, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
