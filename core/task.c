#include "task.h"

#include <errno.h>
#include <lauxlib.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>

#include "vm.h"

#define TICK_MS 5
/* Of a guard's time: what a whole decision has. An on_error answer may use the second
 * part, the engine's own code the third. */
#define WHOLE_FACTOR 3
#define LOAD_MS      20000

/* What the signal handler sees; a handler can be given no argument. Times are CPU time
 * of the process in milliseconds; those at which something began are taken at the first
 * tick thereafter, as only slow decisions ever see one. */
static struct {
    lua_State *volatile running; /* NULL: no Lua runs, or none that is timed */
    volatile sig_atomic_t guards;
    volatile sig_atomic_t limit_ms;
    volatile sig_atomic_t timed_out;
    volatile int64_t began;       /* the decision; 0: no tick yet */
    volatile int64_t guard_began; /* the outermost guard */
} clock_state;

/* The hook. Names the policy's own line, not that of the engine around it. */
static void time_is_up(lua_State *L, lua_Debug *ar)
{
    (void)ar;
    lua_Debug at;
    const char *place = "";
    for (int level = 0; !*place && lua_getstack(L, level, &at) && lua_getinfo(L, "Sl", &at);
         level++) {
        if (at.currentline > 0 && *at.source == '@' && strncmp(at.source, "@lua/", 5) != 0)
            place = lua_pushfstring(L, "%s:%d: ", at.source + 1, at.currentline);
    }
    lua_pushfstring(L, "%sstopped after %d ms of CPU time", place, (int)clock_state.limit_ms);
    lua_error(L);
}

static int64_t cpu_ms(void)
{
    struct timespec used;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
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
    if (!L)
        return;
    int64_t now = cpu_ms();
    bool whole = over(&clock_state.began, now, (int64_t)WHOLE_FACTOR * clock_state.limit_ms);
    bool guard = clock_state.guards && over(&clock_state.guard_began, now, clock_state.limit_ms);
    if (whole || guard) {
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
    clock_state.limit_ms = (sig_atomic_t)limit_ms;
    clock_state.began = 0;
    clock_state.timed_out = 0;
}

static bool whole_is_over(void)
{
    return clock_state.began &&
           cpu_ms() - clock_state.began >= (int64_t)WHOLE_FACTOR * clock_state.limit_ms;
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
    vm_recover(vm_of(L));
    if (status != 0)
        message_to_string(L);
    return status == 0;
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
    if (clock_state.guards == 0)
        clock_state.guard_began = 0;
    clock_state.guards++;
    int status = lua_pcall(L, lua_gettop(L) - 1, LUA_MULTRET, 0);
    clock_state.guards--;
    if (alone)
        clock_state.running = NULL;
    /* The engine goes on to the rule's on_error, unless there is no time for that either. */
    if (clock_state.timed_out && clock_state.guards == 0 && (alone || !whole_is_over()))
        lua_sethook(L, NULL, 0, 0);
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
    return guard(L, LOAD_MS);
}
