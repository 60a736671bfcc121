#include "http_share.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "channel.h"
#include "http_frame.h"

#define RETRY_MS 100  /* until one who asks for all is there */
#define TAKEN_MS 1000 /* so soon he says that he has a question; a worker may be busy */
#define SLACK_MS 2000 /* so much later than its own time limit an answer may come */

enum { KNOCK, DOOR, LOCK }; /* of the descriptors */

/* A question that another worker is to ask. */
struct http_flight {
    SLIST_ENTRY(http_flight) link;
    struct http_share *share;
    struct event *timer;
    struct evbuffer *frame; /* the question, to be said again to another */
    uint32_t id;
    unsigned timeout_ms;
    bool taken;
    struct http_flight_hooks hooks;
    void *arg;
};

/* A worker that we ask for. */
struct peer {
    LIST_ENTRY(peer) link;
    struct http_share *share;
    struct bufferevent *bev;
    LIST_HEAD(, errand) errands;
};

struct errand {
    LIST_ENTRY(errand) link;
    struct peer *peer;
    uint32_t id;
    struct http_waiter *waiter;
};

struct http_share {
    struct event_base *base;
    struct http_cache *cache;
    int fds[HTTP_SHARE_FDS];
    bool leads;
    struct event *door;  /* while he leads */
    struct event *retry; /* while nobody has let us in */
    struct bufferevent *leader;
    bool welcome; /* who leads has let us in */
    uint32_t last_id;
    SLIST_HEAD(, http_flight) flights;
    LIST_HEAD(, peer) peers;
};

bool http_share_make(int fds[HTTP_SHARE_FDS])
{
    int ends[2] = {-1, -1};
    fds[KNOCK] = fds[DOOR] = fds[LOCK] = -1;
    fds[LOCK] = memfd_create("moonboot-share", MFD_CLOEXEC);
    if (fds[LOCK] >= 0 &&
        socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0) {
        fds[KNOCK] = ends[0];
        fds[DOOR] = ends[1];
        return true;
    }
    http_share_unmake(fds);
    return false;
}

void http_share_unmake(int fds[HTTP_SHARE_FDS])
{
    for (int i = 0; i < HTTP_SHARE_FDS; i++) {
        if (fds[i] >= 0)
            close(fds[i]);
        fds[i] = -1;
    }
}

static struct timeval milliseconds(unsigned ms)
{
    return (struct timeval){.tv_sec = ms / 1000, .tv_usec = (suseconds_t)(ms % 1000) * 1000};
}

/* --- who asks for all ------------------------------------------------------------------------- */

static void errand_free(struct errand *errand)
{
    LIST_REMOVE(errand, link);
    free(errand);
}

static void peer_free(struct peer *peer)
{
    struct errand *errand, *next;
    for (errand = LIST_FIRST(&peer->errands); errand; errand = next) {
        next = LIST_NEXT(errand, link);
        http_cache_leave(errand->waiter);
        errand_free(errand);
    }
    LIST_REMOVE(peer, link);
    bufferevent_free(peer->bev);
    free(peer);
}

static void on_errand(const struct http_answer *answer, void *arg)
{
    struct errand *errand = arg;
    struct evbuffer *out = bufferevent_get_output(errand->peer->bev);
    if (!http_frame_put_answer(out, HTTP_FRAME_ANSWER, errand->id, answer)) {
        const struct http_answer failed = {.problem = "no memory for the answer", .type = ""};
        http_frame_put_answer(out, HTTP_FRAME_ANSWER, errand->id, &failed);
    }
    errand_free(errand);
}

static void refuse(const struct peer *peer, uint32_t id)
{
    const struct http_answer refusal = {.problem = "too much is asked by HTTP at once", .type = ""};
    http_frame_put_answer(bufferevent_get_output(peer->bev), HTTP_FRAME_ANSWER, id, &refusal);
}

static bool take_question(struct peer *peer, const struct http_frame *frame)
{
    struct http_frame_question asked;
    struct evbuffer *out = bufferevent_get_output(peer->bev);
    if (frame->kind != HTTP_FRAME_QUESTION || !http_frame_read_question(frame->body, &asked))
        return false;
    struct errand *errand = calloc(1, sizeof *errand);
    if (!errand)
        return false;
    *errand = (struct errand){.peer = peer, .id = frame->id};
    LIST_INSERT_HEAD(&peer->errands, errand, link);
    errand->waiter =
        http_cache_ask(peer->share->cache, &asked.question, &asked.rules, on_errand, errand);
    if (!errand->waiter) {
        errand_free(errand);
        refuse(peer, frame->id);
        return true;
    }
    const struct http_answer *old = http_cache_stale(errand->waiter);
    bool told = !old || old->age_ms < asked.rules.ttl_ms; /* it is on its way */
    return http_frame_put(out, HTTP_FRAME_TAKEN, frame->id) &&
           (told || http_frame_put_answer(out, HTTP_FRAME_OLD, frame->id, old));
}

static void on_peer_read(struct bufferevent *bev, void *arg)
{
    struct evbuffer *in = bufferevent_get_input(bev);
    struct http_frame frame;
    int found;
    while ((found = http_frame_next(in, &frame)) > 0) {
        if (!take_question(arg, &frame)) {
            found = -1;
            break;
        }
        http_frame_drop(in, &frame);
    }
    if (found < 0)
        peer_free(arg);
}

static void on_peer_event(struct bufferevent *bev, short what, void *arg)
{
    (void)bev;
    (void)what;
    peer_free(arg);
}

static void let_in(struct http_share *share, int fd)
{
    struct peer *peer = calloc(1, sizeof *peer);
    if (peer)
        peer->bev = bufferevent_socket_new(share->base, fd, BEV_OPT_CLOSE_ON_FREE);
    if (!peer || !peer->bev) {
        free(peer);
        close(fd);
        return;
    }
    peer->share = share;
    LIST_INIT(&peer->errands);
    LIST_INSERT_HEAD(&share->peers, peer, link);
    bufferevent_setcb(peer->bev, on_peer_read, NULL, on_peer_event, peer);
    http_frame_put(bufferevent_get_output(peer->bev), HTTP_FRAME_HELLO, 0);
    bufferevent_enable(peer->bev, EV_READ | EV_WRITE);
}

static void on_door(evutil_socket_t fd, short what, void *arg)
{
    struct channel_message message;
    int peer, result;
    (void)what;
    while ((result = channel_receive(fd, &message, &peer)) == 1 || result == -EBADMSG) {
        if (peer >= 0)
            let_in(arg, peer);
    }
}

/* --- whoever asks him ---------------------------------------------------------------------------
 */

static void flight_free(struct http_flight *flight)
{
    SLIST_REMOVE(&flight->share->flights, flight, http_flight, link);
    if (flight->timer)
        event_free(flight->timer);
    if (flight->frame)
        evbuffer_free(flight->frame);
    free(flight);
}

void http_share_forget(struct http_flight *flight)
{
    flight_free(flight);
}

static void fly_alone(struct http_flight *flight)
{
    struct http_flight_hooks hooks = flight->hooks;
    struct http_frame_question asked;
    struct http_frame frame;
    struct evbuffer *bytes = flight->frame;
    void *arg = flight->arg;
    flight->frame = NULL;
    flight_free(flight);
    if (http_frame_next(bytes, &frame) == 1 && http_frame_read_question(frame.body, &asked))
        hooks.alone(&asked.question, arg);
    else
        hooks.done(&(struct http_answer){.problem = "no memory to ask", .type = ""}, arg);
    evbuffer_free(bytes);
}

static void on_flight_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    fly_alone(arg);
}

/* Says a question to who leads; it is kept, for another one. */
static bool say(struct http_share *share, struct http_flight *flight)
{
    struct timeval limit = milliseconds(TAKEN_MS);
    size_t len = evbuffer_get_length(flight->frame);
    const uint8_t *bytes = evbuffer_pullup(flight->frame, -1);
    bool timed = !flight->taken && evtimer_pending(flight->timer, NULL);
    flight->taken = false;
    return bytes && (timed || evtimer_add(flight->timer, &limit) == 0) &&
           bufferevent_write(share->leader, bytes, len) == 0;
}

static void hear(struct http_share *share, const struct http_frame *frame)
{
    struct http_flight *flight;
    struct http_answer answer;
    if (frame->kind == HTTP_FRAME_HELLO) {
        share->welcome = true;
        evtimer_del(share->retry);
        return;
    }
    SLIST_FOREACH(flight, &share->flights, link)
    {
        if (flight->id == frame->id)
            break;
    }
    if (!flight)
        return; /* given up meanwhile */
    if (frame->kind == HTTP_FRAME_TAKEN) {
        struct timeval limit = milliseconds(flight->timeout_ms + SLACK_MS);
        flight->taken = true;
        evtimer_add(flight->timer, &limit);
    } else if (!http_frame_read_answer(frame->body, &answer)) {
        fly_alone(flight);
    } else if (frame->kind == HTTP_FRAME_OLD) {
        flight->hooks.old(&answer, flight->arg);
    } else {
        struct http_flight_hooks hooks = flight->hooks;
        void *arg = flight->arg;
        flight_free(flight);
        hooks.done(&answer, arg);
    }
}

static void on_leader_read(struct bufferevent *bev, void *arg)
{
    struct evbuffer *in = bufferevent_get_input(bev);
    struct http_share *share = arg;
    struct http_frame frame;
    while (http_frame_next(in, &frame) > 0) {
        hear(share, &frame);
        http_frame_drop(in, &frame);
    }
}

static void leave(struct http_share *share)
{
    if (share->leader)
        bufferevent_free(share->leader);
    share->leader = NULL;
    share->welcome = false;
}

static void find_leader(struct http_share *share);

/* He has gone: what he was asked is asked anew, by whoever is next. */
static void on_leader_event(struct bufferevent *bev, short what, void *arg)
{
    struct http_share *share = arg;
    (void)bev;
    (void)what;
    leave(share);
    if (!SLIST_EMPTY(&share->flights))
        find_leader(share);
}

/* --- who is it? ---------------------------------------------------------------------------------
 */

/* Knocks, with an end of a socket that whoever leads is to read from. */
static bool knock(struct http_share *share)
{
    const struct channel_message message = {.text = ""};
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0)
        return false;
    bool sent = channel_send(share->fds[KNOCK], &message, ends[1]) == 0;
    close(ends[1]);
    share->leader =
        sent ? bufferevent_socket_new(share->base, ends[0], BEV_OPT_CLOSE_ON_FREE) : NULL;
    if (!share->leader) {
        close(ends[0]);
        return false;
    }
    bufferevent_setcb(share->leader, on_leader_read, NULL, on_leader_event, share);
    return bufferevent_enable(share->leader, EV_READ | EV_WRITE) == 0;
}

static bool take_lead(struct http_share *share)
{
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fcntl(share->fds[LOCK], F_SETLK, &whole) < 0)
        return false;
    share->leads = event_add(share->door, NULL) == 0;
    if (share->leads)
        return true;
    whole.l_type = F_UNLCK;
    fcntl(share->fds[LOCK], F_SETLK, &whole);
    return false;
}

/* When the loop comes round: who is told now may ask, and forget, while the list is walked. */
static void soon_alone(struct http_flight *flight)
{
    evtimer_add(flight->timer, &(struct timeval){0});
}

static void all_alone(struct http_share *share)
{
    struct http_flight *flight;
    leave(share);
    SLIST_FOREACH(flight, &share->flights, link)
    {
        soon_alone(flight);
    }
}

/* Nobody has let us in so far: he is busy, or there is none. */
static void on_retry(evutil_socket_t fd, short what, void *arg)
{
    struct timeval soon = milliseconds(RETRY_MS);
    struct http_share *share = arg;
    (void)fd;
    (void)what;
    if (take_lead(share) || evtimer_add(share->retry, &soon) < 0)
        all_alone(share);
}

/* Each flight goes on with whoever leads now, or alone. */
static void find_leader(struct http_share *share)
{
    struct timeval soon = milliseconds(RETRY_MS);
    struct http_flight *flight;
    if (take_lead(share) || !knock(share) || evtimer_add(share->retry, &soon) < 0) {
        all_alone(share);
        return;
    }
    SLIST_FOREACH(flight, &share->flights, link)
    {
        if (!say(share, flight))
            soon_alone(flight);
    }
}

struct http_flight *http_share_ask(struct http_share *share, const struct http_question *question,
                                   const struct http_cache_rules *rules,
                                   const struct http_flight_hooks *hooks, void *arg)
{
    if (!share || share->leads)
        return NULL;
    if (!share->leader)
        find_leader(share);
    if (!share->leader)
        return NULL;
    struct http_flight *flight = calloc(1, sizeof *flight);
    if (!flight)
        return NULL;
    *flight = (struct http_flight){.share = share,
                                   .id = ++share->last_id,
                                   .timeout_ms = question->timeout_ms,
                                   .hooks = *hooks,
                                   .arg = arg};
    SLIST_INSERT_HEAD(&share->flights, flight, link);
    flight->frame = evbuffer_new();
    flight->timer = evtimer_new(share->base, on_flight_timer, flight);
    if (flight->frame && flight->timer &&
        http_frame_put_question(flight->frame, flight->id, question, rules) && say(share, flight))
        return flight;
    flight_free(flight);
    return NULL;
}

/* --- opening -------------------------------------------------------------------------------------
 */

struct http_share *http_share_open(struct event_base *base, struct http_cache *cache,
                                   const int fds[HTTP_SHARE_FDS])
{
    struct http_share *share = calloc(1, sizeof *share);
    if (!share)
        return NULL;
    share->base = base;
    share->cache = cache;
    memcpy(share->fds, fds, sizeof share->fds);
    SLIST_INIT(&share->flights);
    LIST_INIT(&share->peers);
    share->door = event_new(base, fds[DOOR], EV_READ | EV_PERSIST, on_door, share);
    share->retry = evtimer_new(base, on_retry, share);
    if (share->door && share->retry)
        return share;
    http_share_close(share);
    return NULL;
}

void http_share_close(struct http_share *share)
{
    if (!share)
        return;
    struct peer *peer, *next_peer;
    struct http_flight *flight, *next;
    for (peer = LIST_FIRST(&share->peers); peer; peer = next_peer) {
        next_peer = LIST_NEXT(peer, link);
        peer_free(peer);
    }
    for (flight = SLIST_FIRST(&share->flights); flight; flight = next) {
        next = SLIST_NEXT(flight, link);
        flight_free(flight);
    }
    leave(share);
    if (share->door)
        event_free(share->door);
    if (share->retry)
        event_free(share->retry);
    free(share);
}
