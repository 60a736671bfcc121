#include "cms_files.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE     ((size_t)1 << 20)
#define KNOWN_MAX 1024
#define JOBS_MAX  1024

/* A file as it is: when one of these is another, so may be its bytes. */
struct identity {
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec modified, changed;
};

struct waiter {
    SLIST_ENTRY(waiter) link;
    cms_files_done *done;
    void *arg;
};

/* The thread has `fd`, and sets `error` and `digest`; all else is the event loop's. */
struct job {
    TAILQ_ENTRY(job) link;
    int fd;
    struct identity identity;
    int error;
    uint8_t digest[CMS_DIGEST_LEN];
    SLIST_HEAD(, waiter) waiters;
};

TAILQ_HEAD(job_list, job);

struct known {
    struct identity identity;
    uint8_t digest[CMS_DIGEST_LEN];
};

struct cms_files {
    struct event *event; /* something is finished */
    int wake;
    bool started;
    _Atomic bool ending;
    pthread_t thread;
    pthread_mutex_t lock; /* of the two lists */
    pthread_cond_t filled;
    struct job_list waiting, finished;
    struct job *current; /* the thread's; under the lock, too */
    size_t n_jobs;
    struct known known[KNOWN_MAX]; /* the next one takes the place of the oldest */
    size_t n_known, next_known;
};

static bool identify(int fd, struct identity *identity)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return false;
    memset(identity, 0, sizeof *identity);
    identity->device = st.st_dev;
    identity->inode = st.st_ino;
    identity->size = st.st_size;
    identity->modified = st.st_mtim;
    identity->changed = st.st_ctim;
    return true;
}

static bool is_same(const struct identity *a, const struct identity *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

/* --- the thread --------------------------------------------------------------------------------
 */

static int hash(struct cms_files *files, struct job *job, uint8_t *piece)
{
    crypto_hash_sha256_state state;
    struct identity after;
    off_t at = 0;
    crypto_hash_sha256_init(&state);
    for (;;) {
        ssize_t n = pread(job->fd, piece, PIECE, at);
        if (n < 0 && errno != EINTR)
            return -errno;
        if (n == 0)
            break;
        if (atomic_load(&files->ending))
            return -ECANCELED;
        at += n > 0 ? n : 0;
        crypto_hash_sha256_update(&state, piece, n > 0 ? (size_t)n : 0);
    }
    crypto_hash_sha256_final(&state, job->digest);
    return identify(job->fd, &after) && is_same(&after, &job->identity) ? 0 : -EAGAIN;
}

static void *work(void *arg)
{
    struct cms_files *files = arg;
    uint8_t *piece = malloc(PIECE);
    pthread_mutex_lock(&files->lock);
    for (;;) {
        while (TAILQ_EMPTY(&files->waiting) && !atomic_load(&files->ending))
            pthread_cond_wait(&files->filled, &files->lock);
        struct job *job = TAILQ_FIRST(&files->waiting);
        if (!job || atomic_load(&files->ending))
            break;
        TAILQ_REMOVE(&files->waiting, job, link);
        files->current = job;
        pthread_mutex_unlock(&files->lock);
        int error = piece ? hash(files, job, piece) : -ENOMEM;
        pthread_mutex_lock(&files->lock);
        job->error = error;
        files->current = NULL;
        TAILQ_INSERT_TAIL(&files->finished, job, link);
        (void)eventfd_write(files->wake, 1);
    }
    pthread_mutex_unlock(&files->lock);
    free(piece);
    return NULL;
}

static bool start(struct cms_files *files)
{
    sigset_t all, before;
    if (files->started)
        return true;
    sigfillset(&all); /* signals are the event loop's */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    files->started = pthread_create(&files->thread, NULL, work, files) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return files->started;
}

/* --- the event loop -----------------------------------------------------------------------------
 */

static void remember(struct cms_files *files, const struct job *job)
{
    struct known *known = &files->known[files->next_known];
    known->identity = job->identity;
    memcpy(known->digest, job->digest, sizeof known->digest);
    files->next_known = (files->next_known + 1) % KNOWN_MAX;
    files->n_known += files->n_known < KNOWN_MAX;
}

static void settle(struct job *job, int error)
{
    struct waiter *waiter;
    while ((waiter = SLIST_FIRST(&job->waiters))) {
        SLIST_REMOVE_HEAD(&job->waiters, link);
        waiter->done(error, job->digest, waiter->arg);
        free(waiter);
    }
    close(job->fd);
    free(job);
}

static void on_finished(evutil_socket_t fd, short what, void *arg)
{
    struct cms_files *files = arg;
    struct job_list finished = TAILQ_HEAD_INITIALIZER(finished);
    struct job *job;
    eventfd_t n;
    (void)what;
    (void)eventfd_read(fd, &n);
    pthread_mutex_lock(&files->lock);
    TAILQ_CONCAT(&finished, &files->finished, link);
    pthread_mutex_unlock(&files->lock);
    while ((job = TAILQ_FIRST(&finished))) {
        TAILQ_REMOVE(&finished, job, link);
        files->n_jobs--;
        if (!job->error)
            remember(files, job);
        settle(job, job->error);
    }
}

struct cms_files *cms_files_open(struct event_base *base)
{
    struct cms_files *files = calloc(1, sizeof *files);
    if (!files)
        return NULL;
    pthread_mutex_init(&files->lock, NULL);
    pthread_cond_init(&files->filled, NULL);
    TAILQ_INIT(&files->waiting);
    TAILQ_INIT(&files->finished);
    files->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    files->event = files->wake < 0
                       ? NULL
                       : event_new(base, files->wake, EV_READ | EV_PERSIST, on_finished, files);
    if (files->event && event_add(files->event, NULL) == 0)
        return files;
    cms_files_close(files);
    return NULL;
}

void cms_files_close(struct cms_files *files)
{
    struct job *job;
    if (!files)
        return;
    if (files->started) {
        pthread_mutex_lock(&files->lock);
        atomic_store(&files->ending, true);
        pthread_cond_signal(&files->filled);
        pthread_mutex_unlock(&files->lock);
        pthread_join(files->thread, NULL);
    }
    TAILQ_CONCAT(&files->finished, &files->waiting, link);
    while ((job = TAILQ_FIRST(&files->finished))) {
        TAILQ_REMOVE(&files->finished, job, link);
        settle(job, -ECANCELED);
    }
    if (files->event)
        event_free(files->event);
    if (files->wake >= 0)
        close(files->wake);
    pthread_cond_destroy(&files->filled);
    pthread_mutex_destroy(&files->lock);
    free(files);
}

static const struct known *find(const struct cms_files *files, const struct identity *identity)
{
    for (size_t i = 0; i < files->n_known; i++) {
        if (is_same(&files->known[i].identity, identity))
            return &files->known[i];
    }
    return NULL;
}

/* The job for that file, under the lock; NULL: there is none. */
static struct job *under_way(struct cms_files *files, const struct identity *identity)
{
    struct job *job;
    if (files->current && is_same(&files->current->identity, identity))
        return files->current;
    TAILQ_FOREACH(job, &files->waiting, link)
    {
        if (is_same(&job->identity, identity))
            return job;
    }
    TAILQ_FOREACH(job, &files->finished, link)
    {
        if (is_same(&job->identity, identity))
            return job;
    }
    return NULL;
}

/* A new job, which takes `fd` over; NULL: no memory. */
static struct job *add(struct cms_files *files, int fd, const struct identity *identity)
{
    struct job *job = files->n_jobs < JOBS_MAX ? calloc(1, sizeof *job) : NULL;
    if (!job)
        return NULL;
    job->fd = fd;
    job->identity = *identity;
    SLIST_INIT(&job->waiters);
    TAILQ_INSERT_TAIL(&files->waiting, job, link);
    files->n_jobs++;
    pthread_cond_signal(&files->filled);
    return job;
}

void cms_files_digest(struct cms_files *files, int fd, cms_files_done *done, void *arg)
{
    struct identity identity;
    const struct known *known = NULL;
    struct waiter *waiter = NULL;
    struct job *job = NULL;
    int error = identify(fd, &identity) ? 0 : -errno;
    if (!error && !(known = find(files, &identity))) {
        waiter = start(files) ? calloc(1, sizeof *waiter) : NULL;
        pthread_mutex_lock(&files->lock);
        job = waiter ? under_way(files, &identity) : NULL;
        if (waiter && !job && (job = add(files, fd, &identity)))
            fd = -1;
        pthread_mutex_unlock(&files->lock);
        error = job ? 0 : -ENOMEM;
    }
    if (fd >= 0)
        close(fd);
    if (job) {
        *waiter = (struct waiter){.done = done, .arg = arg};
        SLIST_INSERT_HEAD(&job->waiters, waiter, link);
        return;
    }
    free(waiter);
    done(error, known ? known->digest : NULL, arg);
}
