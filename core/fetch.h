/* Following a policy that is fetched: the supervisor's part, which waits for nothing. */
#ifndef MOONBOOT_FETCH_H
#define MOONBOOT_FETCH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "config.h"
#include "fetch_child.h"
#include "generation.h"
#include "metrics.h"

#define FETCH_FIRST_TRIES 5 /* before a service that has no policy yet gives up */

struct fetch {
    struct config *config; /* NULL: `policy` is no URL */
    struct metrics_board *board;
    pid_t child;       /* 0: none runs */
    int report;        /* to read from */
    uint64_t due;      /* the next one, in ms of crew_now */
    bool pending;      /* there is a new one that has not been loaded */
    bool astray;       /* what is cached may be what was refused, and not what serves */
    unsigned failures; /* in a row */
    uint8_t ran[FETCH_HASH_LEN], refused[FETCH_HASH_LEN], found[FETCH_HASH_LEN];
    time_t last, last_good;
    char problem[FETCH_PROBLEM_MAX]; /* of the last; "": it went well */
};

void fetch_init(struct fetch *f, struct metrics_board *board);
void fetch_stop(struct fetch *f);

/* From here on fetches as this site.yaml says, if it does; `at_once`, because somebody waits. */
void fetch_follow(struct fetch *f, const char *site, bool at_once);

/* True: what this site.yaml names has never been fetched, so that nothing can be loaded; it is
 * being fetched now. */
bool fetch_first(struct fetch *f, const char *site);

/* Fetches when it is due. Its process lets go of these generations (NULL: none). */
void fetch_tick(struct fetch *f, struct generation *current, struct generation *candidate);

/* A process has ended. False: it was none of ours. `f->pending` says whether there is something to
 * load. */
bool fetch_ended(struct fetch *f, pid_t pid, int status);

/* What was pending has been loaded, or refused. */
void fetch_settle(struct fetch *f, bool good, const char *problem);

/* What is cached as having run has been loaded. */
void fetch_serves(struct fetch *f);

#endif
