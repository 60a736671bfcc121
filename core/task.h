/* Entering Lua: the only place that does, and the clock that ends runaway policies.
 *
 * The clock counts CPU time (ITIMER_PROF): a process that waits, or that other
 * processes keep from its core, loses nothing, and an idle one is never woken. When a
 * decision's time is up a hook is set that throws at every instruction until the
 * guarded call is left, so that pcall in a policy cannot outlive it. C code that Lua calls
 * is not interrupted: a pattern match without end is the supervisor's affair, who replaces
 * a worker that stands still. */
#ifndef MOONBOOT_TASK_H
#define MOONBOOT_TASK_H

#include <lua.h>
#include <stdbool.h>

/* Starts the clock of this process. False (errno is set) when the system refuses. */
bool task_clock_start(void);

/* Calls the function below its `n_args` arguments, protected, as one decision: a new
 * deadline. True: `n_results` results are on the stack. False: a message, always a
 * string. */
bool task_call(lua_State *L, int n_args, int n_results);

/* The same for loading a policy: with seconds instead of milliseconds, guards included. */
bool task_load(lua_State *L, int n_args, int n_results);

/* True when the last task_call (or guard in it) ran out of time. */
bool task_timed_out(void);

/* Lua: host.guard(f, …) -> true, results… | false, message. Policy code runs inside
 * guards. One that is over limits.decision_ms fails; a whole decision, guards and engine
 * together, has three times that. */
int task_guard(lua_State *L);

/* Lua: host.guard_load(f, …): the same for code that runs while a policy loads, which has
 * seconds. */
int task_guard_load(lua_State *L);

#endif
