/* A generation: one state of configuration and policy, with the directories and sockets
 * that it serves from and the nursery process that holds its loaded policy. */
#ifndef MOONBOOT_GENERATION_H
#define MOONBOOT_GENERATION_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "config.h"
#include "files.h"
#include "http_share.h"
#include "metrics.h"
#include "problems.h"
#include "release.h"
#include "sockets.h"
#include "tftp_hpa.h"
#include "trust.h"

struct generation {
    uint64_t number;
    struct config *config;
    struct sockets *sockets;
    struct files files;
    struct trust trust;
    store_redis_seen *state_seen; /* of its processes, by state_seen_open */
    struct release release;
    int decisions;             /* the decision log; -1: none */
    int share[HTTP_SHARE_FDS]; /* of its workers (http_share.h); -1: none */
    struct metrics_board *board;
    pid_t supervisor;
    int notify;                        /* where its processes report to (notify.h) */
    pid_t nursery;                     /* 0: none runs */
    int commands;                      /* channel to the nursery; closing it ends the nursery */
    int channels[METRICS_MAX_WORKERS]; /* of workers that were asked for; -1: none */
};

/* Reads site.yaml and opens what it names; `previous` (NULL: none) lends its sockets. With
 * `fetched` the policy is the one that has just been fetched. What takes no effect yet is added to
 * `warnings`. NULL after adding to `problems`. */
struct generation *generation_open(const char *site, const struct generation *previous,
                                   bool fetched, struct problems *problems,
                                   struct problems *warnings);

/* Starts the nursery: 0, or a negative errno. `board`, `supervisor` and `notify` are
 * set by then. The child lets go of `previous` (NULL: none). */
int generation_start(struct generation *generation, struct generation *previous);

/* Asks the nursery for a worker of that slot; 0 or a negative errno. */
int generation_spawn(struct generation *generation, unsigned slot);

/* The supervisor's end of the channel to the worker that was last asked for; the caller's from
 * then on. -1: there is none. */
int generation_take_channel(struct generation *generation, unsigned slot);

/* Closes every descriptor of this process that is neither the generation's nor `own`, nor a
 * standard one. What else a nursery or worker needs has to be named there. */
void generation_keep(const struct generation *generation, int own);

/* TFTP is served as this generation, which has just taken over, wants it: by tftp-hpa, or its
 * port is left to the workers. */
void generation_serve_tftp(const struct generation *generation, struct tftp_hpa *hpa);

/* To be called a few times a second with the generation that serves (NULL: none): tftp-hpa runs
 * again when it has ended, and the workers get the port when it has left. */
void generation_watch_tftp(const struct generation *generation, struct tftp_hpa *hpa);

/* Opens the decision log anew, if there is one, and hands it to the nursery and to workers that
 * have not said that they exist; the caller hands it to the others. False: it goes on in the
 * old file, and the log says why. */
bool generation_reopen_log(struct generation *generation);

/* Ends the nursery (not the workers) and closes everything. */
void generation_close(struct generation *generation);

#endif
