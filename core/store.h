/* State that outlives the service: keys and texts in LMDB, a directory of its own. Many processes
 * share it; readers never wait for writers; what is written is on disk when store_apply returns,
 * and after a crash all of a change is there or nothing. */
#ifndef MOONBOOT_STORE_H
#define MOONBOOT_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "bytes.h"

#define STORE_KEY_MAX  400
#define STORE_TEXT_MAX 65536

/* Versions are greater than 0 and less than 2^53. */
#define STORE_ANY    (-1) /* whatever there is */
#define STORE_ABSENT 0    /* only if there is nothing */

struct store;

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
    int64_t result;  /* of store_apply: the new version, 0 after deleting, -EAGAIN when another
                      * came first, or a negative errno: store_problem says what */
};

/* Makes the directory, for that user, unless it is there. 0 or a negative errno. */
int store_prepare(const char *path, uid_t uid, gid_t gid);

/* Opens it, for this process: it is not to be used after a fork. 0 or a negative errno.
 * `max_bytes`: what the entries may take; the file may become twice as large. */
int store_open(struct store **store, const char *path, size_t max_bytes);
void store_close(struct store *store);

/* Ends what the last read has held on to: until then writers cannot use its pages again. The
 * views that it gave end with it. */
void store_rest(struct store *store);

/* 0, -ENOENT, or a negative errno. To be called by one thread only, like store_next. */
int store_get(struct store *store, struct bytes key, struct store_entry *entry);

/* The first entry after the key `after` (empty: the first of all) whose key begins with `prefix`:
 * 0, -ENOENT when there is none, or a negative errno. */
int store_next(struct store *store, struct bytes prefix, struct bytes after,
               struct store_entry *entry);

/* Makes these changes, one after the other and all with one sync, and forgets some of what has
 * ended. May block for as long as a disk takes. By one thread only, which may be another. */
void store_apply(struct store *store, struct store_change *const *changes, size_t n);

/* What a negative errno of these functions means. */
const char *store_problem(int64_t error);

#endif
