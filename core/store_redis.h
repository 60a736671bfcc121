/* The store of several moonboots: Redis, over one connection a process. What is asked while it is
 * away waits for a moment (a restart passes unseen), and fails at once when it stays away. */
#ifndef MOONBOOT_STORE_REDIS_H
#define MOONBOOT_STORE_REDIS_H

#include <event2/event.h>
#include <stdatomic.h>

#include "redis_link.h"
#include "store.h"

/* Which store a generation has seen, for all of its processes: 0, or a hash of its id. */
typedef _Atomic uint64_t store_redis_seen;

struct store_redis_options {
    struct redis_link_options link; /* its functions are store_redis.c's */
    const char *prefix;             /* of its keys in Redis */
    /* A store that is not there is made, unless there was one before: one that was emptied is an
     * error, and never a store in which nothing has been done. False: it is made by nobody
     * here, and taken as it is found. */
    bool create;
    store_redis_seen *seen; /* NULL: of this process alone */
};

/* NULL when memory is out. */
struct store *store_redis_open(struct event_base *base, const struct store_redis_options *options);

#endif
