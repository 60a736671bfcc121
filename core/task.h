/* Entering Lua: the only place that does, and the clock that ends runaway policies.
 *
 * The clock counts CPU time (ITIMER_PROF): a process that waits, or that other
 * processes keep from its core, loses nothing, and an idle one is never woken. When a
 * decision's time is up a hook is set that throws at every instruction until the
 * guarded call is left, so that pcall in a policy cannot outlive it. C code that Lua calls
 * is not interrupted: what may take long there looks at task_stop_flag. */
#ifndef MOONBOOT_TASK_H
#define MOONBOOT_TASK_H

#include <lua.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Starts the clock of this process. False (errno is set) when the system refuses. */
bool task_clock_start(void);

/* The hook of whoever wants to see what runs (NULL: nobody); a deadline takes its place only
 * while it strikes. */
void task_set_hook(lua_State *L, lua_Hook hook, int mask);

/* True from when the time of what runs is up, until the guarded call is left: C code then
 * throws by task_stop, which does not return. */
const volatile sig_atomic_t *task_stop_flag(void);
int task_stop(lua_State *L);

/* Calls the function below its `n_args` arguments, protected, to load a policy: with seconds
 * instead of milliseconds, guards included. True: `n_results` results are on the stack.
 * False: a message, always a string. */
bool task_load(lua_State *L, int n_args, int n_results);

/* A decision: a coroutine, which may be suspended and goes on later. Its clock stands still
 * meanwhile. One struct serves one decision after the other and keeps the coroutine, unless
 * that has failed or was given up. */
struct task {
    lua_State *main;
    lua_State *L; /* the coroutine; NULL: none */
    int ref;      /* what keeps it from the collector */
    int64_t used; /* CPU time before the last suspension, in ms; -1: none was timed */
    bool timed_out;
};

enum task_status { TASK_DONE, TASK_WAITING, TASK_FAILED };

/* False when memory is out. */
bool task_init(struct task *task, lua_State *L);
void task_clear(struct task *task);

/* Makes ready for a decision, with an empty stack; false when memory is out. */
bool task_open(struct task *task);

/* Runs what is on task->L: at first a function and its arguments, later `n_args` values that
 * the suspended coroutine is given. TASK_WAITING: what it waits for is on top of its stack,
 * which is the caller's to empty. */
enum task_status task_resume(struct task *task, int n_args);

/* After TASK_FAILED: what went wrong. */
void task_error(const struct task *task, char *out, size_t size);

/* Gives up what has failed, or is suspended: it never goes on. */
void task_abandon(struct task *task);

/* Lua: host.guard(f, …) -> true, results… | false, message. Policy code runs inside
 * guards. One that is over limits.decision_ms fails; a whole decision, guards and engine
 * together, has three times that. */
int task_guard(lua_State *L);

/* Lua: host.guard_load(f, …): the same for code that runs while a policy loads, which has
 * seconds. */
int task_guard_load(lua_State *L);

/* Guards of functions that may wait: coroutines of their own, as a C call like host.guard
 * cannot be suspended. lua/waits.lua makes one guard of them.
 *
 * host.guard_open(f, …) -> true, results… (at most three) | false, message
 *                        | coroutine, the CPU time it has used, what it waits for
 * host.guard_resume(coroutine, time, answers…) -> the same
 * host.guard_where(coroutine) -> "file:line: " of the policy's call that waits, or ""
 * host.may_wait() -> true | false: no such guard is around | nil: a C function is between
 * host.wait(what) suspends the guard -> the answers */
int task_guard_open(lua_State *L);
int task_guard_resume(lua_State *L);
int task_guard_where(lua_State *L);
int task_may_wait(lua_State *L);
int task_wait(lua_State *L);

#endif
