#include "dhcp_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "addr.h"
#include "dhcp_arrival.h"
#include "dhcp_links.h"
#include "dhcp_map.h"
#include "dhcp_outbox.h"
#include "log.h"

#define BATCH         DHCP_OUTBOX_MAX /* datagrams read at a wake-up; other events get their turn then */
#define BUFFER_SIZE   (1 << 20)       /* a rack that is switched on asks all at once */
#define LATE_MS       1000
#define MAX_IN_FLIGHT 1024 /* a rack at once, and a policy that waits */
#define WARN_SECONDS  60

/* A datagram as it came in. */
struct incoming {
    const uint8_t *data;
    size_t len;
    bool whole;
    struct sockaddr_in sender;
    int ifindex;
    struct in_addr target; /* the address it was sent to */
    struct in_addr local;  /* the address of ours that belongs to it */
};

/* One request while it is decided. The request and the packet have views into `data`. */
struct decision {
    struct dhcp_server *server;
    TAILQ_ENTRY(decision) link; /* in the server's list of those in flight, or that are free */
    int fd;
    int ifindex;
    struct in_addr local;
    struct dhcp_map_arrival arrival;
    struct dhcp_packet packet;
    struct request request;
    uint8_t data[DHCP_MAX_LEN];
};

struct batch {
    struct mmsghdr messages[BATCH];
    struct iovec vectors[BATCH];
    struct sockaddr_in senders[BATCH];
    uint8_t data[BATCH][DHCP_MAX_LEN];
    _Alignas(struct cmsghdr) uint8_t control[BATCH][DHCP_ARRIVAL_CONTROL];
};

struct lost {
    bool known;
    uint32_t n; /* packets, as the kernel counts them */
};

struct dhcp_server {
    struct dhcp_server_options options;
    struct event *event;
    struct event *boot_event;
    char (*interfaces)[IF_NAMESIZE];
    struct dhcp_links links;
    time_t warned_at;
    TAILQ_HEAD(decision_queue, decision) free, in_flight; /* the latter: the youngest first */
    unsigned n_in_flight;
    struct lost lost[2]; /* of port 67, and of 4011 */
    bool closed;         /* freed when the last decision in flight has been made */
    bool in_batch;       /* answers wait in the outbox for the others */
    int outbox_fd;
    struct dhcp_outbox outbox;
    struct batch batch;
};

int dhcp_server_adopt(int fd)
{
    int on = 1;
    int discover = IP_PMTUDISC_DONT;
    int room = BUFFER_SIZE; /* the first for who has CAP_NET_ADMIN, the second as far as he may */
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room) < 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    if (setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &on, sizeof on) < 0 ||
        dhcp_arrival_adopt(fd) < 0 ||
        setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &discover, sizeof discover) < 0)
        return -errno;
    return 0;
}

static int bind_to(uint32_t address, uint16_t port)
{
    struct sockaddr_in at = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(address)}};
    int on = 1;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    /* SO_REUSEADDR and not SO_REUSEPORT: beside another DHCP server that sets either,
     * the latter would make a group in which each unicast goes to one of us by chance. */
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 || dhcp_server_adopt(fd) < 0 ||
        bind(fd, (struct sockaddr *)&at, sizeof at) < 0) {
        int error = errno;
        close(fd);
        return -error;
    }
    return fd;
}

int dhcp_server_bind(uint16_t port)
{
    return bind_to(INADDR_ANY, port);
}

int dhcp_server_bind_broadcast(uint16_t port)
{
    return bind_to(INADDR_BROADCAST, port);
}

static time_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + 1; /* 0 is for "never" */
}

/* Whether to warn now: whatever the network does, a line a minute is enough. */
static bool may_warn(struct dhcp_server *server)
{
    time_t t = now();
    if (server->warned_at && t - server->warned_at < WARN_SECONDS)
        return false;
    server->warned_at = t;
    return true;
}

static bool served(const struct dhcp_server *server, const struct dhcp_link *link)
{
    for (size_t i = 0; i < server->options.n_interfaces; i++) {
        if (!strcmp(server->interfaces[i], link->name))
            return true;
    }
    return server->options.n_interfaces == 0 && !link->loopback;
}

/* The address of ours that a datagram reached. What was sent to one of them is
 * answered from it. For a broadcast the kernel names the address to answer from, and
 * takes another interface's when the right one has none: that is not for us to use. */
static struct in_addr local_address(struct dhcp_server *server, const struct incoming *in)
{
    struct in_addr none = {INADDR_ANY};
    if (in->local.s_addr == none.s_addr)
        return none;
    if (in->local.s_addr == in->target.s_addr ||
        dhcp_links_find(&server->links, in->ifindex, in->local))
        return in->local;
    return none;
}

/* Everything known about where the datagram came in. NULL, or why it gets no answer. */
static const char *arrive(struct dhcp_server *server, const struct incoming *in, bool boot_port,
                          struct decision *d)
{
    struct in_addr none = {INADDR_ANY};
    const struct dhcp_link *link = dhcp_links_find(&server->links, in->ifindex, none);
    if (!link || !served(server, link))
        return "not on an interface that is served";
    d->ifindex = in->ifindex;
    d->arrival = (struct dhcp_map_arrival){.sender = in->sender, .boot_server_port = boot_port};
    memcpy(d->arrival.interface, link->name, sizeof d->arrival.interface);
    d->local = local_address(server, in);
    d->arrival.server = server->options.advertise.s_addr ? server->options.advertise : d->local;
    if (d->arrival.server.s_addr == none.s_addr) {
        if (may_warn(server))
            log_warn("dhcp: %s has no IPv4 address: its clients get no answer",
                     d->arrival.interface);
        return "on an interface without an address";
    }
    return NULL;
}

static void server_free(struct dhcp_server *server)
{
    struct decision *d;
    while ((d = TAILQ_FIRST(&server->free))) {
        TAILQ_REMOVE(&server->free, d, link);
        free(d);
    }
    free(server->interfaces);
    dhcp_links_clear(&server->links);
    free(server);
}

static void decision_free(struct decision *d)
{
    struct dhcp_server *server = d->server;
    TAILQ_REMOVE(&server->in_flight, d, link);
    TAILQ_INSERT_HEAD(&server->free, d, link);
    server->n_in_flight--;
    if (server->closed && server->n_in_flight == 0)
        server_free(server);
}

/* Firmware has asked again by now, or gone on: the one that waits longest makes room. */
static bool give_up_oldest(struct dhcp_server *server)
{
    struct decision *oldest = TAILQ_LAST(&server->in_flight, decision_queue);
    if (!policy_cancel(server->options.policy, oldest))
        return false;
    metrics_inc(server->options.metrics, METRICS_DHCP_BUSY);
    decision_free(oldest);
    return true;
}

static struct decision *decision_alloc(struct dhcp_server *server)
{
    if (server->n_in_flight == MAX_IN_FLIGHT && !give_up_oldest(server))
        return NULL;
    struct decision *d = TAILQ_FIRST(&server->free);
    if (d)
        TAILQ_REMOVE(&server->free, d, link);
    else if (!(d = malloc(sizeof *d)))
        return NULL;
    d->server = server;
    TAILQ_INSERT_HEAD(&server->in_flight, d, link);
    server->n_in_flight++;
    return d;
}

static void not_sent(struct dhcp_server *server, const struct sockaddr_in *to,
                     const char *interface, const char *why)
{
    char text[INET_ADDRSTRLEN];
    addr_ip_text(to->sin_addr, text);
    metrics_inc(server->options.metrics, METRICS_DHCP_FAILED);
    if (may_warn(server))
        log_warn("dhcp: an answer to %s on %s was not sent: %s", text, interface, why);
}

/* Sends what waits for it. */
static void flush(struct dhcp_server *server)
{
    struct dhcp_outbox *outbox = &server->outbox;
    dhcp_outbox_send(outbox, server->outbox_fd);
    for (size_t i = 0; i < outbox->n; i++) {
        const struct dhcp_outbox_answer *a = &outbox->answers[i];
        if (a->error)
            not_sent(server, &a->to, a->interface, strerror(a->error));
        else
            metrics_inc(server->options.metrics, METRICS_DHCP_ANSWERED);
    }
    outbox->n = 0;
}

/* From the port that was asked, at once, but with those of the same batch. */
static void answer(struct decision *d, const struct reply_dhcp *reply)
{
    struct dhcp_server *server = d->server;
    struct dhcp_outbox *outbox = &server->outbox;
    if (outbox->n == DHCP_OUTBOX_MAX || server->outbox_fd != d->fd)
        flush(server);
    server->outbox_fd = d->fd;
    struct dhcp_outbox_answer *a = &outbox->answers[outbox->n];
    a->to = dhcp_map_destination(&d->packet, &d->arrival, server->options.client_port);
    a->from = d->local;
    a->ifindex = d->ifindex;
    memcpy(a->interface, d->arrival.interface, sizeof a->interface);
    a->len = dhcp_map_reply(&d->packet, &d->request, reply, a->data, sizeof a->data);
    if (a->len == 0)
        not_sent(server, &a->to, a->interface, "it does not fit what the client can take");
    else
        outbox->n++;
    if (!server->in_batch)
        flush(server);
}

/* After dhcp_server_close an answer comes too late; what `options` names may be gone. */
static void decided(struct reply *reply, void *arg)
{
    struct decision *d = arg;
    struct dhcp_server *server = d->server;
    if (!server->closed && reply->kind == REPLY_DHCP)
        answer(d, &reply->dhcp);
    else if (!server->closed)
        metrics_inc(server->options.metrics, METRICS_DHCP_IGNORED);
    reply_free(reply);
    decision_free(d);
}

/* Foreign traffic is normal on a network: it is worth a line in the debug log only. */
static void drop(struct dhcp_server *server, enum metrics_counter counter,
                 const struct incoming *in, const char *why)
{
    char text[INET_ADDRSTRLEN];
    metrics_inc(server->options.metrics, counter);
    if (!log_enabled(LOG_LEVEL_DEBUG))
        return;
    addr_ip_text(in->sender.sin_addr, text);
    log_debug("dhcp: from %s port %u: %s", text, ntohs(in->sender.sin_port), why);
}

static void handle(struct dhcp_server *server, int fd, bool boot_port, const struct incoming *in)
{
    enum metrics_counter counter = METRICS_DHCP_IGNORED;
    struct decision *d = decision_alloc(server);

    metrics_inc(server->options.metrics, METRICS_DHCP_RECEIVED);
    if (!d) {
        drop(server, METRICS_DHCP_BUSY, in, "too many requests are being decided");
        return;
    }
    d->fd = fd;
    if (in->whole)
        memcpy(d->data, in->data, in->len);
    const char *why = arrive(server, in, boot_port, d);
    if (!why && (!in->whole || !dhcp_parse(d->data, in->len, &d->packet))) {
        counter = METRICS_DHCP_MALFORMED;
        why = "malformed";
    }
    if (!why)
        why = dhcp_map_request(&d->packet, &d->arrival, &d->request);
    if (!why) {
        policy_decide(server->options.policy, &d->request, decided, d);
        return;
    }
    drop(server, counter, in, why);
    decision_free(d);
}

/* What the kernel has lost of a socket's packets since its last word of it. */
static void count_lost(struct dhcp_server *server, bool boot_port,
                       const struct dhcp_arrival *arrival)
{
    struct lost *known = &server->lost[boot_port];
    if (known->known)
        metrics_add(server->options.metrics, METRICS_DHCP_OVERFLOWN,
                    (uint32_t)(arrival->lost - known->n));
    *known = (struct lost){true, arrival->lost};
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct dhcp_server *server = arg;
    struct batch *batch = &server->batch;
    bool boot_port = server->boot_event && fd == event_get_fd(server->boot_event);
    (void)what;

    for (size_t i = 0; i < BATCH; i++) {
        batch->vectors[i] = (struct iovec){batch->data[i], sizeof batch->data[i]};
        batch->messages[i].msg_hdr = (struct msghdr){.msg_name = &batch->senders[i],
                                                     .msg_namelen = sizeof batch->senders[i],
                                                     .msg_iov = &batch->vectors[i],
                                                     .msg_iovlen = 1,
                                                     .msg_control = batch->control[i],
                                                     .msg_controllen = sizeof batch->control[i]};
    }
    int n = recvmmsg(fd, batch->messages, BATCH, MSG_DONTWAIT, NULL);
    server->in_batch = true;
    for (int i = 0; i < n; i++) {
        struct msghdr *message = &batch->messages[i].msg_hdr;
        struct dhcp_arrival arrival = dhcp_arrival_read(message);
        struct incoming in = {.data = batch->data[i],
                              .len = batch->messages[i].msg_len,
                              .whole = !(message->msg_flags & MSG_TRUNC),
                              .sender = batch->senders[i],
                              .ifindex = arrival.info.ipi_ifindex,
                              .target = arrival.info.ipi_addr,
                              .local = arrival.info.ipi_spec_dst};
        if (arrival.knows_lost)
            count_lost(server, boot_port, &arrival);
        /* In a storm those who wait longest are helped least; else all are answered. */
        if (n == BATCH && dhcp_arrival_late(&arrival, LATE_MS))
            metrics_inc(server->options.metrics, METRICS_DHCP_LATE);
        else
            handle(server, fd, boot_port, &in);
    }
    server->in_batch = false;
    flush(server);
}

static struct event *listen_on(struct dhcp_server *server, struct event_base *base, int fd)
{
    struct event *event = event_new(base, fd, EV_READ | EV_PERSIST, on_readable, server);
    if (event && event_add(event, NULL) < 0) {
        event_free(event);
        return NULL;
    }
    return event;
}

static void stop_reading(struct dhcp_server *server)
{
    if (server->event)
        event_free(server->event);
    if (server->boot_event)
        event_free(server->boot_event);
}

struct dhcp_server *dhcp_server_open(struct event_base *base,
                                     const struct dhcp_server_options *options)
{
    struct dhcp_server *server = calloc(1, sizeof *server);
    if (!server)
        return NULL;
    server->options = *options;
    TAILQ_INIT(&server->free);
    TAILQ_INIT(&server->in_flight);
    server->interfaces = calloc(options->n_interfaces + 1, sizeof *server->interfaces);
    if (!server->interfaces)
        goto fail;
    for (size_t i = 0; i < options->n_interfaces; i++)
        strncpy(server->interfaces[i], options->interfaces[i], IF_NAMESIZE - 1);
    server->event = listen_on(server, base, options->fd);
    server->boot_event = listen_on(server, base, options->boot_fd);
    dhcp_links_read(&server->links); /* it takes a descriptor, which later there may be none of */
    if (server->event && server->boot_event)
        return server;
fail:
    stop_reading(server);
    server_free(server);
    return NULL;
}

void dhcp_server_close(struct dhcp_server *server)
{
    if (!server)
        return;
    stop_reading(server);
    struct decision *d, *next;
    for (d = TAILQ_FIRST(&server->in_flight); d; d = next) {
        next = TAILQ_NEXT(d, link);
        if (policy_cancel(server->options.policy, d))
            decision_free(d);
    }
    server->closed = true;
    if (server->n_in_flight == 0)
        server_free(server);
}
