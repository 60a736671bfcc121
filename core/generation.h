/* A generation: one state of configuration and policy, with the directories and sockets
 * that it serves from and the nursery process that holds its loaded policy. */
#ifndef MOONBOOT_GENERATION_H
#define MOONBOOT_GENERATION_H

#include <stdint.h>
#include <sys/types.h>

#include "config.h"
#include "files.h"
#include "metrics.h"
#include "problems.h"
#include "sockets.h"
#include "trust.h"

struct generation {
    uint64_t number;
    struct config *config;
    struct sockets *sockets;
    struct files files;
    struct trust trust;
    int policy_dir;
    char *policy_file; /* its name in that directory */
    char *policy_path; /* what messages call it */
    int decisions;     /* the decision log; -1: none */
    struct metrics_board *board;
    pid_t supervisor;
    int notify;    /* where its processes report to (notify.h) */
    pid_t nursery; /* 0: none runs */
    int commands;  /* to the nursery; closing it ends the nursery */
};

/* Reads site.yaml and opens what it names; `previous` (NULL: none) lends its sockets.
 * NULL after adding to `problems`. */
struct generation *generation_open(const char *site, const struct generation *previous,
                                   struct problems *problems);

/* Starts the nursery: 0, or a negative errno. `board`, `supervisor` and `notify` are
 * set by then. The child closes what is not its own: `previous` (NULL: none), and n
 * descriptors of the caller's. */
int generation_start(struct generation *generation, struct generation *previous,
                     const int *unwanted, size_t n);

/* Asks the nursery for a worker of that slot; 0 or a negative errno. */
int generation_spawn(const struct generation *generation, unsigned slot);

/* Ends the nursery (not the workers) and closes everything. */
void generation_close(struct generation *generation);

#endif
