/* State in LMDB, a directory of its own. Many processes share it; readers never wait for writers;
 * what is written is on disk when store_lmdb_apply returns, and after a crash all of a change is
 * there or nothing. */
#ifndef MOONBOOT_STORE_LMDB_H
#define MOONBOOT_STORE_LMDB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "store.h"

struct store_lmdb;

/* Makes the directory, for that user, unless it is there. 0 or a negative errno. */
int store_lmdb_prepare(const char *path, uid_t uid, gid_t gid);

/* Opens it, for this process: it is not to be used after a fork. 0 or a negative errno.
 * `max_bytes`: what the entries may take; the file may become twice as large. */
int store_lmdb_open(struct store_lmdb **store, const char *path, size_t max_bytes);
void store_lmdb_close(struct store_lmdb *store);

/* Ends what the last read has held on to: until then writers cannot use its pages again. The
 * views that it gave end with it. */
void store_lmdb_rest(struct store_lmdb *store);

/* 0, -ENOENT, or a negative errno. To be called by one thread only, like store_lmdb_next. */
int store_lmdb_get(struct store_lmdb *store, struct bytes key, struct store_entry *entry);

/* The first entry after the key `after` (empty: the first of all) whose key begins with `prefix`:
 * 0, -ENOENT when there is none, or a negative errno. */
int store_lmdb_next(struct store_lmdb *store, struct bytes prefix, struct bytes after,
                    struct store_entry *entry);

/* Makes these changes, one after the other and all with one sync, and forgets some of what has
 * ended. May block for as long as a disk takes. By one thread only, which may be another. */
void store_lmdb_apply(struct store_lmdb *store, struct store_change *const *changes, size_t n);

#endif
