/* The workers that the supervisor knows of, and the slots that want a new one. */
#ifndef MOONBOOT_CREW_H
#define MOONBOOT_CREW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "channel.h"
#include "metrics.h"
#include "notify.h"

#define CREW_MAX 1024 /* workers at once, those that only end their transfers included */

enum crew_state {
    CREW_STARTING, /* forked, not ready */
    CREW_READY,    /* waits for SIGUSR2 */
    CREW_SERVING,
    CREW_STOPPING, /* SIGTERM sent, may still read its sockets */
    CREW_DRAINING  /* reads no more, transfers go on */
};

struct crew_worker {
    pid_t pid; /* 0: the entry is free */
    unsigned slot;
    enum crew_state state;
    uint64_t generation;
    uint64_t since; /* when it was forked, or began to serve */
    time_t started; /* when it was forked, for people */
    int channel;    /* what it is told by (channel.h); -1: none */
};

/* A slot whose worker died. */
struct crew_vacancy {
    bool open;
    uint64_t at;         /* not to be filled before */
    unsigned backoff_ms; /* grows while workers die young */
};

struct crew {
    struct crew_worker workers[CREW_MAX];
    struct crew_vacancy vacancies[METRICS_MAX_WORKERS];
    size_t handed;                          /* the entry that was last handed something */
    unsigned restarts[METRICS_MAX_WORKERS]; /* of each slot's workers, since the service began */
};

#define CREW_EACH(crew, w)                                                                         \
    for (struct crew_worker *w = (crew)->workers; w < (crew)->workers + CREW_MAX; w++)             \
        if (w->pid)

/* Milliseconds of CLOCK_MONOTONIC, as all times here are. */
uint64_t crew_now(void);

/* NULL: no such worker. */
struct crew_worker *crew_find(struct crew *crew, pid_t pid);

/* The worker that a message is about, added if it is new, with its channel, which becomes the
 * crew's. NULL: the crew is full. */
struct crew_worker *crew_add(struct crew *crew, const struct notify *message, int channel);

/* Forgets a worker that has ended. */
void crew_remove(struct crew_worker *w);

/* Sends a message and a copy of the descriptor to a worker that serves, another each time; 0 or
 * a negative errno, -ESRCH when none serves. */
int crew_hand(struct crew *crew, const struct channel_message *message, int descriptor);

unsigned crew_count(struct crew *crew, uint64_t generation, enum crew_state state);
bool crew_empty(struct crew *crew);

void crew_signal_all(struct crew *crew, int signal_number);

/* Lets a ready worker serve. */
void crew_serve(struct crew_worker *w);

/* Tells a worker to stop; it ends when its transfers have. */
void crew_stop(struct crew_worker *w);

/* Kills workers that serve and whose event loop has not turned for `limit_ms`, those that
 * do not get ready, and those whose last transfers have no end. */
void crew_kill_hung(struct crew *crew, const struct metrics_board *board, uint64_t limit_ms);

/* Gives all workers the benefit of the doubt: it was us, or the whole machine, that stood
 * still. */
void crew_forgive(struct crew *crew);

/* Notes that a slot wants another worker: at once, or, when `young`, after a pause that
 * doubles each time. */
void crew_vacate(struct crew *crew, unsigned slot, bool young);

/* Whether a worker has lived so short that another would hardly do better. */
bool crew_young(const struct crew_worker *w);

/* Whether the slot wants a worker now. */
bool crew_due(const struct crew *crew, unsigned slot);

#endif
