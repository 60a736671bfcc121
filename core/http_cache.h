/* Answers of other servers, shared by all who ask the same: one request a key is under way at a
 * time (of all workers: http_share.h), and its answer is kept for a while. A request goes on when
 * nobody waits for it any more, so that who asks again finds the answer ready. */
#ifndef MOONBOOT_HTTP_CACHE_H
#define MOONBOOT_HTTP_CACHE_H

#include <stdint.h>

#include "http_client.h"

struct http_cache;
struct http_waiter;

/* The entries and bytes that are kept at most. */
#define HTTP_CACHE_ENTRIES 4096
#define HTTP_CACHE_BYTES   ((size_t)16 << 20)

struct http_cache_rules {
    struct bytes key; /* empty: nothing is shared or kept, and who leaves ends the request */
    int64_t ttl_ms;   /* so old an answer may be, else it is asked anew */
    int64_t stale_ms; /* so much older it may be, when the server fails */
};

/* NULL when memory is out. */
struct http_cache *http_cache_open(struct event_base *base);

/* Counts there what is asked, and what need not be. */
struct metrics;
void http_cache_measure(struct http_cache *cache, struct metrics *metrics);

/* From here on what has a key is asked by one worker for all (http_share.h, with its descriptors).
 * False when memory is out: each asks for itself. */
bool http_cache_share(struct http_cache *cache, const int *fds);

void http_cache_close(struct http_cache *cache);

/* `done` is called once, from the event loop, never before this returns; the waiter is gone then.
 * NULL when memory is out, or too much is asked already. */
struct http_waiter *http_cache_ask(struct http_cache *cache, const struct http_question *question,
                                   const struct http_cache_rules *rules, http_client_done *done,
                                   void *arg);

/* An old answer that is better than none, for who can wait no longer; NULL: there is none. It
 * lives until http_cache_leave. */
const struct http_answer *http_cache_stale(const struct http_waiter *waiter);

/* The same, for who is given it. */
const struct http_answer *http_cache_late(const struct http_waiter *waiter);

/* Waits no longer: `done` is not called any more. */
void http_cache_leave(struct http_waiter *waiter);

#endif
