#include "worker.h"

#include <errno.h>
#include <event2/event.h>
#include <linux/sock_diag.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "channel.h"
#include "config_state.h"
#include "control_server.h"
#include "dhcp_server.h"
#include "http_server.h"
#include "log.h"
#include "notify.h"
#include "sandbox.h"
#include "state.h"
#include "tftp_server.h"

#define HEARTBEAT_MS     250
#define HEADER_SECONDS   10
#define IDLE_SECONDS     60
#define STALL_SECONDS    30
#define LINGER_SECONDS   2 /* for what is still to be written, when all else is done */
#define DHCP_CLIENT_PORT 68

struct worker {
    const struct generation *generation;
    struct policy *policy;
    struct metrics *metrics;
    struct metrics_seat *seat; /* NULL: there is none for it */
    unsigned slot;
    int channel;
    struct event_base *base;
    struct event *start_signal, *drain_signal, *heartbeat, *orders, *linger;
    struct control_server *control;
    struct rate *rate; /* NULL: without limit */
    struct dhcp_server *dhcp;
    struct tftp_server *tftp;
    struct http_server *http;
    struct store *store; /* NULL: no state is kept */
    bool draining, tftp_idle, http_idle, control_idle;
    unsigned long log_lost; /* lines, as far as they are counted */
};

static void tell(const struct worker *w, enum notify_kind kind)
{
    struct notify message = {
        .kind = kind, .pid = getpid(), .generation = w->generation->number, .slot = w->slot};
    notify_send(w->generation->notify, &message);
}

/* Bytes that the kernel holds of a socket's datagrams. */
static uint64_t queued_in(int fd)
{
    uint32_t info[SK_MEMINFO_VARS] = {0};
    socklen_t len = sizeof info;
    if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_MEMINFO, info, &len) < 0)
        return 0;
    return info[SK_MEMINFO_RMEM_ALLOC];
}

static uint64_t queued(const struct worker *w)
{
    const struct sockets *sockets = w->generation->sockets;
    return queued_in(sockets->dhcp) + queued_in(sockets->dhcp_boot) +
           queued_in(sockets->tftp ? sockets->tftp[w->slot] : -1);
}

static void on_heartbeat(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct worker *w = arg;
    if (!w->draining) /* then it is its successor's to give */
        metrics_beat(w->metrics);
    if (w->store)
        store_rest(w->store);
    unsigned long lost = log_lost();
    metrics_add(w->metrics, METRICS_LOG_LOST, lost - w->log_lost);
    w->log_lost = lost;
    if (!w->seat)
        return;
    w->seat->gauges[METRICS_HTTP_OPEN] = w->http ? http_server_connections(w->http) : 0;
    w->seat->gauges[METRICS_TFTP_OPEN] = w->tftp ? tftp_server_transfers(w->tftp) : 0;
    w->seat->gauges[METRICS_WAITING] = policy_waiting(w->policy);
    w->seat->gauges[METRICS_POLICY_MEMORY] = policy_memory(w->policy);
    w->seat->state_trouble = w->store ? store_trouble(w->store) : 0;
    w->seat->gauges[METRICS_STATE_UP] = w->store && w->seat->state_trouble == 0;
    w->seat->gauges[METRICS_QUEUED] = w->draining ? 0 : queued(w);
}

static void end_when_idle(struct worker *w)
{
    static const struct timeval most = {.tv_sec = LINGER_SECONDS};
    if (!w->tftp_idle || !w->http_idle || !w->control_idle)
        return;
    if (policy_idle(w->policy))
        event_base_loopbreak(w->base);
    else if (!evtimer_pending(w->linger, NULL))
        evtimer_add(w->linger, &most);
}

static void on_lingered(evutil_socket_t fd, short what, void *arg)
{
    struct worker *w = arg;
    (void)fd;
    (void)what;
    event_base_loopbreak(w->base);
}

static void on_policy_idle(void *arg)
{
    end_when_idle(arg);
}

static void on_tftp_idle(void *arg)
{
    struct worker *w = arg;
    w->tftp_idle = true;
    end_when_idle(w);
}

static void on_http_idle(void *arg)
{
    struct worker *w = arg;
    w->http_idle = true;
    end_when_idle(w);
}

static void on_control_idle(void *arg)
{
    struct worker *w = arg;
    w->control_idle = true;
    end_when_idle(w);
}

/* Broadcasts reach every socket bound to the port, so one worker reads them: slot 0's.
 * When it dies its successor reads on from the same socket. */
static bool open_dhcp(struct worker *w)
{
    const struct config *config = w->generation->config;
    const struct sockets *sockets = w->generation->sockets;
    if (sockets->dhcp < 0 || w->slot != 0)
        return true;
    const struct dhcp_server_options options = {
        .fd = sockets->dhcp,
        .boot_fd = sockets->dhcp_boot,
        .interfaces = (const char *const *)config->interfaces,
        .n_interfaces = config->n_interfaces,
        .advertise = config->advertise,
        .client_port = DHCP_CLIENT_PORT,
        .policy = w->policy,
        .metrics = w->metrics,
    };
    w->dhcp = dhcp_server_open(w->base, &options);
    return w->dhcp != NULL;
}

static bool open_tftp(struct worker *w)
{
    const struct config *config = w->generation->config;
    const struct sockets *sockets = w->generation->sockets;
    if (!sockets->tftp || sockets->tftp[w->slot] < 0)
        return true;
    const struct tftp_server_options options = {
        .fd = sockets->tftp[w->slot],
        /* A client is always the same worker's, the total is shared out. */
        .max_transfers = (config->tftp.transfers + sockets->n_workers - 1) / sockets->n_workers,
        .max_per_client = config->tftp.transfers_per_client,
        .files = &w->generation->files,
        .policy = w->policy,
        .metrics = w->metrics,
        .rate = w->rate,
        .idle = on_tftp_idle,
        .arg = w,
    };
    w->tftp = tftp_server_open(w->base, &options);
    return w->tftp != NULL;
}

static bool open_http(struct worker *w)
{
    const struct config *config = w->generation->config;
    const struct sockets *sockets = w->generation->sockets;
    const struct http_server_options options = {
        .fds = &sockets->http[w->slot * sockets->n_listen],
        .n_fds = sockets->n_listen,
        .n_tls = config->http.tls.listen.n,
        .tls = w->generation->trust.tls,
        .admin = {.restricted = config->http.admin.restricted,
                  .n_fds = config->http.admin.listen.n,
                  .client_cert = config->http.admin.client_cert,
                  .token = config->http.admin.token},
        .max_connections =
            (config->limits.connections + sockets->n_workers - 1) / sockets->n_workers,
        .max_per_client = config->limits.connections_per_client,
        .max_request = (size_t)config->limits.request_kb * 1024,
        .header_seconds = HEADER_SECONDS,
        .idle_seconds = IDLE_SECONDS,
        .stall_seconds = STALL_SECONDS,
        .files = &w->generation->files,
        .policy = w->policy,
        .signer = w->generation->trust.signer,
        .metrics = w->metrics,
        .board = w->generation->board,
        .rate = w->rate,
        .idle = on_http_idle,
        .arg = w,
    };
    w->http = http_server_open(w->base, &options);
    return w->http != NULL;
}

static bool open_control(struct worker *w)
{
    const struct control_server_options options = {
        .policy = w->policy,
        .metrics = w->metrics,
        .slot = w->slot,
        .generation = w->generation->number,
        .idle = on_control_idle,
        .arg = w,
    };
    w->control = control_server_open(w->base, &options);
    return w->control != NULL;
}

/* The decision log, opened anew. */
static void log_to(struct worker *w, int descriptor)
{
    close(policy_log_to(w->policy, descriptor));
}

static void on_start(evutil_socket_t fd, short what, void *arg);

/* Does one thing that the supervisor has told it, if there is one. */
static bool obey(struct worker *w)
{
    struct channel_message message;
    int descriptor;
    int result = channel_receive(w->channel, &message, &descriptor);
    if (result == 0) { /* the supervisor is gone, or has never heard of this worker */
        event_del(w->orders);
        kill(getpid(), SIGTERM);
    }
    if (result != 1)
        return false;
    if (message.kind == CHANNEL_CONTROL)
        on_start(-1, 0, w); /* which it may have overtaken */
    if (message.kind == CHANNEL_CONTROL && descriptor >= 0 && w->control)
        control_server_take(w->control, descriptor, message.text);
    else if (message.kind == CHANNEL_LOG && descriptor >= 0)
        log_to(w, descriptor);
    else if (descriptor >= 0)
        close(descriptor);
    return true;
}

static void on_orders(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    obey(arg);
}

static void on_start(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct worker *w = arg;
    if (w->http || w->draining)
        return;
    unsigned limit = w->generation->config->limits.requests_per_client;
    w->rate = limit ? rate_alloc(limit) : NULL;
    if (!open_dhcp(w) || !open_tftp(w) || !open_http(w) || !open_control(w)) {
        log_error("worker %u: no memory to serve", w->slot);
        exit(1);
    }
}

static void on_drain(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct worker *w = arg;
    if (w->draining)
        return;
    while (obey(w))
        continue; /* what was told before this */
    w->draining = true;
    policy_retire(w->policy, on_policy_idle, w);
    w->tftp_idle = w->tftp == NULL;
    w->http_idle = w->http == NULL;
    w->control_idle = w->control == NULL;
    dhcp_server_close(w->dhcp);
    w->dhcp = NULL;
    if (w->tftp)
        tftp_server_drain(w->tftp);
    if (w->http)
        http_server_drain(w->http);
    if (w->control)
        control_server_drain(w->control);
    /* An address that the next generation does not serve must not stay open here. */
    sockets_close(w->generation->sockets);
    tell(w, NOTIFY_STOPPED);
    end_when_idle(w);
}

/* Of its own: what is open is not to be used after a fork. */
static bool open_store(struct worker *w)
{
    const struct generation *g = w->generation;
    if (!config_state_kept(g->config))
        return true;
    int error = state_open(&w->store, g->config, &g->trust.state, w->base, g->state_seen);
    if (error)
        log_error("worker %u: cannot open the store: %s", w->slot, store_problem(error));
    else
        store_count(w->store, w->metrics);
    return !error;
}

static bool watch(struct worker *w)
{
    struct timeval every = {.tv_usec = HEARTBEAT_MS * 1000};
    w->start_signal = evsignal_new(w->base, SIGUSR2, on_start, w);
    w->drain_signal = evsignal_new(w->base, SIGTERM, on_drain, w);
    w->heartbeat = event_new(w->base, -1, EV_PERSIST, on_heartbeat, w);
    w->orders = event_new(w->base, w->channel, EV_READ | EV_PERSIST, on_orders, w);
    w->linger = evtimer_new(w->base, on_lingered, w);
    return w->start_signal && w->drain_signal && w->heartbeat && w->orders && w->linger &&
           event_add(w->start_signal, NULL) == 0 && event_add(w->drain_signal, NULL) == 0 &&
           event_add(w->heartbeat, &every) == 0 && event_add(w->orders, NULL) == 0;
}

static void close_everything(struct worker *w)
{
    tftp_server_close(w->tftp);
    http_server_close(w->http);
    control_server_close(w->control);
    rate_free(w->rate);
    event_free(w->start_signal);
    event_free(w->drain_signal);
    event_free(w->heartbeat);
    event_free(w->orders);
    event_free(w->linger);
    policy_free(w->policy);
    store_close(w->store);
    event_base_free(w->base);
}

static const struct worker *confined; /* for the handler of SIGSYS, which is given no argument */

/* In a signal handler. */
static void on_forbidden(int call)
{
    struct notify message = {.kind = NOTIFY_FORBIDDEN,
                             .pid = getpid(),
                             .generation = confined->generation->number,
                             .slot = confined->slot,
                             .call = call};
    notify_send(confined->generation->notify, &message);
}

/* The last of the preparations. */
static bool confine(const struct worker *w)
{
    if (!w->generation->config->sandbox || !sandbox_available())
        return true;
    confined = w;
    int error = sandbox_enter(on_forbidden);
    if (error < 0)
        log_error("worker %u: the system cannot confine it (seccomp): %s; `sandbox: off` in "
                  "site.yaml does without",
                  w->slot, strerror(-error));
    return error == 0;
}

_Noreturn void worker_run(const struct generation *generation, struct policy *policy, unsigned slot,
                          int channel)
{
    struct worker w = {.generation = generation,
                       .policy = policy,
                       .metrics = &generation->board->slots[slot],
                       .seat = metrics_sit(generation->board, getpid()),
                       .slot = slot,
                       .channel = channel,
                       .log_lost = log_lost()};
    sockets_narrow(generation->sockets, slot);
    generation_keep(generation, channel);
    close(generation->release.source); /* everything has been read */
    evutil_make_socket_nonblocking(channel);
    signal(SIGPIPE, SIG_IGN);
    /* Without its supervisor a worker ends as if told to; asked once more, in case he
     * was gone before the request stood. */
    prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0);
    w.base = event_base_new();
    if (generation->share[0] >= 0)
        policy_share(policy, generation->share);
    if (!w.base || !watch(&w) || !open_store(&w) ||
        !policy_start(policy, w.metrics, w.base, w.store)) {
        log_error("worker %u: cannot start: %s", slot, strerror(errno));
        exit(1);
    }
    if (getppid() != generation->supervisor)
        exit(1);
    if (!confine(&w))
        exit(1);
    metrics_beat(w.metrics);
    tell(&w, NOTIFY_READY);
    event_base_dispatch(w.base);
    close_everything(&w);
    exit(0);
}
