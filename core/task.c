#include "task.h"

#include <errno.h>
#include <lauxlib.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>

#include "vm.h"

#define TICK_MS 5
/* Of a guard's time: what a whole decision has. An on_error answer may use the second
 * part, the engine's own code the third. */
#define WHOLE_FACTOR 3
#ifndef TASK_LOAD_MS /* a fuzzer has less patience */
#define TASK_LOAD_MS 20000
#endif
/* Coroutines that wait for their next guard. */
#define IDLE_MAX    32
#define RESULTS_MAX 3

/* What the signal handler sees; a handler can be given no argument. Times are CPU time
 * of the thread in milliseconds; those at which something began are taken at the first
 * tick thereafter, as only slow decisions ever see one. */
static struct {
    lua_State *volatile running; /* NULL: no Lua runs, or none that is timed */
    volatile sig_atomic_t guards;
    volatile sig_atomic_t limit_ms;
    volatile sig_atomic_t timed_out;
    volatile sig_atomic_t stop;   /* the hook is set */
    volatile int64_t began;       /* the decision; 0: no tick yet */
    volatile int64_t guard_began; /* the outermost guard */
    lua_State *waiter;            /* the guard that may wait and runs; NULL: none */
    pthread_t thread;             /* whose clock it is: others look up names, write to disk */
    lua_Hook hook;                /* task_set_hook */
    int hook_mask;
} clock_state;

static const char idle_key; /* its address: the registry's list of idle coroutines */

/* "file:line: " of the policy's own line where `of` stands, not that of the engine around
 * it; "" when there is none. Stays on L's stack. */
static const char *push_place(lua_State *L, lua_State *of)
{
    lua_Debug at;
    for (int level = 0; lua_getstack(of, level, &at) && lua_getinfo(of, "Sl", &at); level++) {
        if (at.currentline > 0 && *at.source == '@' && strncmp(at.source, "@lua/", 5) != 0)
            return lua_pushfstring(L, "%s:%d: ", at.source + 1, at.currentline);
    }
    lua_pushliteral(L, "");
    return "";
}

const volatile sig_atomic_t *task_stop_flag(void)
{
    return &clock_state.stop;
}

int task_stop(lua_State *L)
{
    const char *place = push_place(L, L);
    lua_pushfstring(L, "%sstopped after %d ms of CPU time", place, (int)clock_state.limit_ms);
    return lua_error(L);
}

/* The hook. */
static void time_is_up(lua_State *L, lua_Debug *ar)
{
    (void)ar;
    task_stop(L);
}

static int64_t cpu_ms(void)
{
    struct timespec used;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return (int64_t)used.tv_sec * 1000 + used.tv_nsec / 1000000;
}

/* Whether what began there has used up its time; notes the beginning on the first call. */
static bool over(volatile int64_t *began, int64_t now, int64_t limit)
{
    if (!*began)
        *began = now;
    return now - *began >= limit;
}

static void tick(int signal_number)
{
    (void)signal_number;
    lua_State *L = clock_state.running;
    if (!L || !pthread_equal(pthread_self(), clock_state.thread))
        return;
    int64_t now = cpu_ms();
    bool whole = over(&clock_state.began, now, (int64_t)WHOLE_FACTOR * clock_state.limit_ms);
    bool guard = clock_state.guards && over(&clock_state.guard_began, now, clock_state.limit_ms);
    if (whole || guard) {
        clock_state.timed_out = 1;
        clock_state.stop = 1;
        lua_sethook(L, time_is_up, LUA_MASKCALL | LUA_MASKRET | LUA_MASKCOUNT, 1);
    }
}

bool task_clock_start(void)
{
    struct sigaction action = {.sa_handler = tick, .sa_flags = SA_RESTART};
    struct itimerval every = {.it_interval.tv_usec = TICK_MS * 1000,
                              .it_value.tv_usec = TICK_MS * 1000};
    sigemptyset(&action.sa_mask);
    clock_state.thread = pthread_self();
    return sigaction(SIGPROF, &action, NULL) == 0 && setitimer(ITIMER_PROF, &every, NULL) == 0;
}

static void clock_reset(unsigned limit_ms)
{
    clock_state.limit_ms = (sig_atomic_t)limit_ms;
    clock_state.began = 0;
    clock_state.timed_out = 0;
    clock_state.stop = 0;
}

static bool whole_is_over(void)
{
    return clock_state.began &&
           cpu_ms() - clock_state.began >= (int64_t)WHOLE_FACTOR * clock_state.limit_ms;
}

/* What was thrown as a string: policies may throw anything. */
static void message_to_string(lua_State *L)
{
    if (lua_type(L, -1) == LUA_TSTRING)
        return;
    if (lua_type(L, -1) == LUA_TNUMBER)
        lua_tostring(L, -1);
    else {
        const char *type = luaL_typename(L, -1);
        lua_pop(L, 1);
        lua_pushfstring(L, "a value that is no message was thrown (a %s)", type);
    }
}

static void unhook(lua_State *L)
{
    if (clock_state.timed_out)
        lua_sethook(L, clock_state.hook, clock_state.hook_mask, 0);
    clock_state.stop = 0;
}

void task_set_hook(lua_State *L, lua_Hook hook, int mask)
{
#ifdef TASK_HOOK_BEFORE /* the coverage build notes the engine's own lines, too */
    lua_Hook TASK_HOOK_BEFORE(lua_Hook after);
    hook = TASK_HOOK_BEFORE(hook);
    mask |= LUA_MASKLINE;
#endif
    clock_state.hook = hook;
    clock_state.hook_mask = mask;
    lua_sethook(L, hook, mask, 0);
}

bool task_load(lua_State *L, int n_args, int n_results)
{
    clock_reset(TASK_LOAD_MS);
    clock_state.running = L;
    int status = lua_pcall(L, n_args, n_results, 0);
    clock_state.running = NULL;
    unhook(L);
    vm_recover(vm_of(L));
    if (status != 0)
        message_to_string(L);
    return status == 0;
}

/* --- decisions -------------------------------------------------------------------------- */

/* Protected. Argument: struct task. */
static int reserve(lua_State *L)
{
    struct task *task = lua_touserdata(L, 1);
    lua_pushboolean(L, 0);
    task->ref = luaL_ref(L, LUA_REGISTRYINDEX);
    return 0;
}

/* Protected. Argument: struct task. */
static int make_coroutine(lua_State *L)
{
    struct task *task = lua_touserdata(L, 1);
    lua_State *made = lua_newthread(L);
    lua_rawseti(L, LUA_REGISTRYINDEX, task->ref);
    task->L = made;
    return 0;
}

static bool protected(struct task *task, lua_CFunction f)
{
    bool done = lua_cpcall(task->main, f, task) == 0;
    if (!done)
        lua_pop(task->main, 1);
    return done;
}

bool task_init(struct task *task, lua_State *L)
{
    *task = (struct task){.main = L, .ref = LUA_NOREF};
    return protected(task, reserve);
}

void task_clear(struct task *task)
{
    luaL_unref(task->main, LUA_REGISTRYINDEX, task->ref);
    *task = (struct task){.ref = LUA_NOREF};
}

bool task_open(struct task *task)
{
    task->used = -1;
    task->timed_out = false;
    return task->L || protected(task, make_coroutine);
}

enum task_status task_resume(struct task *task, int n_args)
{
    clock_reset(vm_options(vm_of(task->main))->decision_ms);
    if (task->used >= 0)
        clock_state.began = cpu_ms() - task->used;
    clock_state.running = task->L;
    int status = lua_resume(task->L, n_args);
    clock_state.running = NULL;
    unhook(task->main);
    if (clock_state.timed_out)
        task->timed_out = true;
    if (status == 0 || status == LUA_YIELD)
        vm_recover(vm_of(task->main));
    if (status == LUA_YIELD) {
        task->used = clock_state.began ? cpu_ms() - clock_state.began : 0;
        return TASK_WAITING;
    }
    if (status == 0)
        lua_settop(task->L, 0);
    return status == 0 ? TASK_DONE : TASK_FAILED;
}

/* Does not ask Lua for memory: nothing protects this. */
void task_error(const struct task *task, char *out, size_t size)
{
    int type = lua_type(task->L, -1);
    if (type == LUA_TSTRING)
        snprintf(out, size, "%s", lua_tostring(task->L, -1));
    else
        snprintf(out, size, "a value that is no message was thrown (a %s)",
                 lua_typename(task->L, type));
}

void task_abandon(struct task *task)
{
    lua_pushboolean(task->main, 0);
    lua_rawseti(task->main, LUA_REGISTRYINDEX, task->ref);
    task->L = NULL;
    vm_recover(vm_of(task->main)); /* what its stack held on to is garbage now */
}

/* --- guards ----------------------------------------------------------------------------- */

/* Whether it stands alone: offline there is no task around it. */
static bool guard_enter(lua_State *L, unsigned limit_ms, int64_t used)
{
    bool alone = clock_state.running == NULL;
    if (alone) {
        clock_reset(limit_ms);
        clock_state.running = L;
    }
    if (clock_state.guards == 0)
        clock_state.guard_began = used >= 0 ? cpu_ms() - used : 0;
    clock_state.guards++;
    return alone;
}

static void guard_leave(lua_State *L, bool alone)
{
    clock_state.guards--;
    if (alone)
        clock_state.running = NULL;
    /* The engine goes on to the rule's on_error, unless there is no time for that either. */
    if (clock_state.guards == 0 && (alone || !whole_is_over()))
        unhook(L);
}

static int guard(lua_State *L, unsigned limit_ms)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    bool alone = guard_enter(L, limit_ms, -1);
    int status = lua_pcall(L, lua_gettop(L) - 1, LUA_MULTRET, 0);
    guard_leave(L, alone);
    vm_recover(vm_of(L));
    lua_pushboolean(L, status == 0);
    lua_insert(L, 1);
    return lua_gettop(L);
}

int task_guard(lua_State *L)
{
    return guard(L, vm_options(vm_of(L))->decision_ms);
}

int task_guard_load(lua_State *L)
{
    return guard(L, TASK_LOAD_MS);
}

/* --- guards that may wait ---------------------------------------------------------------- */

/* Pushes the list of idle coroutines, with room for all that it may hold: to give one back
 * takes no memory. */
static void push_idle(lua_State *L)
{
    lua_pushlightuserdata(L, (void *)&idle_key);
    lua_rawget(L, LUA_REGISTRYINDEX);
    if (!lua_isnil(L, -1))
        return;
    lua_pop(L, 1);
    lua_createtable(L, IDLE_MAX, 0);
    lua_pushlightuserdata(L, (void *)&idle_key);
    lua_pushvalue(L, -2);
    lua_rawset(L, LUA_REGISTRYINDEX);
}

/* Pushes an idle coroutine, or a new one. */
static lua_State *take(lua_State *L)
{
    push_idle(L);
    int n = (int)lua_objlen(L, -1);
    if (n == 0) {
        lua_pop(L, 1);
        return lua_newthread(L);
    }
    lua_rawgeti(L, -1, n);
    lua_pushnil(L);
    lua_rawseti(L, -3, n);
    lua_remove(L, -2);
    return lua_tothread(L, -1);
}

/* Gives back the coroutine at `index`, which has ended well. */
static void give(lua_State *L, int index)
{
    push_idle(L);
    int n = (int)lua_objlen(L, -1);
    if (n < IDLE_MAX) {
        lua_pushvalue(L, index);
        lua_rawseti(L, -2, n + 1);
    }
    lua_pop(L, 1);
}

/* Runs the coroutine, L's only value, with its topmost `n_args` values. */
static int step(lua_State *L, lua_State *thread, int n_args, int64_t used)
{
    lua_State *outer = clock_state.waiter;
    bool alone = guard_enter(L, vm_options(vm_of(L))->decision_ms, used);
    clock_state.waiter = thread;
    int status = lua_resume(thread, n_args);
    clock_state.waiter = outer;
    if (status == LUA_YIELD)
        used = clock_state.guard_began ? cpu_ms() - clock_state.guard_began : 0;
    guard_leave(L, alone);
    if (status == LUA_YIELD) {
        vm_recover(vm_of(L));
        lua_pushnumber(L, (lua_Number)used);
        lua_xmove(thread, L, 1);
        return 3;
    }
    if (status != 0) {
        lua_pushboolean(L, 0);
        lua_xmove(thread, L, 1);
        lua_remove(L, 1); /* and what its stack holds on to */
        vm_recover(vm_of(L));
        return 2;
    }
    lua_pushboolean(L, 1);
    if (lua_gettop(thread) > RESULTS_MAX)
        lua_settop(thread, RESULTS_MAX);
    int n = lua_gettop(thread);
    lua_xmove(thread, L, n);
    vm_recover(vm_of(L));
    give(L, 1);
    return 1 + n;
}

int task_guard_open(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    lua_State *thread = take(L);
    lua_insert(L, 1);
    int n = lua_gettop(L) - 1;
    luaL_argcheck(L, n <= LUA_MINSTACK, n, "too many arguments");
    lua_xmove(L, thread, n);
    return step(L, thread, n - 1, -1);
}

int task_guard_resume(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTHREAD);
    lua_State *thread = lua_tothread(L, 1);
    int64_t used = (int64_t)luaL_checknumber(L, 2);
    lua_remove(L, 2);
    int n = lua_gettop(L) - 1;
    luaL_argcheck(L, n <= LUA_MINSTACK, n, "too many answers");
    lua_settop(thread, 0);
    lua_xmove(L, thread, n);
    return step(L, thread, n, used);
}

int task_guard_where(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTHREAD);
    push_place(L, lua_tothread(L, 1));
    return 1;
}

int task_may_wait(lua_State *L)
{
    if (L == clock_state.waiter && !lua_isyieldable(L))
        return 0;
    lua_pushboolean(L, L == clock_state.waiter);
    return 1;
}

int task_wait(lua_State *L)
{
    lua_settop(L, 1);
    return lua_yield(L, 1);
}
