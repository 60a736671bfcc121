/* Something asked of Redis, from the asking to its answer. */
#ifndef MOONBOOT_REDIS_ASK_H
#define MOONBOOT_REDIS_ASK_H

#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "store_kind.h"

enum redis_ask_errand { REDIS_ASKED, REDIS_OPENS, REDIS_PINGS };

struct redis_ask {
    struct store_ask ask;
    STAILQ_ENTRY(redis_ask) link;
    struct store_request request; /* its bytes follow this struct */
    enum redis_ask_errand errand;
    bool listed; /* in one of the lists of store_redis.c */
    bool orphan; /* nobody will end it */
    bool whole;  /* sent with the script itself, as Redis did not know it */
    bool late;   /* answered before its reply, which is dropped when it comes */
    int64_t deadline;
    int64_t sent_at;
    redisReply *reply; /* what the answer views; NULL: none */
    struct store_entry *entries;
};

STAILQ_HEAD(redis_asks, redis_ask);

/* What is wrong with a request from the beginning; 0: nothing. */
int64_t redis_ask_check(const struct store_request *request);

/* `request` (NULL: an empty one) is copied. NULL when memory is out. */
struct redis_ask *redis_ask_make(const struct store_request *request, enum redis_ask_errand errand,
                                 int64_t deadline);
void redis_ask_free(struct redis_ask *own);

/* Whether there are changes among them whose answers are waited for. */
bool redis_ask_writes(const struct redis_asks *list);

#endif
