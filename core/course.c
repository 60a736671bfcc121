#include "course.h"

#include <event2/event.h>
#include <time.h>

#define ERROR_MAX 1024

static uint64_t now_microseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

bool course_init(struct course *course, struct course_owner *owner)
{
    *course = (struct course){.owner = owner};
    return task_init(&course->task, owner->L);
}

void course_clear(struct course *course)
{
    if (course->wait)
        course_cancel(course);
    if (course->timer)
        event_free(course->timer);
    task_clear(&course->task);
}

bool course_open(struct course *course)
{
    course->began = now_microseconds();
    course->ran = 0;
    course->waited = course->expired = course->refused = course->always_waits = false;
    return task_open(&course->task);
}

uint64_t course_suspended(const struct course *course)
{
    return course->waited ? now_microseconds() - course->began - course->ran : 0;
}

/* --- suspension --------------------------------------------------------------------------- */

static void run(struct course *course, int n_values);

static void hold(struct course *course)
{
    LIST_INSERT_HEAD(&course->owner->suspended, course, link);
    course->owner->n_suspended++;
}

static void let_go(struct course *course)
{
    LIST_REMOVE(course, link);
    course->owner->n_suspended--;
}

static void resume(struct course *course, int n_answers)
{
    let_go(course);
    evtimer_del(course->timer);
    run(course, n_answers);
}

/* Protected. Argument: struct course. Gives its coroutine the answer. */
static int push_answer(lua_State *L)
{
    struct course *course = lua_touserdata(L, 1);
    int n = wait_answer(course->wait, L);
    lua_xmove(L, course->task.L, n);
    return 0;
}

static void on_answer(void *arg)
{
    struct course *course = arg;
    lua_State *L = course->owner->L;
    bool pushed = lua_cpcall(L, push_answer, course) == 0;
    wait_end(course->wait);
    course->wait = NULL;
    if (!pushed)
        lua_pop(L, 1);
    resume(course, pushed ? lua_gettop(course->task.L) : wait_expire(course->task.L, 0));
}

/* A course whose time to wait is over waits for nothing more. */
static void on_expiry(evutil_socket_t fd, short what, void *arg)
{
    struct course *course = arg;
    (void)fd;
    (void)what;
    metrics_inc(course->owner->metrics, METRICS_DECISION_WAITS_EXPIRED);
    course->expired = true;
    if (wait_late(course->wait)) {
        on_answer(course);
        return;
    }
    wait_end(course->wait);
    course->wait = NULL;
    resume(course, wait_expire(course->task.L, course->wait_ms));
}

/* Protected. Argument: struct course. */
static int start_wait(lua_State *L)
{
    struct course *course = lua_touserdata(L, 1);
    lua_xmove(course->task.L, L, 1);
    course->wait = wait_start(&course->owner->waits, L, on_answer, course);
    return 0;
}

/* The time left runs from the decision's beginning. */
static bool start_timer(struct course *course)
{
    uint64_t left = (uint64_t)course->wait_ms * 1000;
    uint64_t gone = now_microseconds() - course->began;
    left = left > gone ? left - gone : 0;
    struct timeval after = {.tv_sec = (time_t)(left / 1000000),
                            .tv_usec = (suseconds_t)(left % 1000000)};
    if (!course->timer)
        course->timer = evtimer_new(course->owner->waits.base, on_expiry, course);
    return course->timer && evtimer_add(course->timer, &after) == 0;
}

/* Lets it wait for what its coroutine has yielded; or the coroutine is given why it cannot, and
 * goes on at once: how many values that are, or -1. */
static int suspend(struct course *course)
{
    lua_State *L = course->owner->L, *own = course->task.L;
    if (!course->waited)
        metrics_inc(course->owner->metrics, METRICS_DECISION_WAITS);
    course->waited = true;
    if (course->expired || (course->owner->waits.base && !start_timer(course))) {
        lua_settop(own, 0);
        return wait_expire(own, course->wait_ms);
    }
    bool started = lua_cpcall(L, start_wait, course) == 0;
    lua_settop(own, 0);
    if (started) {
        hold(course);
        return -1;
    }
    if (course->timer)
        evtimer_del(course->timer);
    lua_pushnil(own);
    lua_xmove(L, own, 1);
    return 2;
}

void course_cancel(struct course *course)
{
    let_go(course);
    wait_end(course->wait);
    course->wait = NULL;
    evtimer_del(course->timer);
    task_abandon(&course->task);
}

/* --- running ------------------------------------------------------------------------------ */

/* Many slow decisions in a row are no standstill. */
static void beat(const struct course_owner *owner, uint64_t now)
{
    if (!owner->quiet)
        metrics_beat_at(owner->metrics, now / 1000);
}

/* One that has waited before has given its place back a moment ago: it is still free. */
static bool full(const struct course_owner *owner)
{
    return owner->max_suspended && owner->n_suspended >= owner->max_suspended;
}

static void run(struct course *course, int n_values)
{
    enum task_status status;
    do {
        uint64_t began = now_microseconds();
        beat(course->owner, began);
        status = task_resume(&course->task, n_values);
        uint64_t ended = now_microseconds();
        beat(course->owner, ended);
        course->ran += ended - began;
        course->refused = status == TASK_WAITING && !course->always_waits && full(course->owner);
        if (!course->refused && status == TASK_WAITING && (n_values = suspend(course)) < 0)
            return;
    } while (status == TASK_WAITING && !course->refused);
    char error[ERROR_MAX];
    if (status == TASK_FAILED) {
        task_error(&course->task, error, sizeof error);
        task_abandon(&course->task);
    }
    if (course->refused)
        task_abandon(&course->task);
    course->ended(course, status == TASK_FAILED ? error : NULL);
}

void course_start(struct course *course, int n_args)
{
    run(course, n_args);
}
