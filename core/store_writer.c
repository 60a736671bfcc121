#include "store_writer.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <unistd.h>

#define WAITING_MAX 10000
#define GROUP_MAX   1024

struct store_write {
    STAILQ_ENTRY(store_write) link;
    struct store_change change; /* its bytes follow this struct */
    store_written *done;        /* NULL: nobody wants to know; the event loop's */
    void *arg;
};

STAILQ_HEAD(store_writes, store_write);

/* The thread has the store's writing side, the event loop its reading side. */
struct store_writer {
    struct store_lmdb *store;
    pthread_t thread;
    struct event *event; /* of `wake`: some are done */
    int wake;
    unsigned n_waiting; /* the event loop's: not done yet */
    pthread_mutex_t lock;
    pthread_cond_t filled;
    struct store_writes waiting, written; /* under the lock, like what follows */
    bool ending;
};

/* Takes up to GROUP_MAX of what waits; 0: it is over. */
static size_t take(struct store_writer *w, struct store_write **group)
{
    size_t n = 0;
    pthread_mutex_lock(&w->lock);
    while (STAILQ_EMPTY(&w->waiting) && !w->ending)
        pthread_cond_wait(&w->filled, &w->lock);
    while (n < GROUP_MAX && !STAILQ_EMPTY(&w->waiting)) {
        group[n] = STAILQ_FIRST(&w->waiting);
        STAILQ_REMOVE_HEAD(&w->waiting, link);
        n++;
    }
    pthread_mutex_unlock(&w->lock);
    return n;
}

static void give(struct store_writer *w, struct store_write **group, size_t n)
{
    uint64_t one = 1;
    pthread_mutex_lock(&w->lock);
    for (size_t i = 0; i < n; i++)
        STAILQ_INSERT_TAIL(&w->written, group[i], link);
    pthread_mutex_unlock(&w->lock);
    /* Fails only when the counter is full, and then it is readable. */
    if (write(w->wake, &one, sizeof one) < 0)
        return;
}

static void *work(void *arg)
{
    struct store_writer *w = arg;
    struct store_write *group[GROUP_MAX];
    struct store_change *changes[GROUP_MAX];
    size_t n;
    while ((n = take(w, group)) > 0) {
        for (size_t i = 0; i < n; i++)
            changes[i] = &group[i]->change;
        store_lmdb_apply(w->store, changes, n);
        give(w, group, n);
    }
    return NULL;
}

static void on_written(evutil_socket_t fd, short what, void *arg)
{
    struct store_writer *w = arg;
    struct store_writes written = STAILQ_HEAD_INITIALIZER(written);
    uint64_t count;
    (void)what;
    if (read(fd, &count, sizeof count) < 0)
        return;
    pthread_mutex_lock(&w->lock);
    STAILQ_CONCAT(&written, &w->written);
    pthread_mutex_unlock(&w->lock);
    while (!STAILQ_EMPTY(&written)) {
        struct store_write *one = STAILQ_FIRST(&written);
        STAILQ_REMOVE_HEAD(&written, link);
        w->n_waiting--;
        if (one->done)
            one->done(&one->change, one->arg);
        free(one);
    }
}

/* Signals are the event loop's. */
static int start(struct store_writer *w)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&w->thread, NULL, work, w);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

struct store_writer *store_writer_open(struct event_base *base, struct store_lmdb *store)
{
    struct store_writer *w = calloc(1, sizeof *w);
    if (!w) {
        store_lmdb_close(store);
        return NULL;
    }
    w->store = store;
    STAILQ_INIT(&w->waiting);
    STAILQ_INIT(&w->written);
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->filled, NULL);
    w->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (w->wake >= 0)
        w->event = event_new(base, w->wake, EV_READ | EV_PERSIST, on_written, w);
    if (w->event && event_add(w->event, NULL) == 0 && start(w) == 0)
        return w;
    if (w->event)
        event_free(w->event);
    if (w->wake >= 0)
        close(w->wake);
    store_lmdb_close(store);
    free(w);
    return NULL;
}

void store_writer_close(struct store_writer *w)
{
    if (!w)
        return;
    pthread_mutex_lock(&w->lock);
    w->ending = true;
    pthread_cond_signal(&w->filled);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
    while (!STAILQ_EMPTY(&w->written)) {
        struct store_write *one = STAILQ_FIRST(&w->written);
        STAILQ_REMOVE_HEAD(&w->written, link);
        free(one);
    }
    event_free(w->event);
    close(w->wake);
    pthread_cond_destroy(&w->filled);
    pthread_mutex_destroy(&w->lock);
    store_lmdb_close(w->store);
    free(w);
}

struct store_lmdb *store_writer_store(struct store_writer *w)
{
    return w->store;
}

struct store_write *store_writer_add(struct store_writer *w, const struct store_change *change,
                                     store_written *done, void *arg)
{
    size_t key = change->key.len, text = change->text.len;
    if (w->n_waiting >= WAITING_MAX || key > STORE_KEY_MAX || text > STORE_TEXT_MAX)
        return NULL;
    struct store_write *one = malloc(sizeof *one + key + text);
    if (!one)
        return NULL;
    uint8_t *bytes = (uint8_t *)(one + 1);
    *one = (struct store_write){.change = *change, .done = done, .arg = arg};
    if (key)
        memcpy(bytes, change->key.data, key);
    if (text)
        memcpy(bytes + key, change->text.data, text);
    one->change.key.data = bytes;
    one->change.text.data = bytes + key;
    w->n_waiting++;
    pthread_mutex_lock(&w->lock);
    STAILQ_INSERT_TAIL(&w->waiting, one, link);
    pthread_cond_signal(&w->filled);
    pthread_mutex_unlock(&w->lock);
    return one;
}

void store_writer_forget(struct store_write *one)
{
    one->done = NULL;
}
