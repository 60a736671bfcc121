/* Writing to the store without waiting for the disk: a thread takes what has gathered and makes
 * it one commit, while the event loop goes on. */
#ifndef MOONBOOT_STORE_WRITER_H
#define MOONBOOT_STORE_WRITER_H

#include <event2/event.h>

#include "store_lmdb.h"

struct store_writer;
struct store_write;

/* Called once, from the event loop, when the change is on disk or has failed. The write is gone
 * afterwards. */
typedef void store_written(const struct store_change *change, void *arg);

/* Takes the store over. NULL when memory or threads are out (the store is closed). */
struct store_writer *store_writer_open(struct event_base *base, struct store_lmdb *store);

/* Ends when all that was handed over is written. */
void store_writer_close(struct store_writer *writer);

struct store_lmdb *store_writer_store(struct store_writer *writer);

/* Hands a change over; its bytes are copied. NULL when memory is out, or too many wait. */
struct store_write *store_writer_add(struct store_writer *writer, const struct store_change *change,
                                     store_written *done, void *arg);

/* `done` is not to be called any more; the change is made all the same. */
void store_writer_forget(struct store_write *write);

#endif
