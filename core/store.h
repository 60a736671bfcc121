/* State that outlives the service: keys, texts and versions. It is kept by LMDB on this host, or by
 * Redis for several; nothing above knows which.
 *
 * What is at hand is read at once; else reading fails with -EINPROGRESS and is asked for, like
 * every change. */
#ifndef MOONBOOT_STORE_H
#define MOONBOOT_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bytes.h"

#define STORE_KEY_MAX  400
#define STORE_TEXT_MAX 65536

/* Versions are greater than 0 and less than 2^53. */
#define STORE_ANY    (-1) /* whatever there is */
#define STORE_ABSENT 0    /* only if there is nothing */

struct metrics;
struct store;
struct store_ask;

/* Views live until the next call of this store. */
struct store_entry {
    struct bytes key;
    struct bytes text;
    int64_t version;
    int64_t ends; /* milliseconds since 1970; 0: it stays */
};

struct store_change {
    struct bytes key;
    struct bytes text;
    bool deletes;
    int64_t ttl_ms;  /* 0: it stays */
    int64_t version; /* what must be there now: STORE_ANY, STORE_ABSENT, or that one */
    int64_t result;  /* when it is made: the new version, 0 after deleting, -EAGAIN when another
                      * came first, or a negative errno: store_problem says what */
};

enum store_verb { STORE_GET, STORE_LIST, STORE_WRITE };

struct store_request {
    enum store_verb verb;
    struct bytes key;           /* STORE_GET; of STORE_LIST what the keys begin with */
    struct bytes after;         /* STORE_LIST: the keys after this one; empty: from the first */
    struct store_change change; /* STORE_WRITE */
};

/* `result` is 0, -ENOENT when STORE_GET finds nothing, another negative errno, or of STORE_WRITE
 * what the change came to. */
struct store_answer {
    int64_t result;
    const struct store_entry *entries;
    size_t n;
    struct bytes last; /* STORE_LIST: there may be more after this key; empty: there is not */
};

void store_close(struct store *store); /* when all that was handed over is written; NULL is fine */

/* Where its requests and failures are counted from here on; NULL: nowhere. */
void store_count(struct store *store, struct metrics *metrics);

/* 0, -ENOENT, -EINPROGRESS, or another negative errno. */
int store_get(struct store *store, struct bytes key, struct store_entry *entry);

/* The first entry after the key `after` (empty: the first of all) whose key begins with `prefix`:
 * 0, -ENOENT when there is none, -EINPROGRESS, or another negative errno. */
int store_next(struct store *store, struct bytes prefix, struct bytes after,
               struct store_entry *entry);

/* Ends what the last read has held on to, and the views that it gave. */
void store_rest(struct store *store);

/* Called once, from the event loop: the answer is there, until store_end. */
typedef void store_done(void *arg);

/* Everything is copied. NULL when memory is out, or too much waits. Never done before it
 * returns. */
struct store_ask *store_ask(struct store *store, const struct store_request *request,
                            store_done *done, void *arg);
const struct store_answer *store_answer(const struct store_ask *ask);

/* Ends it, early or not: `done` is not called any more. A change is made all the same. */
void store_end(struct store_ask *ask);

/* 0: it can be asked; else the negative errno that says why not. */
int64_t store_trouble(const struct store *store);

/* What a negative errno of these functions means. */
const char *store_problem(int64_t error);

#endif
