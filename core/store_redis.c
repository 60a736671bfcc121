#include "store_redis.h"

#include <errno.h>
#include <event2/util.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "log.h"
#include "redis_ask.h"
#include "redis_command.h"
#include "redis_health.h"
#include "redis_reply.h"
#include "redis_script.h"

#define WAITING_MAX 10000
#define PATIENCE_MS 1000 /* for one that is away */
#define IDLE_MS     5000
#define STOOD_MS    100 /* a timer later than that: the event loop stood still */
#define ID_TEXT     33

/* Both lists are in order of deadlines, nearly. */
struct redis {
    struct store store;
    struct store_redis_options options;
    struct event_base *base;
    struct redis_link *link;
    struct event *timer;
    struct redis_asks waiting, sent; /* for the connection; for their replies */
    unsigned n;
    bool stands;     /* the store is open */
    int64_t trouble; /* 0: none */
    int64_t away;    /* since when; 0: it is not */
    int64_t due;     /* when the timer is to ring */
    int64_t awake;   /* since when the event loop turns, after it stood still */
    bool stood;      /* it did when the timer rang last */
    int64_t version; /* the highest seen of this store */
    struct redis_health health;
    store_redis_seen own_seen;
    char id[ID_TEXT], new_id[ID_TEXT];
    struct redis_names names;
};

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* --- asking ----------------------------------------------------------------------------------- */

static int64_t min(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t max(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* When it is given up; after it stood still the event loop first reads what has come meanwhile. */
static int64_t late_at(const struct redis *redis, const struct redis_ask *own)
{
    return max(own->deadline, redis->awake + STOOD_MS);
}

/* When the connection is given up: nothing has come since the one whose reply is next was sent. */
static int64_t silent_at(const struct redis *redis, const struct redis_ask *next)
{
    int64_t since = max(next->sent_at, redis_link_heard(redis->link));
    return max(since + redis->options.link.timeout_ms, redis->awake + STOOD_MS);
}

static void schedule(struct redis *redis)
{
    const struct redis_ask *waiting = STAILQ_FIRST(&redis->waiting);
    const struct redis_ask *sent = STAILQ_FIRST(&redis->sent);
    int64_t now = now_ms(), at = INT64_MAX;
    if (sent)
        at = silent_at(redis, sent);
    else if (redis->stands)
        at = redis_link_heard(redis->link) + IDLE_MS;
    while (sent && sent->late)
        sent = STAILQ_NEXT(sent, link);
    if (sent)
        at = min(at, late_at(redis, sent));
    if (waiting)
        at = min(at, waiting->deadline);
    redis->due = max(at, now); /* what is due already is no sign of a loop that stood still */
    if (at == INT64_MAX) {
        evtimer_del(redis->timer);
        return;
    }
    int64_t left = at > now ? at - now : 0;
    struct timeval after = {.tv_sec = left / 1000, .tv_usec = (left % 1000) * 1000};
    evtimer_add(redis->timer, &after);
}

static bool send_ask(struct redis *redis, struct redis_ask *own)
{
    struct redis_command command;
    own->sent_at = now_ms();
    if (own->errand == REDIS_PINGS) {
        redis_command_ping(&command);
    } else {
        redis_command_script(&command, own->whole, &redis->names);
        if (own->errand == REDIS_OPENS)
            redis_command_open(&command, redis->new_id,
                               redis->options.create && *redis->options.seen == 0);
        else
            redis_command_request(&command, redis->id, &own->request);
    }
    return redis_link_send(redis->link, command.argc, command.argv, command.lengths);
}

/* Its answer is there; it is in no list. */
static void finish(struct redis *redis, struct redis_ask *own)
{
    bool orphan = own->orphan; /* else who is told ends it */
    own->listed = false;
    redis->n--;
    if (own->errand == REDIS_ASKED && !own->late)
        store_kind_done(&own->ask);
    if (orphan)
        redis_ask_free(own);
}

static void finish_all(struct redis *redis, struct redis_asks *list, int64_t error)
{
    while (!STAILQ_EMPTY(list)) {
        struct redis_ask *own = STAILQ_FIRST(list);
        STAILQ_REMOVE_HEAD(list, link);
        if (own->ask.answer.result == 0)
            own->ask.answer.result = error;
        finish(redis, own);
    }
}

/* Answers it without its reply, which is still to come. */
static void give_up(struct redis_ask *own)
{
    own->late = true;
    own->ask.answer.result = -ETIMEDOUT;
    store_kind_done(&own->ask);
}

/* Sends it, or lets it wait for the connection. */
static void dispatch(struct redis *redis, struct redis_ask *own)
{
    own->listed = true;
    redis->n++;
    bool now = redis->stands || own->errand != REDIS_ASKED;
    if (now && send_ask(redis, own)) {
        STAILQ_INSERT_TAIL(&redis->sent, own, link);
    } else if (redis->away && now_ms() - redis->away > PATIENCE_MS) {
        own->deadline = 0;
        STAILQ_INSERT_HEAD(&redis->waiting, own, link);
    } else {
        STAILQ_INSERT_TAIL(&redis->waiting, own, link);
    }
    schedule(redis);
}

static struct redis_ask *make(const struct redis *redis, const struct store_request *request,
                              enum redis_ask_errand errand)
{
    return redis_ask_make(request, errand, now_ms() + redis->options.link.timeout_ms);
}

static struct store_ask *ask(struct store *store, const struct store_request *request)
{
    struct redis *redis = (struct redis *)store;
    int64_t wrong = redis_ask_check(request);
    if (redis->n >= WAITING_MAX)
        return NULL;
    struct redis_ask *own = make(redis, wrong ? NULL : request, REDIS_ASKED);
    if (!own)
        return NULL;
    if (!wrong) {
        dispatch(redis, own);
        return &own->ask;
    }
    own->ask.answer.result = wrong;
    own->deadline = 0;
    own->listed = true;
    redis->n++;
    STAILQ_INSERT_HEAD(&redis->waiting, own, link);
    schedule(redis);
    return &own->ask;
}

static void end(struct store_ask *ask)
{
    struct redis_ask *own = (struct redis_ask *)ask;
    ask->done = NULL;
    own->orphan = true;
    if (!own->listed)
        redis_ask_free(own);
}

/* --- answers ---------------------------------------------------------------------------------- */

static uint64_t hash_of(const char *id)
{
    uint64_t hash = 14695981039346656037U; /* FNV-1a */
    for (; *id; id++)
        hash = (hash ^ (uint8_t)*id) * 1099511628211U;
    return hash ? hash : 1;
}

/* Whether this is a store to go on with; it is logged why not. */
static bool acceptable(struct redis *redis, const char *id, int64_t version)
{
    uint64_t hash = hash_of(id), before = 0;
    if (!*id || strlen(id) >= ID_TEXT) {
        redis_link_fail(redis->link, -ENODATA,
                        *redis->options.seen
                            ? "it holds no store any more: has it been emptied?"
                            : "it holds no store: `moonboot state create` makes one");
        return false;
    }
    if (redis->options.create &&
        !atomic_compare_exchange_strong(redis->options.seen, &before, hash) && before != hash) {
        redis_link_fail(redis->link, -ENODATA,
                        "it holds another store than before: has it been emptied? To go on with "
                        "this one, restart moonboot");
        return false;
    }
    *redis->options.seen = hash;
    if (!strcmp(id, redis->id) && version < redis->version)
        log_error("state: Redis has lost changes: it is at %lld, and was at %lld",
                  (long long)version, (long long)redis->version);
    return true;
}

static void send_waiting(struct redis *redis)
{
    struct redis_asks list = STAILQ_HEAD_INITIALIZER(list);
    STAILQ_CONCAT(&list, &redis->waiting);
    while (redis->stands && !STAILQ_EMPTY(&list)) {
        struct redis_ask *own = STAILQ_FIRST(&list);
        STAILQ_REMOVE_HEAD(&list, link);
        bool good = own->ask.answer.result == 0 && send_ask(redis, own);
        if (good)
            STAILQ_INSERT_TAIL(&redis->sent, own, link);
        else
            STAILQ_INSERT_TAIL(&redis->waiting, own, link);
    }
    STAILQ_CONCAT(&redis->waiting, &list);
}

static bool opened(struct redis *redis, const redisReply *reply)
{
    const char *id;
    int64_t version;
    if (reply->type == REDIS_REPLY_ERROR) {
        redis_link_fail(redis->link, redis_reply_error(reply->str), reply->str);
        return true;
    }
    if (!redis_reply_opened(reply, &id, &version))
        return false;
    if (!acceptable(redis, id, version))
        return true;
    if (!strcmp(id, redis->new_id) && !*redis->id)
        log_info("state: made a new store in Redis: nothing is remembered in it");
    snprintf(redis->id, sizeof redis->id, "%s", id);
    redis->version = version;
    redis->stands = true;
    redis->trouble = redis->away = 0;
    redis->health = (struct redis_health){0};
    redis_link_stands(redis->link);
    send_waiting(redis);
    return true;
}

/* Redis has not, or no more, the script: it is sent along. */
static bool again(struct redis *redis, struct redis_ask *own, const redisReply *reply)
{
    if (own->whole || reply->type != REDIS_REPLY_ERROR || strncmp(reply->str, "NOSCRIPT", 8) != 0)
        return false;
    own->whole = true;
    if (!send_ask(redis, own))
        return false;
    STAILQ_INSERT_TAIL(&redis->sent, own, link);
    return true;
}

static bool answered(struct redis *redis, struct redis_ask *own, redisReply *reply)
{
    bool good = redis_reply_read(&own->request, reply, &own->ask.answer, &own->entries);
    const struct store_answer *answer = &own->ask.answer;
    own->reply = reply;
    if (good && redis_health_note(&redis->health, &own->request, answer->result,
                                  reply->type == REDIS_REPLY_ERROR))
        log_warn("state: Redis refuses: %s", reply->str);
    if (own->request.verb == STORE_WRITE && answer->result > redis->version)
        redis->version = answer->result;
    if (answer->result == -ENODATA)
        redis_link_fail(redis->link, -ENODATA, "it holds no store any more: has it been emptied?");
    finish(redis, own);
    return good;
}

/* The reply to a PING; false: it is none. */
static bool alive(struct redis *redis, const redisReply *reply)
{
    if (reply->type == REDIS_REPLY_STATUS)
        redis_health_alive(&redis->health);
    return reply->type == REDIS_REPLY_STATUS || reply->type == REDIS_REPLY_ERROR;
}

static bool on_reply(redisReply *reply, void *arg)
{
    struct redis *redis = arg;
    struct redis_ask *own = STAILQ_FIRST(&redis->sent);
    bool good = own != NULL;
    if (own) {
        STAILQ_REMOVE_HEAD(&redis->sent, link);
        if (own->late) {
            freeReplyObject(reply);
            finish(redis, own);
        } else if (own->errand == REDIS_ASKED && again(redis, own, reply)) {
            freeReplyObject(reply);
        } else if (own->errand == REDIS_ASKED) {
            good = answered(redis, own, reply);
        } else {
            good = own->errand == REDIS_OPENS ? opened(redis, reply) : alive(redis, reply);
            freeReplyObject(reply);
            finish(redis, own);
        }
    } else {
        freeReplyObject(reply);
    }
    schedule(redis);
    return good;
}

static void on_begun(void *arg)
{
    struct redis *redis = arg;
    struct redis_ask *own = make(redis, NULL, REDIS_OPENS);
    if (own)
        own->whole = true;
    if (!own || !send_ask(redis, own)) {
        if (own)
            redis_ask_free(own);
        redis_link_fail(redis->link, -ENOMEM, "no memory to ask it");
        return;
    }
    own->listed = true;
    redis->n++;
    STAILQ_INSERT_TAIL(&redis->sent, own, link);
    schedule(redis);
}

/* Reads that were on their way are asked again; changes may have been made. */
static void on_lost(int64_t error, void *arg)
{
    struct redis *redis = arg;
    struct redis_asks failed = STAILQ_HEAD_INITIALIZER(failed);
    struct redis_asks again_list = STAILQ_HEAD_INITIALIZER(again_list);
    redis->stands = false;
    redis->trouble = error;
    if (!redis->away)
        redis->away = now_ms();
    while (!STAILQ_EMPTY(&redis->sent)) {
        struct redis_ask *own = STAILQ_FIRST(&redis->sent);
        STAILQ_REMOVE_HEAD(&redis->sent, link);
        bool reads = own->errand == REDIS_ASKED && own->request.verb != STORE_WRITE && !own->late;
        if (reads && error == -ECONNRESET)
            STAILQ_INSERT_TAIL(&again_list, own, link);
        else
            STAILQ_INSERT_TAIL(&failed, own, link);
    }
    STAILQ_CONCAT(&again_list, &redis->waiting);
    STAILQ_CONCAT(&redis->waiting, &again_list);
    finish_all(redis, &failed, error == -ENOTCONN ? -ECONNRESET : error);
    schedule(redis);
}

static void ping(struct redis *redis)
{
    struct redis_ask *own = make(redis, NULL, REDIS_PINGS);
    if (own)
        dispatch(redis, own);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct redis *redis = arg;
    struct redis_asks late = STAILQ_HEAD_INITIALIZER(late);
    struct redis_ask *own;
    int64_t now = now_ms();
    bool away = redis->away && now - redis->away > PATIENCE_MS;
    (void)fd;
    (void)what;
    redis->stood = !redis->stood && now - redis->due > STOOD_MS;
    if (redis->stood)
        redis->awake = now;
    while ((own = STAILQ_FIRST(&redis->waiting)) && (away || own->deadline <= now)) {
        STAILQ_REMOVE_HEAD(&redis->waiting, link);
        STAILQ_INSERT_TAIL(&late, own, link);
    }
    finish_all(redis, &late, redis->trouble ? redis->trouble : -ENOTCONN);
    STAILQ_FOREACH(own, &redis->sent, link)
    {
        if (own->errand == REDIS_ASKED && !own->late && late_at(redis, own) <= now)
            give_up(own);
    }
    own = STAILQ_FIRST(&redis->sent);
    if (own && (silent_at(redis, own) <= now ||
                (own->errand != REDIS_ASKED && late_at(redis, own) <= now)))
        redis_link_fail(redis->link, -ETIMEDOUT, "it does not answer");
    else if (redis->stands && !own && now - redis_link_heard(redis->link) >= IDLE_MS)
        ping(redis);
    schedule(redis);
}

/* --- the store -------------------------------------------------------------------------------- */

static int64_t trouble(const struct store *store)
{
    const struct redis *redis = (const struct redis *)store;
    if (redis->stands)
        return redis_health_trouble(&redis->health);
    return redis->trouble ? redis->trouble : -ENOTCONN;
}

static void close_redis(struct store *store)
{
    struct redis *redis = (struct redis *)store;
    while (redis->link && (redis_ask_writes(&redis->waiting) || redis_ask_writes(&redis->sent)))
        event_base_loop(redis->base, EVLOOP_ONCE);
    redis_link_close(redis->link);
    finish_all(redis, &redis->waiting, -ENOTCONN);
    finish_all(redis, &redis->sent, -ENOTCONN);
    if (redis->timer)
        event_free(redis->timer);
    free(redis);
}

static const struct store_kind redis_kind = {
    .ask = ask, .end = end, .trouble = trouble, .close = close_redis};

struct store *store_redis_open(struct event_base *base, const struct store_redis_options *options)
{
    unsigned char id[(ID_TEXT - 1) / 2];
    struct redis *redis = calloc(1, sizeof *redis);
    if (!redis)
        return NULL;
    redis->store.kind = &redis_kind;
    redis->base = base;
    redis->options = *options;
    if (!redis->options.seen)
        redis->options.seen = &redis->own_seen;
    redis->options.link.begun = on_begun;
    redis->options.link.replied = on_reply;
    redis->options.link.lost = on_lost;
    redis->options.link.arg = redis;
    STAILQ_INIT(&redis->waiting);
    STAILQ_INIT(&redis->sent);
    redis->timer = evtimer_new(base, on_timer, redis);
    evutil_secure_rng_get_bytes(id, sizeof id);
    sodium_bin2hex(redis->new_id, sizeof redis->new_id, id, sizeof id);
    if (redis->timer && redis_command_names(&redis->names, options->prefix))
        redis->link = redis_link_open(base, &redis->options.link);
    if (redis->link)
        return &redis->store;
    close_redis(&redis->store);
    return NULL;
}
