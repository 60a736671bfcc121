/* What the parts of the supervisor share: its state. */
#ifndef MOONBOOT_SUPERVISION_H
#define MOONBOOT_SUPERVISION_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "control.h"
#include "crew.h"
#include "fetch.h"
#include "generation.h"
#include "metrics.h"
#include "problems.h"

/* Who asked for a load. */
struct origin {
    enum {
        ORIGIN_START,
        ORIGIN_SIGNAL,
        ORIGIN_CONTROL,
        ORIGIN_WATCH,
        ORIGIN_NURSERY,
        ORIGIN_FETCH
    } kind;
    pid_t pid; /* of the one who asked, with ORIGIN_SIGNAL and ORIGIN_CONTROL */
    uid_t uid;
    char file[256]; /* that has changed, with ORIGIN_WATCH */
};

/* One load: under way, in force, or refused. */
struct load {
    uint64_t generation; /* 0: it did not come to have a number */
    struct origin origin;
    time_t at;                /* when it took effect, or was refused; 0: there was none */
    bool fetched;             /* it is of what `fetch.pending` speaks of */
    char hash[64];            /* of the policy's files */
    struct problems problems; /* why it was refused */
    struct problems warnings; /* what went wrong in a trial, or takes effect later */
};

struct supervisor {
    const char *site;
    time_t started;
    struct metrics_board *board;
    struct generation *current;   /* NULL: none serves yet */
    struct generation *candidate; /* NULL: no reload is under way */
    bool swapping;                /* the candidate is ready; old workers are stopping */
    bool reload_again;            /* asked for while a reload was under way */
    struct origin again;          /* by whom */
    bool stopping;
    bool failed;
    uint64_t loads; /* begun so far */
    struct load loading, serving, refused;
    uint64_t deadline;      /* of the swap, or of the stop */
    uint64_t load_deadline; /* of the candidate */
    uint64_t retry_at;      /* a nursery was lost: the next try to load */
    unsigned retry_ms;
    uint64_t ticked; /* when */
    uint64_t beat;   /* systemd.h */
    uint64_t next_number;
    int signals;   /* signalfd */
    int notify[2]; /* datagrams from nurseries and workers: [0] ours */
    struct crew crew;
    struct control control;
    struct tftp_hpa *hpa;
    struct fetch fetch;
};

#endif
