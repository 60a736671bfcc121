#include "store_local.h"

#include <errno.h>
#include <stdlib.h>

#include "store_kind.h"
#include "store_lmdb.h"
#include "store_writer.h"

struct local {
    struct store store;
    struct store_writer *writer;
};

struct local_ask {
    struct store_ask ask;
    struct store_write *write; /* NULL: it is done */
};

static struct store_lmdb *lmdb_of(struct store *store)
{
    return store_writer_store(((struct local *)store)->writer);
}

static int get(struct store *store, struct bytes key, struct store_entry *entry)
{
    return store_lmdb_get(lmdb_of(store), key, entry);
}

static int next(struct store *store, struct bytes prefix, struct bytes after,
                struct store_entry *entry)
{
    return store_lmdb_next(lmdb_of(store), prefix, after, entry);
}

static void on_written(const struct store_change *change, void *arg)
{
    struct local_ask *own = arg;
    own->write = NULL;
    own->ask.answer.result = change->result;
    store_kind_done(&own->ask);
}

/* Reading is at once: only changes are asked for. */
static struct store_ask *ask(struct store *store, const struct store_request *request)
{
    struct local_ask *own = calloc(1, sizeof *own);
    if (own)
        own->write =
            store_writer_add(((struct local *)store)->writer, &request->change, on_written, own);
    if (own && own->write)
        return &own->ask;
    free(own);
    return NULL;
}

static void end(struct store_ask *ask)
{
    struct local_ask *own = (struct local_ask *)ask;
    if (own->write)
        store_writer_forget(own->write);
    free(own);
}

static void rest(struct store *store)
{
    store_lmdb_rest(lmdb_of(store));
}

static void close_local(struct store *store)
{
    store_writer_close(((struct local *)store)->writer);
    free(store);
}

static const struct store_kind local_kind = {
    .get = get, .next = next, .ask = ask, .end = end, .rest = rest, .close = close_local};

int store_local_open(struct store **store, struct event_base *base, const char *path,
                     size_t max_bytes)
{
    struct store_lmdb *lmdb = NULL;
    struct local *local = calloc(1, sizeof *local);
    int error = local ? store_lmdb_open(&lmdb, path, max_bytes) : -ENOMEM;
    if (!error && !(local->writer = store_writer_open(base, lmdb)))
        error = -ENOMEM;
    if (error) {
        free(local);
        return error;
    }
    local->store.kind = &local_kind;
    *store = &local->store;
    return 0;
}
