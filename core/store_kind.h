/* The kinds of store: each is a file, with structs that begin with those below. */
#ifndef MOONBOOT_STORE_KIND_H
#define MOONBOOT_STORE_KIND_H

#include "store.h"

struct store_kind {
    int (*get)(struct store *store, struct bytes key, struct store_entry *entry); /* NULL: never */
    int (*next)(struct store *store, struct bytes prefix, struct bytes after,
                struct store_entry *entry);
    struct store_ask *(*ask)(struct store *store, const struct store_request *request);
    void (*end)(struct store_ask *ask);
    void (*rest)(struct store *store);             /* NULL: there is nothing to end */
    int64_t (*trouble)(const struct store *store); /* NULL: never */
    void (*close)(struct store *store);
};

struct store {
    const struct store_kind *kind;
    struct metrics *metrics;
};

struct store_ask {
    struct store *store;
    struct store_answer answer;
    store_done *done; /* set once `ask` has returned; NULL: nobody wants to know */
    void *arg;
};

/* Its answer is there: counts it, and tells. It may be gone afterwards. */
void store_kind_done(struct store_ask *ask);

#endif
