#include "redis_link.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/dns.h>
#include <event2/util.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#include "log.h"
#include "redis_reply.h"
#include "tls_client.h"

#define PAUSE_MIN_MS 50
#define PAUSE_MAX_MS 2000
#define NAME_MAX_LEN 300

enum stage { PAUSING, CONNECTING, GREETING, OPEN };

struct redis_link {
    struct redis_link_options options;
    struct event_base *base;
    struct evdns_base *dns;  /* NULL: nothing is to be looked up */
    struct bufferevent *bev; /* NULL while pausing */
    struct event *timer;     /* pausing: connect; else: the other side is not heard of */
    redisReader *reader;
    redisReplyObjectFunctions functions;
    enum stage stage;
    unsigned greetings; /* replies to AUTH and SELECT that are to come */
    bool logging_in;    /* the first of them is AUTH's */
    size_t unread;      /* bytes that the reader has of a reply that is not whole */
    unsigned pause_ms;
    int64_t heard;   /* when the last byte came */
    bool stands;     /* it was good for something since it was made */
    bool complained; /* about what is in `why` */
    char why[256];   /* the last failure */
    struct sockaddr_un socket;
    char name[NAME_MAX_LEN]; /* what the log calls the other side */
};

static void arm(struct redis_link *link, unsigned ms)
{
    struct timeval after = {.tv_sec = ms / 1000, .tv_usec = (suseconds_t)(ms % 1000) * 1000};
    evtimer_add(link->timer, &after);
}

static void drop(struct redis_link *link)
{
    if (link->bev)
        bufferevent_free(link->bev);
    link->bev = NULL;
    if (link->reader)
        redisReaderFree(link->reader);
    link->reader = NULL;
}

/* Pauses grow, and differ, so that many do not come at once. */
static unsigned next_pause(struct redis_link *link)
{
    uint32_t any;
    evutil_secure_rng_get_bytes(&any, sizeof any);
    unsigned pause = link->pause_ms;
    link->pause_ms = pause * 2 < PAUSE_MAX_MS ? pause * 2 : PAUSE_MAX_MS;
    return pause / 2 + any % (pause / 2 + 1);
}

void redis_link_fail(struct redis_link *link, int64_t error, const char *why)
{
    if (!link->complained || strcmp(link->why, why) != 0)
        log_warn("state: Redis at %s: %s; it is tried again and again", link->name, why);
    link->complained = true;
    snprintf(link->why, sizeof link->why, "%s", why);
    link->stands = false;
    link->stage = PAUSING;
    drop(link);
    arm(link, next_pause(link));
    link->options.lost(error, link->options.arg);
}

void redis_link_stands(struct redis_link *link)
{
    if (link->complained)
        log_info("state: Redis at %s is there again", link->name);
    link->stands = true;
    link->complained = false;
    link->pause_ms = PAUSE_MIN_MS;
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t redis_link_heard(const struct redis_link *link)
{
    return link->heard;
}

/* --- what goes out and comes in --------------------------------------------------------------- */

bool redis_link_send(struct redis_link *link, int argc, const char *const *argv,
                     const size_t *lengths)
{
    sds command;
    if (!link->bev)
        return false;
    int len = redisFormatSdsCommandArgv(&command, argc, (const char **)argv, lengths);
    if (len < 0)
        return false;
    bool good = bufferevent_write(link->bev, command, (size_t)len) == 0;
    redisFreeSdsCommand(command);
    return good;
}

/* AUTH and SELECT, as far as they are wanted. */
static bool greet(struct redis_link *link)
{
    const struct redis_link_options *o = &link->options;
    const char *auth[3] = {"AUTH", o->user ? o->user : o->password, o->password};
    char db[16];
    const char *choose[2] = {"SELECT", db};
    link->greetings = 0;
    if (o->password) {
        if (!redis_link_send(link, o->user ? 3 : 2, auth, NULL))
            return false;
        link->greetings++;
    }
    link->logging_in = link->greetings > 0;
    snprintf(db, sizeof db, "%u", o->db);
    if (o->db) {
        if (!redis_link_send(link, 2, choose, NULL))
            return false;
        link->greetings++;
    }
    return true;
}

static void begin(struct redis_link *link)
{
    link->stage = OPEN;
    link->heard = now_ms();
    evtimer_del(link->timer);
    link->options.begun(link->options.arg);
}

static void greeted(struct redis_link *link, const redisReply *reply)
{
    bool login = link->logging_in;
    link->logging_in = false;
    if (reply->type == REDIS_REPLY_ERROR) {
        redis_link_fail(link, redis_reply_error(reply->str),
                        login ? redis_reply_auth(reply->str) : reply->str);
    } else if (reply->type != REDIS_REPLY_STATUS) {
        redis_link_fail(link, -EPROTO, "it has answered what makes no sense");
    } else if (--link->greetings == 0) {
        begin(link);
    }
}

/* Takes one reply out of the reader: 1, 0 when there is none yet; -1: the connection is gone. */
static int take(struct redis_link *link)
{
    void *reply = NULL;
    if (redisReaderGetReply(link->reader, &reply) != REDIS_OK) {
        char why[sizeof link->reader->errstr + 32];
        snprintf(why, sizeof why, "it does not speak Redis: %s", link->reader->errstr);
        redis_link_fail(link, -EPROTO, why);
        return -1;
    }
    if (!reply)
        return 0;
    struct bufferevent *before = link->bev;
    link->unread = 0;
    if (link->stage == GREETING) {
        greeted(link, reply);
        freeReplyObject(reply);
    } else if (!link->options.replied(reply, link->options.arg) && link->bev == before) {
        redis_link_fail(link, -EPROTO, "it has answered what makes no sense");
    }
    return link->bev == before ? 1 : -1;
}

static void on_readable(struct bufferevent *bev, void *arg)
{
    struct redis_link *link = arg;
    struct evbuffer *input = bufferevent_get_input(bev);
    char piece[16384];
    int len;
    link->heard = now_ms();
    while ((len = evbuffer_remove(input, piece, sizeof piece)) > 0) {
        int taken;
        link->unread += (size_t)len;
        if (redisReaderFeed(link->reader, piece, (size_t)len) != REDIS_OK) {
            redis_link_fail(link, -EPROTO, "no memory for its answer");
            return;
        }
        while ((taken = take(link)) > 0)
            continue;
        if (taken < 0)
            return;
        if (link->unread > REDIS_LINK_REPLY_MAX) {
            redis_link_fail(link, -EPROTO, "it does not speak Redis: an answer without end");
            return;
        }
    }
}

/* --- the connection --------------------------------------------------------------------------- */

static void on_event(struct bufferevent *bev, short what, void *arg)
{
    struct redis_link *link = arg;
    char why[256];
    int error = EVUTIL_SOCKET_ERROR();
    int dns = bufferevent_socket_get_dns_error(bev);
    if (what & BEV_EVENT_CONNECTED) {
        link->stage = GREETING;
        if (!greet(link))
            redis_link_fail(link, -ENOMEM, "no memory to ask it");
        else if (link->greetings == 0)
            begin(link);
        return;
    }
    if (link->options.tls && tls_client_error(bev, why, sizeof why)) {
        redis_link_fail(link, -ENOTCONN, why);
        return;
    }
    if (dns)
        snprintf(why, sizeof why, "%s", evutil_gai_strerror(dns));
    else if (what & BEV_EVENT_EOF)
        snprintf(why, sizeof why, "it has closed the connection");
    else
        snprintf(why, sizeof why, "%s",
                 error ? evutil_socket_error_to_string(error) : "the connection is broken");
    redis_link_fail(link, link->stage == OPEN ? -ECONNRESET : -ENOTCONN, why);
}

/* hiredis 0.14 takes a list of any length at its word, before anything of it is there. */
#if HIREDIS_MAJOR < 1
static void *make_list(const redisReadTask *task, int n)
{
    static redisReplyObjectFunctions *own; /* hiredis' */
    if (!own) {
        redisReader *reader = redisReaderCreate();
        own = reader ? reader->fn : NULL;
        redisReaderFree(reader);
    }
    return own && n <= REDIS_LINK_LIST_MAX ? own->createArray(task, n) : NULL;
}
#endif

static bool open_reader(struct redis_link *link)
{
    link->reader = redisReaderCreate();
    if (!link->reader)
        return false;
#if HIREDIS_MAJOR < 1
    link->functions = *link->reader->fn;
    link->functions.createArray = make_list;
    link->reader->fn = &link->functions;
#else
    link->reader->maxelements = REDIS_LINK_LIST_MAX;
#endif
    link->unread = 0;
    return true;
}

/* Whether it has to be looked up: without a look-up of ours that would block. */
static bool named(const char *host)
{
    struct in6_addr address;
    return host && inet_pton(AF_INET, host, &address) != 1 &&
           inet_pton(AF_INET6, host, &address) != 1;
}

static int connect_socket(struct redis_link *link)
{
    return bufferevent_socket_connect(link->bev, (struct sockaddr *)&link->socket,
                                      sizeof link->socket);
}

static void connect_now(struct redis_link *link)
{
    const struct redis_link_options *o = &link->options;
    const char *name = o->tls_name ? o->tls_name : o->host;
    link->stage = CONNECTING;
    link->bev = o->tls ? tls_client_start(o->tls, link->base, name)
                       : bufferevent_socket_new(link->base, -1, BEV_OPT_CLOSE_ON_FREE);
    if (!link->bev || !open_reader(link)) {
        redis_link_fail(link, -ENOMEM, "no memory to connect");
        return;
    }
    bufferevent_setcb(link->bev, on_readable, NULL, on_event, link);
    bufferevent_enable(link->bev, EV_READ | EV_WRITE);
    arm(link, o->timeout_ms);
    struct bufferevent *bev = link->bev;
    int error = o->socket ? connect_socket(link)
                          : bufferevent_socket_connect_hostname(link->bev, link->dns, AF_UNSPEC,
                                                                o->host, o->port);
    /* It may have been told by on_event already. */
    if (error && link->bev == bev)
        redis_link_fail(link, -ENOTCONN, strerror(errno));
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct redis_link *link = arg;
    (void)fd;
    (void)what;
    if (link->stage == PAUSING)
        connect_now(link);
    else
        redis_link_fail(link, -ENOTCONN, "it does not answer");
}

struct redis_link *redis_link_open(struct event_base *base,
                                   const struct redis_link_options *options)
{
    struct redis_link *link = calloc(1, sizeof *link);
    if (!link)
        return NULL;
    link->base = base;
    link->options = *options;
    link->pause_ms = PAUSE_MIN_MS;
    link->socket.sun_family = AF_UNIX;
    if (options->socket) {
        snprintf(link->name, sizeof link->name, "%s", options->socket);
        snprintf(link->socket.sun_path, sizeof link->socket.sun_path, "%s", options->socket);
    } else {
        snprintf(link->name, sizeof link->name, "%s:%u", options->host, options->port);
    }
    link->timer = evtimer_new(base, on_timer, link);
    if (named(options->host))
        link->dns = evdns_base_new(base, EVDNS_BASE_INITIALIZE_NAMESERVERS |
                                             EVDNS_BASE_DISABLE_WHEN_INACTIVE);
    if (!link->timer || (named(options->host) && !link->dns)) {
        redis_link_close(link);
        return NULL;
    }
    link->stage = PAUSING;
    arm(link, 0); /* from the event loop: nothing is told before this has returned */
    return link;
}

void redis_link_close(struct redis_link *link)
{
    if (!link)
        return;
    drop(link);
    if (link->dns)
        evdns_base_free(link->dns, 0);
    if (link->timer)
        event_free(link->timer);
    free(link);
}
