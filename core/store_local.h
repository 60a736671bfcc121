/* The store of this host: LMDB, read at once and written by a thread. */
#ifndef MOONBOOT_STORE_LOCAL_H
#define MOONBOOT_STORE_LOCAL_H

#include <event2/event.h>

#include "store.h"

/* Opens it, for this process: 0 or a negative errno. `max_bytes`: what the entries may take. */
int store_local_open(struct store **store, struct event_base *base, const char *path,
                     size_t max_bytes);

#endif
