/* The server on loopback sockets, with a policy of this test's own in place of the real
 * one: the library's policy_decide is not linked, since this one comes first. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "dhcp_make.h"
#include "dhcp_server.h"
#include "log.h"

#define MAX_HELD 1100

struct policy {
    enum reply_kind kind;
    bool hold;    /* decides later */
    bool cancels; /* what is held, when it is told to */
    struct {
        policy_done *done;
        void *arg;
        const struct request *request;
    } held[MAX_HELD];
    size_t n_held;
    size_t n_asked;
};

struct world {
    struct event_base *base;
    struct policy policy;
    struct metrics_board *board;
    struct metrics *metrics;
    struct dhcp_server_options options;
    struct dhcp_server *server;
    struct sockaddr_in at; /* the two services */
    struct sockaddr_in boot_at;
    int client;
};

void policy_decide(struct policy *policy, const struct request *request, policy_done *done,
                   void *arg)
{
    policy->n_asked++;
    if (policy->hold) {
        assert_true(policy->n_held < MAX_HELD);
        policy->held[policy->n_held].done = done;
        policy->held[policy->n_held].arg = arg;
        policy->held[policy->n_held++].request = request;
        return;
    }
    struct reply *reply = reply_alloc(policy->kind);
    assert_non_null(reply);
    if (policy->kind == REPLY_DHCP) {
        reply->dhcp.file = strdup("boot/file");
        reply->dhcp.server = request->server;
        reply->dhcp.vendor_class = strdup("PXEClient");
    }
    done(reply, arg);
}

static struct sockaddr_in local_address(int fd)
{
    struct sockaddr_in address;
    socklen_t len = sizeof address;
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

static void open_world(struct world *w, const char *const *interfaces, size_t n)
{
    *w = (struct world){.policy = {.kind = REPLY_DHCP}};
    w->base = event_base_new();
    w->board = metrics_board_alloc();
    w->metrics = &w->board->slots[0];
    w->options = (struct dhcp_server_options){.fd = dhcp_server_bind(0),
                                              .boot_fd = dhcp_server_bind(0),
                                              .interfaces = interfaces,
                                              .n_interfaces = n,
                                              .client_port = 68,
                                              .policy = &w->policy,
                                              .metrics = w->metrics};
    assert_true(w->options.fd >= 0 && w->options.boot_fd >= 0);
    w->at = local_address(w->options.fd);
    w->boot_at = local_address(w->options.boot_fd);
    w->client = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    assert_int_equal(bind(w->client, (struct sockaddr *)&from, sizeof from), 0);
    w->server = dhcp_server_open(w->base, &w->options);
    assert_non_null(w->server);
}

static void close_world(struct world *w)
{
    dhcp_server_close(w->server);
    close(w->client);
    close(w->options.fd);
    close(w->options.boot_fd);
    metrics_board_free(w->board);
    event_base_free(w->base);
}

/* A client that has an address: its answers come straight back. */
static size_t make_packet(struct dhcp_make *make, uint8_t message)
{
    struct dhcp_header h = {.xid = 7, .ciaddr = {htonl(INADDR_LOOPBACK)}};
    dhcp_make(make, &h, message);
    return dhcp_make_end(make);
}

static void send_to(struct world *w, const struct sockaddr_in *to, const void *data, size_t len)
{
    assert_int_equal(sendto(w->client, data, len, 0, (const struct sockaddr *)to, sizeof *to),
                     (ssize_t)len);
    event_base_loop(w->base, EVLOOP_NONBLOCK);
}

static void send_message(struct world *w, const struct sockaddr_in *to, uint8_t message)
{
    struct dhcp_make make;
    size_t len = make_packet(&make, message);
    send_to(w, to, make.data, len);
}

/* The next answer; false when there is none. */
static bool receive(struct world *w, struct dhcp_packet *packet, struct sockaddr_in *from)
{
    static uint8_t data[DHCP_MAX_LEN];
    socklen_t len = sizeof *from;
    ssize_t n = recvfrom(w->client, data, sizeof data, 0, (struct sockaddr *)from, &len);
    if (n < 0)
        return false;
    assert_true(dhcp_parse(data, (size_t)n, packet));
    return true;
}

static uint64_t count(const struct world *w, enum metrics_counter counter)
{
    return atomic_load(&w->metrics->counters[counter]);
}

static const char *const lo[] = {"eth99", "lo"};

static void test_bind(void **state)
{
    (void)state;
    const struct {
        int level, option, value;
    } expected[] = {{SOL_SOCKET, SO_REUSEADDR, 1},
                    {SOL_SOCKET, SO_REUSEPORT, 0},
                    {SOL_SOCKET, SO_BROADCAST, 1},
                    {IPPROTO_IP, IP_PKTINFO, 1},
                    {IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT}};
    int fd = dhcp_server_bind(0);
    assert_true(fd >= 0);
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        int value = -1;
        socklen_t len = sizeof value;
        assert_int_equal(getsockopt(fd, expected[i].level, expected[i].option, &value, &len), 0);
        assert_int_equal(value, expected[i].value);
    }
    close(fd);

    /* Somebody who does not share, on one address and on all of them. */
    for (int all = 0; all < 2; all++) {
        struct sockaddr_in at = {.sin_family = AF_INET,
                                 .sin_addr = {htonl(all ? INADDR_ANY : INADDR_LOOPBACK)}};
        int other = socket(AF_INET, SOCK_DGRAM, 0);
        assert_int_equal(bind(other, (struct sockaddr *)&at, sizeof at), 0);
        uint16_t port = ntohs(local_address(other).sin_port);
        assert_int_equal(dhcp_server_bind(port), -EADDRINUSE);
        fd = dhcp_server_bind_broadcast(port);
        assert_true(all ? fd == -EADDRINUSE : fd >= 0);
        if (fd >= 0)
            close(fd);
        close(other);
    }
}

static void test_offer_and_ack(void **state)
{
    (void)state;
    struct world w;
    struct dhcp_packet p;
    struct sockaddr_in from;
    open_world(&w, lo, 2);
    send_message(&w, &w.at, DHCP_DISCOVER);
    assert_true(receive(&w, &p, &from));
    assert_int_equal(dhcp_message(&p), DHCP_OFFER);
    assert_int_equal(from.sin_port, w.at.sin_port);
    assert_int_equal(dhcp_option_ip(&p, DHCP_OPT_SERVER_ID).s_addr, htonl(INADDR_LOOPBACK));

    send_message(&w, &w.boot_at, DHCP_REQUEST);
    assert_true(receive(&w, &p, &from));
    assert_int_equal(dhcp_message(&p), DHCP_ACK);
    assert_int_equal(from.sin_port, w.boot_at.sin_port);
    assert_false(receive(&w, &p, &from));
    assert_int_equal(count(&w, METRICS_DHCP_RECEIVED), 2);
    assert_int_equal(count(&w, METRICS_DHCP_ANSWERED), 2);
    close_world(&w);
}

static void test_the_address_asked_answers(void **state)
{
    (void)state;
    struct world w;
    struct dhcp_packet p;
    struct sockaddr_in from;
    open_world(&w, lo, 2);
    w.boot_at.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1);
    send_message(&w, &w.boot_at, DHCP_REQUEST);
    assert_true(receive(&w, &p, &from));
    assert_int_equal(from.sin_addr.s_addr, htonl(INADDR_LOOPBACK + 1));
    assert_int_equal(dhcp_option_ip(&p, DHCP_OPT_SERVER_ID).s_addr, htonl(INADDR_LOOPBACK + 1));
    close_world(&w);

    open_world(&w, lo, 2);
    dhcp_server_close(w.server);
    w.options.advertise.s_addr = htonl(0xc0000201);
    w.server = dhcp_server_open(w.base, &w.options);
    send_message(&w, &w.boot_at, DHCP_REQUEST);
    assert_true(receive(&w, &p, &from));
    assert_int_equal(from.sin_addr.s_addr, htonl(INADDR_LOOPBACK));
    assert_int_equal(dhcp_option_ip(&p, DHCP_OPT_SERVER_ID).s_addr, htonl(0xc0000201));
    assert_int_equal(p.header.siaddr.s_addr, htonl(0xc0000201));
    close_world(&w);
}

static void test_loopback_must_be_named(void **state)
{
    (void)state;
    struct world w;
    struct dhcp_packet p;
    struct sockaddr_in from;
    for (size_t n = 0; n < 2; n++) {
        open_world(&w, lo, n);
        send_message(&w, &w.at, DHCP_DISCOVER);
        assert_false(receive(&w, &p, &from));
        assert_int_equal(w.policy.n_asked, 0);
        assert_int_equal(count(&w, METRICS_DHCP_IGNORED), 1);
        close_world(&w);
    }
}

static void test_silence(void **state)
{
    (void)state;
    static uint8_t big[DHCP_MAX_LEN + 1];
    struct world w;
    struct dhcp_make make;
    struct dhcp_packet p;
    struct sockaddr_in from;
    open_world(&w, lo, 2);
    send_to(&w, &w.at, "x", 1);
    send_to(&w, &w.at, "", 0);
    memcpy(big, make.data, make_packet(&make, DHCP_DISCOVER));
    send_to(&w, &w.at, big, sizeof big);
    assert_int_equal(count(&w, METRICS_DHCP_MALFORMED), 3);
    send_message(&w, &w.at, DHCP_REQUEST); /* for the other server */
    assert_int_equal(w.policy.n_asked, 0);
    w.policy.kind = REPLY_SILENCE;
    send_message(&w, &w.at, DHCP_DISCOVER);
    assert_int_equal(w.policy.n_asked, 1);
    assert_false(receive(&w, &p, &from));
    assert_int_equal(count(&w, METRICS_DHCP_IGNORED), 2);
    assert_int_equal(count(&w, METRICS_DHCP_RECEIVED), 5);
    close_world(&w);
}

bool policy_cancel(struct policy *policy, const void *arg)
{
    for (size_t i = 0; policy->cancels && i < policy->n_held; i++) {
        if (policy->held[i].arg == arg) {
            policy->held[i] = policy->held[--policy->n_held];
            return true;
        }
    }
    return false;
}

static void decide_held(struct policy *policy)
{
    size_t n = policy->n_held;
    policy->hold = false;
    policy->n_held = 0;
    for (size_t i = 0; i < n; i++)
        policy_decide(policy, policy->held[i].request, policy->held[i].done, policy->held[i].arg);
}

static void test_late_decisions(void **state)
{
    (void)state;
    struct world w;
    struct dhcp_packet p;
    struct sockaddr_in from;
    open_world(&w, lo, 2);
    w.policy.hold = true;
    for (int i = 0; i < 1100; i++)
        send_message(&w, i % 2 ? &w.at : &w.boot_at, i % 2 ? DHCP_DISCOVER : DHCP_REQUEST);
    assert_int_equal(w.policy.n_held, 1024); /* and no more at once */
    assert_int_equal(count(&w, METRICS_DHCP_BUSY), 76);
    for (size_t i = 0; i < w.policy.n_held; i++) {
        const struct request *request = w.policy.held[i].request;
        assert_int_equal(request->dhcp.boot_server_port, i % 2 == 0);
        assert_memory_equal(request->dhcp.mac, "\x52\x54\x00\x12\x34\x56", 6);
    }
    assert_false(receive(&w, &p, &from));
    decide_held(&w.policy);
    for (size_t i = 0; i < 20; i++) {
        assert_true(receive(&w, &p, &from));
        assert_int_equal(dhcp_message(&p), i % 2 ? DHCP_OFFER : DHCP_ACK);
    }
    assert_int_equal(count(&w, METRICS_DHCP_ANSWERED), 1024);
    close_world(&w);
}

/* The one that waits longest makes room for the next. */
static void test_oldest_first(void **state)
{
    (void)state;
    struct world w;
    open_world(&w, lo, 2);
    w.policy.hold = w.policy.cancels = true;
    for (int i = 0; i < 1030; i++)
        send_message(&w, i < 6 ? &w.boot_at : &w.at, i < 6 ? DHCP_REQUEST : DHCP_DISCOVER);
    assert_int_equal(w.policy.n_held, 1024);
    assert_int_equal(w.policy.n_asked, 1030);
    assert_int_equal(count(&w, METRICS_DHCP_BUSY), 6);
    for (size_t i = 0; i < w.policy.n_held; i++)
        assert_false(w.policy.held[i].request->dhcp.boot_server_port);
    decide_held(&w.policy);
    assert_int_equal(count(&w, METRICS_DHCP_ANSWERED), 1024);
    close_world(&w);
}

static void test_closing_with_decisions_in_flight(void **state)
{
    (void)state;
    struct world w;
    open_world(&w, lo, 2);
    w.policy.hold = true;
    send_message(&w, &w.at, DHCP_DISCOVER);
    send_message(&w, &w.at, DHCP_DISCOVER);
    assert_int_equal(w.policy.n_held, 2);
    close_world(&w);
    decide_held(&w.policy);

    open_world(&w, lo, 2);
    w.policy.hold = w.policy.cancels = true;
    send_message(&w, &w.at, DHCP_DISCOVER);
    send_message(&w, &w.at, DHCP_DISCOVER);
    assert_int_equal(w.policy.n_held, 2);
    close_world(&w);
    assert_int_equal(w.policy.n_held, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bind),
        cmocka_unit_test(test_offer_and_ack),
        cmocka_unit_test(test_the_address_asked_answers),
        cmocka_unit_test(test_loopback_must_be_named),
        cmocka_unit_test(test_silence),
        cmocka_unit_test(test_late_decisions),
        cmocka_unit_test(test_oldest_first),
        cmocka_unit_test(test_closing_with_decisions_in_flight),
    };
    log_setup(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
