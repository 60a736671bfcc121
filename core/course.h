/* The course of one decision: its coroutine runs, is suspended while it waits for something,
 * goes on with the answer or at its deadline, and ends. */
#ifndef MOONBOOT_COURSE_H
#define MOONBOOT_COURSE_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "metrics.h"
#include "task.h"
#include "wait.h"

LIST_HEAD(course_list, course);

/* What the courses of one policy share. */
struct course_owner {
    lua_State *L;
    struct wait_service waits;
    struct metrics *metrics;
    bool quiet; /* the heartbeat is another's to give */
    struct course_list suspended;
    unsigned n_suspended;
    unsigned max_suspended; /* more are not begun; 0: as many as there are */
};

struct course {
    LIST_ENTRY(course) link; /* while it is suspended */
    struct course_owner *owner;
    struct task task;
    struct wait *wait;   /* while it is suspended */
    struct event *timer; /* ends its time to wait; NULL: it never waited */
    unsigned wait_ms;    /* how long it may be suspended in all */
    uint64_t began;      /* microseconds of CLOCK_MONOTONIC */
    uint64_t ran;        /* microseconds that it was not suspended */
    bool waited, expired;
    bool refused;      /* it ended as too many are suspended already */
    bool always_waits; /* however many do */
    /* Called once, at its end, which may be before course_start returns. `error` is NULL, or why
     * it did not end well. The course may be started again from then on. */
    void (*ended)(struct course *course, const char *error);
};

/* False when memory is out. */
bool course_init(struct course *course, struct course_owner *owner);

/* Gives up what is suspended: `ended` is not called. */
void course_clear(struct course *course);

/* Makes ready for a decision of its own `wait_ms` and `ended`, to be pushed onto
 * course->task.L; false when memory is out. */
bool course_open(struct course *course);

/* Runs the function on the coroutine's stack with its `n_args` arguments. */
void course_start(struct course *course, int n_args);

/* Ends a suspended course without an answer: `ended` is not called. */
void course_cancel(struct course *course);

/* Microseconds that it was suspended, so far. */
uint64_t course_suspended(const struct course *course);

#endif
