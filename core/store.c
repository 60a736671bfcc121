#include "store.h"

#include <errno.h>
#include <string.h>

#include "metrics.h"
#include "store_kind.h"

static const struct {
    int64_t error;
    enum metrics_counter counter;
    const char *problem;
} troubles[] = {
    {-EDQUOT, METRICS_STATE_FULL, "the store is full: see state.max_mb"},
    {-ENOSPC, METRICS_STATE_FULL, "there is no room left where the store is"},
    {-EOVERFLOW, METRICS_STATE_FULL, "Redis is full: see its maxmemory"},
    {-EIO, METRICS_STATE_FULL, "the disk fails, or is full"},
    {-ESTALE, METRICS_STATE_OTHER, "another process lets the store grow further: restart this one"},
    {-EUSERS, METRICS_STATE_OTHER, "too many processes read the store"},
    {-EBADMSG, METRICS_STATE_OTHER, "the store's file is damaged, or none"},
    {-EMSGSIZE, METRICS_STATE_OTHER, "the key or the value is too long"},
    {-ENOTCONN, METRICS_STATE_AWAY, "Redis is away: see the log"},
    {-ECONNRESET, METRICS_STATE_LOST,
     "the connection to Redis was lost: whether that was done is not known"},
    {-ETIMEDOUT, METRICS_STATE_TIMEOUT,
     "Redis does not answer in time: whether that was done is not known"},
    {-EACCES, METRICS_STATE_OTHER,
     "the store's directory, or a file in it, is not this user's to write: see state.path"},
    {-EKEYREJECTED, METRICS_STATE_DENIED,
     "Redis denies it: see state.user and state.password_file, and its ACL"},
    {-EROFS, METRICS_STATE_READONLY, "this Redis is a replica, which takes no writes"},
    {-EBUSY, METRICS_STATE_BUSY, "Redis is loading its data, or busy"},
    {-EILSEQ, METRICS_STATE_WRONG_TYPE,
     "Redis holds something else under these keys: see state.prefix"},
    {-EPROTO, METRICS_STATE_NONSENSE, "Redis has answered what makes no sense"},
    {-ENODATA, METRICS_STATE_NO_STORE,
     "Redis holds no store here, or another than before: has it been emptied? See "
     "`moonboot state create` and `import`"},
    {-EREMOTEIO, METRICS_STATE_OTHER, "Redis refuses it: see the log"},
    {-EAGAIN, METRICS_N_COUNTERS, "another has written there"},
};

const char *store_problem(int64_t error)
{
    for (size_t i = 0; i < sizeof troubles / sizeof *troubles; i++) {
        if (troubles[i].error == error)
            return troubles[i].problem;
    }
    return strerror((int)-error);
}

/* That nothing is there, or another came first, is no trouble. */
static void count(const struct store *store, int64_t result)
{
    enum metrics_counter counter = METRICS_STATE_OTHER;
    if (!store->metrics || result >= 0 || result == -ENOENT)
        return;
    for (size_t i = 0; i < sizeof troubles / sizeof *troubles; i++) {
        if (troubles[i].error == result)
            counter = troubles[i].counter;
    }
    if (counter < METRICS_N_COUNTERS)
        metrics_inc(store->metrics, counter);
}

static int read_counted(const struct store *store, int result)
{
    if (store->metrics && result != -EINPROGRESS)
        metrics_inc(store->metrics, METRICS_STATE_READS);
    if (result != -EINPROGRESS)
        count(store, result);
    return result;
}

void store_close(struct store *store)
{
    if (store)
        store->kind->close(store);
}

void store_count(struct store *store, struct metrics *metrics)
{
    store->metrics = metrics;
}

int store_get(struct store *store, struct bytes key, struct store_entry *entry)
{
    return store->kind->get ? read_counted(store, store->kind->get(store, key, entry))
                            : -EINPROGRESS;
}

int store_next(struct store *store, struct bytes prefix, struct bytes after,
               struct store_entry *entry)
{
    return store->kind->next ? read_counted(store, store->kind->next(store, prefix, after, entry))
                             : -EINPROGRESS;
}

void store_rest(struct store *store)
{
    if (store->kind->rest)
        store->kind->rest(store);
}

struct store_ask *store_ask(struct store *store, const struct store_request *request,
                            store_done *done, void *arg)
{
    struct store_ask *ask = store->kind->ask(store, request);
    if (store->metrics)
        metrics_inc(store->metrics,
                    request->verb == STORE_WRITE ? METRICS_STATE_WRITES : METRICS_STATE_READS);
    if (!ask)
        return NULL;
    ask->store = store;
    ask->done = done;
    ask->arg = arg;
    return ask;
}

const struct store_answer *store_answer(const struct store_ask *ask)
{
    return &ask->answer;
}

void store_end(struct store_ask *ask)
{
    if (ask)
        ask->store->kind->end(ask);
}

int64_t store_trouble(const struct store *store)
{
    return store->kind->trouble ? store->kind->trouble(store) : 0;
}

void store_kind_done(struct store_ask *ask)
{
    count(ask->store, ask->answer.result);
    if (ask->done)
        ask->done(ask->arg);
}
