#include "http_cache.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <time.h>

#include "http_share.h"
#include "metrics.h"

#define BUCKETS 1024 /* a power of two */

/* What is known for a key, and the request that is under way for it. In the cache's lists, unless
 * it is private. It lives as long as somebody waits for it, it is asked for, or it is kept. */
struct entry {
    LIST_ENTRY(entry) link; /* in its bucket */
    TAILQ_ENTRY(entry) age; /* those used last are last */
    struct http_cache *cache;
    bool kept;
    unsigned users;                        /* waiters, and who walks over them */
    struct http_client_transfer *transfer; /* one of these two, while it is asked for */
    struct http_flight *flight;
    LIST_HEAD(waiter_list, http_waiter) waiters;
    struct http_answer answer; /* status 0: none yet. Its texts are in `data` */
    int64_t at;                /* when that came */
    char *data;
    size_t size;
    size_t key_len;
    char key[];
};

struct http_waiter {
    LIST_ENTRY(http_waiter) link; /* in its entry's waiters */
    struct entry *entry;
    struct event *timer; /* NULL: the answer is not there yet */
    struct http_cache_rules rules;
    http_client_done *done;
    void *arg;
};

struct http_cache {
    struct event_base *base;
    struct http_client *client;
    struct metrics *metrics;  /* NULL: nobody counts */
    struct http_share *share; /* NULL: each worker asks for itself */
    LIST_HEAD(, entry) buckets[BUCKETS];
    TAILQ_HEAD(entry_queue, entry) used;
    unsigned n_entries;
    size_t bytes;
};

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static size_t bucket_of(struct bytes key)
{
    uint64_t hash = 14695981039346656037U; /* FNV-1a */
    for (size_t i = 0; i < key.len; i++)
        hash = (hash ^ key.data[i]) * 1099511628211U;
    return (size_t)(hash ^ hash >> 32) & (BUCKETS - 1);
}

/* --- entries ------------------------------------------------------------------------------ */

static size_t weight(const struct entry *entry)
{
    return sizeof *entry + entry->key_len + entry->size;
}

static void forget(struct entry *entry)
{
    struct http_cache *cache = entry->cache;
    if (!entry->kept)
        return;
    entry->kept = false;
    LIST_REMOVE(entry, link);
    TAILQ_REMOVE(&cache->used, entry, age);
    cache->n_entries--;
    cache->bytes -= weight(entry);
}

static bool is_asked(const struct entry *entry)
{
    return entry->transfer || entry->flight;
}

static void free_unused(struct entry *entry)
{
    if (entry->kept || entry->users > 0 || is_asked(entry))
        return;
    free(entry->data);
    free(entry);
}

/* Makes room, of what nobody is using. */
static void evict(struct http_cache *cache)
{
    struct entry *entry, *next;
    for (entry = TAILQ_FIRST(&cache->used);
         entry && (cache->n_entries > HTTP_CACHE_ENTRIES || cache->bytes > HTTP_CACHE_BYTES);
         entry = next) {
        next = TAILQ_NEXT(entry, age);
        if (entry->users > 0 || is_asked(entry))
            continue;
        forget(entry);
        free_unused(entry);
    }
}

/* The entry of that key, made if there is none; a private one without a key. */
static struct entry *entry_of(struct http_cache *cache, struct bytes key)
{
    size_t bucket = bucket_of(key);
    struct entry *entry;
    if (key.len) {
        LIST_FOREACH(entry, &cache->buckets[bucket], link)
        {
            if (entry->key_len == key.len && !memcmp(entry->key, key.data, key.len)) {
                TAILQ_REMOVE(&cache->used, entry, age);
                TAILQ_INSERT_TAIL(&cache->used, entry, age);
                return entry;
            }
        }
    }
    entry = calloc(1, sizeof *entry + key.len);
    if (!entry)
        return NULL;
    entry->cache = cache;
    LIST_INIT(&entry->waiters);
    entry->key_len = key.len;
    if (key.len == 0)
        return entry;
    memcpy(entry->key, key.data, key.len);
    entry->kept = true;
    LIST_INSERT_HEAD(&cache->buckets[bucket], entry, link);
    TAILQ_INSERT_TAIL(&cache->used, entry, age);
    cache->n_entries++;
    cache->bytes += weight(entry);
    entry->users++; /* not this one */
    evict(cache);
    entry->users--;
    return entry;
}

/* Keeps a copy of the answer; false when memory is out. */
static bool keep(struct entry *entry, const struct http_answer *answer)
{
    size_t type = strlen(answer->type) + 1, size = type + answer->body.len;
    char *data = malloc(size);
    if (!data)
        return false;
    memcpy(data, answer->type, type);
    if (answer->body.len)
        memcpy(data + type, answer->body.data, answer->body.len);
    if (entry->kept)
        entry->cache->bytes += size - entry->size;
    free(entry->data);
    entry->data = data;
    entry->size = size;
    entry->answer = (struct http_answer){
        .status = answer->status,
        .type = data,
        .body = {(const uint8_t *)data + type, answer->body.len},
    };
    entry->at = now_ms() - answer->age_ms;
    return true;
}

/* --- waiting ------------------------------------------------------------------------------ */

/* It is in no list any more. */
static void waiter_free(struct http_waiter *waiter)
{
    struct entry *entry = waiter->entry;
    if (waiter->timer)
        event_free(waiter->timer);
    free(waiter);
    entry->users--;
}

static void tell(struct http_waiter *waiter, const struct http_answer *answer)
{
    http_client_done *done = waiter->done;
    void *arg = waiter->arg;
    waiter_free(waiter);
    done(answer, arg);
}

static void count(const struct http_cache *cache, enum metrics_counter counter)
{
    if (cache->metrics)
        metrics_inc(cache->metrics, counter);
}

static bool younger(const struct entry *entry, int64_t than)
{
    return entry->answer.status && now_ms() - entry->at < than;
}

/* A server that fails is asked again by the next one; what it said before may do until then. */
static void on_answer(const struct http_answer *answer, void *arg)
{
    struct entry *entry = arg;
    struct http_waiter *waiter;
    bool failed = answer->status == 0 || answer->status >= 500;
    entry->transfer = NULL;
    entry->flight = NULL;
    entry->users++;
    if (!failed && entry->key_len && keep(entry, answer))
        answer = &entry->answer;
    struct waiter_list told = entry->waiters; /* who asks again is not one of them */
    LIST_INIT(&entry->waiters);
    if (LIST_FIRST(&told))
        LIST_FIRST(&told)->link.le_prev = &LIST_FIRST(&told);
    while ((waiter = LIST_FIRST(&told))) {
        LIST_REMOVE(waiter, link);
        const struct http_answer *old = failed ? http_cache_late(waiter) : NULL;
        tell(waiter, old ? old : answer);
    }
    entry->users--;
    struct http_cache *cache = entry->cache;
    if (entry->answer.status == 0 && !is_asked(entry))
        forget(entry);
    free_unused(entry);
    evict(cache);
}

/* The one who asks for all has an old answer, and asks for a new one. */
static void on_old(const struct http_answer *answer, void *arg)
{
    struct entry *entry = arg;
    if (entry->answer.status == 0 || now_ms() - entry->at > answer->age_ms)
        keep(entry, answer);
}

static void on_alone(const struct http_question *question, void *arg)
{
    const struct http_answer failure = {.problem = "too much is asked by HTTP at once", .type = ""};
    struct entry *entry = arg;
    entry->flight = NULL;
    entry->transfer = http_client_ask(entry->cache->client, question, on_answer, entry);
    if (!entry->transfer)
        on_answer(&failure, entry);
}

/* Of what has a key one worker asks for all. */
static bool start(struct entry *entry, const struct http_question *question,
                  const struct http_cache_rules *rules)
{
    static const struct http_flight_hooks hooks = {on_answer, on_old, on_alone};
    struct http_cache *cache = entry->cache;
    if (rules->key.len)
        entry->flight = http_share_ask(cache->share, question, rules, &hooks, entry);
    if (!entry->flight)
        entry->transfer = http_client_ask(cache->client, question, on_answer, entry);
    return is_asked(entry);
}

static void on_ready(evutil_socket_t fd, short what, void *arg)
{
    struct http_waiter *waiter = arg;
    struct entry *entry = waiter->entry;
    (void)fd;
    (void)what;
    entry->users++;
    LIST_REMOVE(waiter, link);
    entry->answer.age_ms = now_ms() - entry->at;
    tell(waiter, &entry->answer);
    entry->users--;
    free_unused(entry);
}

/* What is there is told from the event loop. */
static bool make_ready(struct http_waiter *waiter)
{
    struct timeval now = {0};
    waiter->timer = evtimer_new(waiter->entry->cache->base, on_ready, waiter);
    return waiter->timer && evtimer_add(waiter->timer, &now) == 0;
}

struct http_waiter *http_cache_ask(struct http_cache *cache, const struct http_question *question,
                                   const struct http_cache_rules *rules, http_client_done *done,
                                   void *arg)
{
    struct entry *entry = entry_of(cache, rules->key);
    struct http_waiter *waiter = entry ? calloc(1, sizeof *waiter) : NULL;
    if (!entry)
        return NULL;
    bool good = waiter != NULL;
    if (good) {
        *waiter = (struct http_waiter){.entry = entry, .rules = *rules, .done = done, .arg = arg};
        entry->users++;
        LIST_INSERT_HEAD(&entry->waiters, waiter, link);
        if (younger(entry, rules->ttl_ms)) {
            good = make_ready(waiter);
            count(cache, METRICS_HTTP_CACHE_FRESH);
        } else if (is_asked(entry)) {
            count(cache, METRICS_HTTP_CACHE_JOINED);
        } else {
            good = start(entry, question, rules);
        }
    }
    if (good)
        return waiter;
    if (waiter) {
        LIST_REMOVE(waiter, link);
        waiter_free(waiter);
    }
    if (entry->answer.status == 0 && !is_asked(entry))
        forget(entry);
    free_unused(entry);
    return NULL;
}

const struct http_answer *http_cache_stale(const struct http_waiter *waiter)
{
    struct entry *entry = waiter->entry;
    bool good = younger(entry, waiter->rules.ttl_ms + waiter->rules.stale_ms);
    entry->answer.age_ms = good ? now_ms() - entry->at : 0;
    return good ? &entry->answer : NULL;
}

const struct http_answer *http_cache_late(const struct http_waiter *waiter)
{
    const struct http_answer *old = http_cache_stale(waiter);
    if (old)
        count(waiter->entry->cache, METRICS_HTTP_CACHE_STALE);
    return old;
}

void http_cache_leave(struct http_waiter *waiter)
{
    struct entry *entry = waiter->entry;
    LIST_REMOVE(waiter, link);
    waiter_free(waiter);
    if (entry->key_len == 0 && entry->transfer && LIST_EMPTY(&entry->waiters)) {
        http_client_cancel(entry->transfer);
        entry->transfer = NULL;
    }
    free_unused(entry);
}

/* --- the cache ---------------------------------------------------------------------------- */

struct http_cache *http_cache_open(struct event_base *base)
{
    struct http_cache *cache = calloc(1, sizeof *cache);
    if (!cache)
        return NULL;
    cache->base = base;
    TAILQ_INIT(&cache->used);
    cache->client = http_client_open(base);
    if (cache->client)
        return cache;
    free(cache);
    return NULL;
}

void http_cache_measure(struct http_cache *cache, struct metrics *metrics)
{
    cache->metrics = metrics;
    http_client_measure(cache->client, metrics);
}

bool http_cache_share(struct http_cache *cache, const int *fds)
{
    cache->share = http_share_open(cache->base, cache, fds);
    return cache->share != NULL;
}

void http_cache_close(struct http_cache *cache)
{
    if (!cache)
        return;
    http_share_close(cache->share);
    http_client_close(cache->client);
    struct entry *entry, *next;
    for (entry = TAILQ_FIRST(&cache->used); entry; entry = next) {
        next = TAILQ_NEXT(entry, age);
        entry->transfer = NULL;
        entry->flight = NULL;
        forget(entry);
        free_unused(entry);
    }
    free(cache);
}
