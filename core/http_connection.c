#include "http_connection.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "http.h"
#include "http_cms.h"
#include "http_route.h"
#include "http_sign.h"
#include "http_transfer.h"
#include "log.h"
#include "tally.h"
#include "tls.h"

#define MAX_QUEUED 65536 /* bytes of answers, before the next request is looked at */

enum phase {
    HEAD,      /* wants a request's head; between requests, it has no byte of it yet */
    BODY,      /* has the head, wants the body */
    DECIDING,  /* the policy has the request */
    SENDING,   /* wants its output empty before it goes on with HEAD */
    FINISHING, /* wants its output empty before it ends */
    LINGERING  /* has sent its last, and waits for the client to have read it */
};

enum clock { CLOCK_NONE, CLOCK_IDLE, CLOCK_HEADER, CLOCK_LINGER };

/* On its service's list while `bev` is not NULL. When it ends while DECIDING, and the policy
 * cannot be told, `bev` is NULL and the memory stays until the policy has answered. */
struct http_connection {
    LIST_ENTRY(http_connection) link;
    struct http_service *service;
    struct bufferevent *bev;
    struct event *timer;
    enum phase phase;
    enum clock clock; /* what the timer stands for; CLOCK_NONE: nothing, let it fire */
    bool advancing;   /* inside advance(), which goes on by itself */
    bool eof;         /* the client sends no more */
    bool served;      /* it has had an answer */
    bool admin;       /* it came by an address of `http.admin` */
    bool rude;        /* it may send what we will not read: linger */
    struct in_addr client;
    struct in_addr server;
    struct http_scan scan;
    struct http_head head;
    char *head_data; /* what `head` points into */
    size_t head_capacity;
    uint64_t body_queued; /* bytes of bodies in the output, as metrics count them */
    struct http_transfer transfer;
    struct tls_peer *peer; /* NULL: this is no TLS */
};

static void advance(struct http_connection *c);

static struct evbuffer *input_of(const struct http_connection *c)
{
    return bufferevent_get_input(c->bev);
}

static size_t unsent(const struct http_connection *c)
{
    return evbuffer_get_length(bufferevent_get_output(c->bev)) + http_transfer_left(&c->transfer);
}

static void set_clock(struct http_connection *c, enum clock clock)
{
    const struct http_service *s = c->service;
    c->clock = clock;
    if (clock != CLOCK_NONE)
        event_add(c->timer, clock == CLOCK_IDLE     ? s->idle
                            : clock == CLOCK_HEADER ? s->header
                                                    : s->linger);
}

static void finish(struct http_connection *c)
{
    c->phase = FINISHING;
    c->clock = CLOCK_NONE;
}

/* --- its end ------------------------------------------------------------------------------ */

static void free_memory(struct http_connection *c)
{
    free(c->head_data);
    free(c->peer);
    free(c);
}

/* Bodies count as far as the kernel took them. */
static void count_sent(struct http_connection *c)
{
    size_t left = unsent(c);
    if (c->body_queued > left) {
        metrics_add(c->service->options.metrics, METRICS_HTTP_BYTES, c->body_queued - left);
        c->body_queued = left;
    }
}

void http_connection_close(struct http_connection *c)
{
    struct http_service *service = c->service;
    count_sent(c);
    if (c->peer && unsent(c) == 0)
        tls_goodbye(c->bev);
    http_transfer_end(&c->transfer);
    LIST_REMOVE(c, link);
    service->n_connections--;
    tally_give(service->clients, c->client);
    event_free(c->timer);
    bufferevent_free(c->bev);
    c->bev = NULL;
    if (c->phase != DECIDING || policy_cancel(service->options.policy, c))
        free_memory(c);
    service->closed(service);
}

/* What nobody reads is not kept by the kernel either. */
static void time_out(struct http_connection *c)
{
    struct linger at_once = {.l_onoff = 1};
    if (unsent(c) > 0)
        setsockopt(bufferevent_getfd(c->bev), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    metrics_inc(c->service->options.metrics, METRICS_HTTP_TIMED_OUT);
    http_connection_close(c);
}

/* --- answers ------------------------------------------------------------------------------- */

/* Sends an answer, of which nothing is left afterwards, and turns to what follows. */
static void respond(struct http_connection *c, struct http_response *r, bool keep_alive)
{
    char head[HTTP_RESPONSE_HEAD];
    keep_alive = keep_alive && !c->service->draining;
    enum http_persistence persistence = !keep_alive      ? HTTP_CLOSE
                                        : c->head.is_1_0 ? HTTP_PERSIST_1_0
                                                         : HTTP_PERSIST;
    bool has_body =
        c->head.method != HTTP_HEAD && !http_response_is_bare(r->status) && r->length > 0;
    size_t head_len = http_response_head(r, http_service_date(c->service), persistence, head);
    c->phase = keep_alive ? HEAD : FINISHING;
    c->served = true;
    http_service_note(c->service, &c->head, c->client, r);
    /* Without memory the answer ends early, and with it the connection, which says so. */
    if (!http_transfer_answer(&c->transfer, c->bev, r, (struct iovec){head, head_len}, has_body,
                              c->peer != NULL))
        c->phase = FINISHING;
    else if (has_body)
        c->body_queued += r->length;
    count_sent(c);
    if (c->phase == HEAD && (c->transfer.fd >= 0 || unsent(c) >= MAX_QUEUED))
        c->phase = SENDING;
    c->scan = (struct http_scan){0};
    http_response_clear(r);
}

/* Answers what is no request; nothing after it can be trusted. */
static void refuse(struct http_connection *c, int status)
{
    struct http_response r = http_response_error(NULL, status, NULL);
    if (status == 405)
        http_response_field(&r, "Allow: GET, HEAD, POST");
    c->rude = true;
    c->clock = CLOCK_NONE;
    respond(c, &r, false);
}

static void answer(struct http_connection *c, struct http_response r)
{
    respond(c, &r, c->head.keep_alive);
    advance(c);
}

/* Digests, and the policy's answers, may come after the client has gone. */
static void on_digest(int error, const uint8_t digest[CMS_DIGEST_LEN], void *arg)
{
    struct http_connection *c = arg;
    if (c->bev)
        answer(c, http_cms_answer(c->service, &c->head, error, digest));
    else
        free_memory(c);
}

static void on_decided(struct reply *reply, void *arg)
{
    struct http_connection *c = arg;
    if (!c->bev)
        free_memory(c);
    else if (!http_cms_asked(c->service, &c->head, reply, on_digest, c))
        answer(c, http_route_reply(c->service, &c->head, c->client, reply));
    reply_free(reply);
}

/* --- requests ------------------------------------------------------------------------------ */

/* Between requests, or with a part of one. */
static bool wait_for_head(struct http_connection *c, bool has_part)
{
    if (c->eof || (c->service->draining && !has_part && c->served)) {
        finish(c);
        return true;
    }
    if (has_part && c->clock != CLOCK_HEADER)
        set_clock(c, CLOCK_HEADER);
    else if (!has_part && c->clock == CLOCK_NONE && unsent(c) == 0)
        set_clock(c, CLOCK_IDLE);
    return false;
}

static bool keep_head(struct http_connection *c, size_t len)
{
    if (len > c->head_capacity) {
        char *data = realloc(c->head_data, len);
        if (!data)
            return false;
        c->head_data = data;
        c->head_capacity = len;
    }
    return evbuffer_remove(input_of(c), c->head_data, len) == (int)len;
}

static bool take_head(struct http_connection *c)
{
    struct evbuffer *input = input_of(c);
    size_t max = c->service->options.max_request;
    size_t available = evbuffer_get_length(input);
    if (available > max)
        available = max;
    memset(&c->head, 0, sizeof c->head);
    const char *data = (const char *)evbuffer_pullup(input, (ev_ssize_t)available);
    ssize_t len = data ? http_scan(&c->scan, data, available, max) : 0;
    if (len == 0)
        return wait_for_head(c, available > 0);
    int status = len < 0 ? (int)-len : keep_head(c, (size_t)len) ? 0 : 503;
    if (status == 0)
        status = http_parse(c->head_data, (size_t)len, &c->head);
    if (status == 0 && c->head.content_length > max)
        status = 413;
    if (status) {
        refuse(c, status);
        return true;
    }
    c->phase = BODY;
    if (c->head.expect_continue && evbuffer_get_length(input) < c->head.content_length)
        bufferevent_write(c->bev, "HTTP/1.1 100 Continue\r\n\r\n", 25);
    return true;
}

/* Asks the policy, unless the core has the answer itself. The request's views end with
 * this call; what the answer needs is in c->head. */
static void decide(struct http_connection *c)
{
    struct http_response r;
    size_t len = (size_t)c->head.content_length;
    struct http_visitor visitor = {c->admin, c->peer && *c->peer->fingerprint};
    c->clock = CLOCK_NONE;
    if (http_route_early(c->service, &visitor, &c->head, c->client, &r)) {
        evbuffer_drain(input_of(c), len);
        respond(c, &r, c->head.keep_alive);
        return;
    }
    /* A signature is of what would be answered without its suffix. */
    const char *suffix = http_sign_asked(c->service, &c->head);
    char *stem = suffix ? strndup(c->head.path, strlen(c->head.path) - strlen(suffix)) : NULL;
    struct request_tls tls;
    struct request request = {
        .protocol = REQUEST_HTTP,
        .client = c->client,
        .server = c->server,
        .http = {.method = c->head.method_name,
                 .path = suffix ? stem : c->head.path,
                 .query = c->head.query,
                 .host = c->head.host,
                 .user_agent = c->head.user_agent,
                 .body = {.len = len},
                 .admin = http_route_is_api(c->service, &c->head)},
    };
    if (c->peer) {
        tls = (struct request_tls){c->peer->version, c->peer->subject, c->peer->name,
                                   c->peer->fingerprint};
        request.http.tls = &tls;
    }
    if (len)
        request.http.body.data = evbuffer_pullup(input_of(c), (ev_ssize_t)len);
    if ((len && !request.http.body.data) || (suffix && !stem)) {
        free(stem);
        refuse(c, 503);
        return;
    }
    c->phase = DECIDING;
    policy_decide(c->service->options.policy, &request, on_decided, c);
    free(stem);
    evbuffer_drain(input_of(c), len);
}

static bool take_body(struct http_connection *c)
{
    if (evbuffer_get_length(input_of(c)) >= c->head.content_length) {
        decide(c);
        return true;
    }
    if (c->eof) {
        finish(c);
        return true;
    }
    if (c->clock != CLOCK_HEADER)
        set_clock(c, CLOCK_HEADER);
    return false;
}

/* --- the course of a connection -------------------------------------------------------------- */

/* The client's bytes that are still under way would make our kernel send a reset, and that
 * can overtake the answer: so the last thing we do is to read (RFC 9112, section 9.6). */
static bool linger(struct http_connection *c)
{
    if (c->eof || !(c->rude || evbuffer_get_length(input_of(c)) > 0))
        return false;
    if (c->peer)
        tls_goodbye(c->bev);
    shutdown(bufferevent_getfd(c->bev), SHUT_WR);
    evbuffer_drain(input_of(c), evbuffer_get_length(input_of(c)));
    c->phase = LINGERING;
    set_clock(c, CLOCK_LINGER);
    return true;
}

/* One step; false: there is nothing to do until the network or the policy moves. */
static bool step(struct http_connection *c, bool *ended)
{
    switch (c->phase) {
    case HEAD:
        return take_head(c);
    case BODY:
        return take_body(c);
    case DECIDING:
        return false;
    case SENDING:
        if (unsent(c) > 0)
            return false;
        c->phase = HEAD;
        return true;
    case FINISHING:
        *ended = unsent(c) == 0 && !linger(c);
        return false;
    case LINGERING:
        evbuffer_drain(input_of(c), evbuffer_get_length(input_of(c)));
        *ended = c->eof;
        return false;
    }
    return false;
}

/* As far as it goes. The connection may have ended afterwards. */
static void advance(struct http_connection *c)
{
    bool ended = false;
    if (c->advancing)
        return;
    c->advancing = true;
    while (step(c, &ended))
        ;
    c->advancing = false;
    if (ended)
        http_connection_close(c);
}

static void on_input(struct bufferevent *bev, void *arg)
{
    (void)bev;
    advance(arg);
}

static void fail_short(struct http_connection *c)
{
    log_warn("http: %s became shorter while it was sent", c->head.path);
    http_connection_close(c);
}

/* All that was queued has gone out. */
static void on_output(struct bufferevent *bev, void *arg)
{
    struct http_connection *c = arg;
    count_sent(c);
    enum http_transfer_state state = http_transfer_go_on(&c->transfer, bev);
    if (state == HTTP_TRANSFER_QUEUED)
        advance(c);
    else if (state == HTTP_TRANSFER_SHORT)
        fail_short(c);
}

/* libevent reports EOF when sendfile moved nothing: the file has become shorter, and the
 * promised length cannot be kept; or the kernel had no memory for it just now. */
static void on_event(struct bufferevent *bev, short what, void *arg)
{
    struct http_connection *c = arg;
    if (what & BEV_EVENT_CONNECTED) {
        tls_peer_read(bev, c->peer);
    } else if (c->peer && (what & BEV_EVENT_ERROR) && !*c->peer->version) {
        const char *why = tls_error(bev);
        http_service_refused(c->service, c->client, why ? why : "the client went away");
        http_connection_close(c);
    } else if (c->peer && (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR))) {
        http_connection_close(c);          /* TLS has no end of one direction */
    } else if (what & BEV_EVENT_TIMEOUT) { /* the only one a bufferevent has here is of writing */
        if (http_transfer_stalled(&c->transfer, bufferevent_getfd(bev)))
            time_out(c);
        else
            bufferevent_enable(bev, EV_WRITE);
    } else if ((what & BEV_EVENT_READING) && (what & BEV_EVENT_EOF)) {
        c->eof = true;
        advance(c); /* it may still want its answer: only a reset says that it does not */
    } else if ((what & BEV_EVENT_WRITING) && (what & BEV_EVENT_EOF) &&
               !http_transfer_is_short(&c->transfer)) {
        bufferevent_enable(bev, EV_WRITE);
    } else if (c->transfer.fd >= 0 && (what & BEV_EVENT_WRITING) && (what & BEV_EVENT_EOF)) {
        fail_short(c);
    } else {
        http_connection_close(c);
    }
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct http_connection *c = arg;
    (void)fd;
    (void)what;
    if (c->clock == CLOCK_LINGER)
        http_connection_close(c);
    else if (c->clock != CLOCK_NONE)
        time_out(c);
}

bool http_connection_open(struct http_service *service, int fd, const struct sockaddr_in *peer,
                          enum http_service_door door)
{
    bool secure = door == HTTP_SERVICE_TLS;
    struct http_connection *c = calloc(1, sizeof *c);
    struct bufferevent *bev = http_service_transport(service, fd, door);
    struct event *timer = c ? evtimer_new(service->base, on_timer, c) : NULL;
    if (!c || !bev || !timer || (secure && !(c->peer = calloc(1, sizeof *c->peer))))
        goto fail;
    c->service = service;
    c->bev = bev;
    c->timer = timer;
    c->client = peer->sin_addr;
    c->transfer.fd = -1;
    c->admin = door == HTTP_SERVICE_ADMIN;
    c->server = http_service_address(fd);
    bufferevent_setcb(bev, on_input, on_output, on_event, c);
    if (bufferevent_enable(bev, EV_READ | EV_WRITE) < 0)
        goto fail;
    set_clock(c, CLOCK_HEADER);
    LIST_INSERT_HEAD(&service->connections, c, link);
    service->n_connections++;
    tally_take(service->clients, c->client);
    return true;

fail:
    if (timer)
        event_free(timer);
    if (bev)
        bufferevent_free(bev);
    else
        close(fd);
    if (c)
        free_memory(c);
    return false;
}

static void drain(struct http_connection *c)
{
    char byte;
    if (c->phase != HEAD)
        return;
    /* To close a connection on which a request has just arrived, or is about to, would
     * fail a machine's boot for a reload. Only who has had an answer asks again. */
    if (c->served && recv(bufferevent_getfd(c->bev), &byte, 1, MSG_PEEK | MSG_DONTWAIT) <= 0)
        advance(c);
    else if (evbuffer_get_length(input_of(c)) == 0)
        set_clock(c, CLOCK_LINGER);
}

void http_connection_drain(struct http_service *service)
{
    struct http_connection *next;
    for (struct http_connection *c = LIST_FIRST(&service->connections); c; c = next) {
        next = LIST_NEXT(c, link);
        drain(c);
    }
}
