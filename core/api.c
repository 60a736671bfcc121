#include "api.h"

#include <lauxlib.h>
#include <lua-cjson.h>
#include <time.h>

#include "log.h"
#include "task.h"
#include "wait.h"

/* host.log(level, message) */
static int api_log(lua_State *L)
{
    enum log_level level;
    const char *name = luaL_checkstring(L, 1);
    const char *message = luaL_checkstring(L, 2);
    if (!log_level_parse(name, &level))
        return luaL_argerror(L, 1, "no such level");
    log_event(level, NULL, 0, message);
    return 0;
}

/* host.clock() -> microseconds of CLOCK_MONOTONIC */
static int api_clock(lua_State *L)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    lua_pushnumber(L, (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3);
    return 1;
}

/* host.time() -> seconds since 1970 */
static int api_time(lua_State *L)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    long milliseconds = now.tv_nsec / 1000000;
    lua_pushnumber(L, (double)now.tv_sec + (double)milliseconds / 1e3);
    return 1;
}

void api_open(lua_State *L)
{
    static const luaL_Reg functions[] = {{"log", api_log},
                                         {"clock", api_clock},
                                         {"time", api_time},
                                         {"guard", task_guard},
                                         {"guard_load", task_guard_load},
                                         {"guard_open", task_guard_open},
                                         {"guard_resume", task_guard_resume},
                                         {"guard_where", task_guard_where},
                                         {"may_wait", task_may_wait},
                                         {"wait", task_wait},
                                         {NULL, NULL}};
    lua_newtable(L);
    luaL_register(L, NULL, functions);
    wait_open(L);
    api_address_open(L);
    api_source_open(L);
    api_yaml_open(L);
    api_index_open(L);
    api_inventory_open(L);
    api_pattern_open(L);
    api_query_open(L);
    api_token_open(L);
    api_seal_open(L);
    lua_pushcfunction(L, luaopen_cjson);
    lua_call(L, 0, 1);
    lua_setfield(L, -2, "json");
    lua_setglobal(L, "host");
}
