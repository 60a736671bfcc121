#include "task.h"

#include <errno.h>
#include <lauxlib.h>
#include <signal.h>
#include <string.h>
#include <sys/time.h>

#include "vm.h"

#define TICK_MS 5
/* The engine's own code around the guards gets as much again before it is ended too. */
#define WHOLE_FACTOR 2
#define LOAD_MS      10000

/* What the signal handler sees; a handler can be given no argument. */
static struct {
    lua_State *volatile running; /* NULL: no Lua runs, or none that is timed */
    volatile sig_atomic_t guards;
    volatile sig_atomic_t guard_ticks;
    volatile sig_atomic_t ticks;
    volatile sig_atomic_t limit; /* in ticks */
    volatile sig_atomic_t timed_out;
} clock_state;

static void time_is_up(lua_State *L, lua_Debug *ar)
{
    (void)ar;
    luaL_error(L, "stopped after %d ms of CPU time", clock_state.limit * TICK_MS);
}

static void tick(int signal_number)
{
    (void)signal_number;
    lua_State *L = clock_state.running;
    if (!L)
        return;
    clock_state.ticks++;
    if (clock_state.guards)
        clock_state.guard_ticks++;
    bool guard_over = clock_state.guards && clock_state.guard_ticks > clock_state.limit;
    if (guard_over || clock_state.ticks > WHOLE_FACTOR * clock_state.limit) {
        clock_state.timed_out = 1;
        lua_sethook(L, time_is_up, LUA_MASKCALL | LUA_MASKRET | LUA_MASKCOUNT, 1);
    }
}

bool task_clock_start(void)
{
    struct sigaction action = {.sa_handler = tick, .sa_flags = SA_RESTART};
    struct itimerval every = {.it_interval.tv_usec = TICK_MS * 1000,
                              .it_value.tv_usec = TICK_MS * 1000};
    sigemptyset(&action.sa_mask);
    return sigaction(SIGPROF, &action, NULL) == 0 && setitimer(ITIMER_PROF, &every, NULL) == 0;
}

static void clock_reset(unsigned limit_ms)
{
    clock_state.limit = (sig_atomic_t)(limit_ms / TICK_MS);
    clock_state.ticks = 0;
    clock_state.guard_ticks = 0;
    clock_state.timed_out = 0;
}

/* pcall's error object as a string: policies may throw anything. */
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

static bool call(lua_State *L, int n_args, int n_results, unsigned limit_ms)
{
    clock_reset(limit_ms);
    clock_state.running = L;
    int status = lua_pcall(L, n_args, n_results, 0);
    clock_state.running = NULL;
    if (clock_state.timed_out)
        lua_sethook(L, NULL, 0, 0);
    if (status == 0)
        return true;
    message_to_string(L);
    if (status == LUA_ERRMEM)
        lua_gc(L, LUA_GCCOLLECT, 0);
    return false;
}

bool task_call(lua_State *L, int n_args, int n_results)
{
    return call(L, n_args, n_results, vm_options(vm_of(L))->decision_ms);
}

bool task_load(lua_State *L, int n_args, int n_results)
{
    return call(L, n_args, n_results, LOAD_MS);
}

bool task_timed_out(void)
{
    return clock_state.timed_out;
}

static int guard(lua_State *L, unsigned limit_ms)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    bool alone = clock_state.running == NULL; /* offline: no task_call around it */
    if (alone) {
        clock_reset(limit_ms);
        clock_state.running = L;
    }
    if (clock_state.guards == 0 && clock_state.guard_ticks > clock_state.limit) {
        lua_pushboolean(L, 0);
        lua_pushliteral(L, "no CPU time is left for this decision");
        return 2;
    }
    clock_state.guards++;
    int status = lua_pcall(L, lua_gettop(L) - 1, LUA_MULTRET, 0);
    clock_state.guards--;
    if (alone)
        clock_state.running = NULL;
    /* The engine goes on to the rule's on_error: unless it was over its own time. */
    if (clock_state.timed_out && clock_state.guards == 0 &&
        (alone || clock_state.ticks <= WHOLE_FACTOR * clock_state.limit))
        lua_sethook(L, NULL, 0, 0);
    if (status == LUA_ERRMEM)
        lua_gc(L, LUA_GCCOLLECT, 0);
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
    return guard(L, LOAD_MS);
}
