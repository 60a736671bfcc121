/* The store that site.yaml names: what it takes to open it, and opening it. */
#ifndef MOONBOOT_STATE_H
#define MOONBOOT_STATE_H

#include <event2/event.h>
#include <stddef.h>

#include "config.h"
#include "problems.h"
#include "secret.h"
#include "store.h"
#include "store_redis.h"
#include "tls_client.h"

/* Of Redis: read by who may, and inherited by his processes. */
struct state_trust {
    struct secret password;
    struct tls_client *tls;
};

/* What is wrong is added to `problems`. */
void state_trust_open(struct state_trust *trust, const struct config *config,
                      struct problems *problems);
void state_trust_close(struct state_trust *trust);

/* Which store has been seen, in memory that the processes of a generation share. It begins with
 * what the one before has `seen` (NULL: there is none before) when both name the same place:
 * another place may have another store. NULL when memory is out. */
store_redis_seen *state_seen_open(const struct config *config, const struct config *before,
                                  const store_redis_seen *seen);
void state_seen_close(store_redis_seen *seen);

/* Makes what the store needs, for that user (NULL: who this is): LMDB's directory. 0 or a negative
 * errno; -EINVAL: there is no such user. */
int state_prepare(const struct config *config, const char *user);

/* Opens it, for this process. 0 or a negative errno. Redis is not waited for. */
int state_open(struct store **store, const struct config *config, const struct state_trust *trust,
               struct event_base *base, store_redis_seen *seen);

/* What messages call it: a path, or "Redis at HOST:PORT". */
void state_name(const struct config *config, char *name, size_t size);

#endif
