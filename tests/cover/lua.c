/* luajit that notes lines: lua SCRIPT [ARGUMENT...]. Scripts may have a hook of their own beside.
 */
#include <lauxlib.h>
#include <lualib.h>
#include <stdio.h>
#include <string.h>

#include "lines.h"

/* Noting lines takes time: a test of what never ends is not to wait for 2,000,000,000 of them. */
#define COUNT_MAX 20000000

static const char hook_key;
static int wants_lines;

static void own_hook(lua_State *L, lua_Debug *ar)
{
    static const char *const names[] = {"call", "return", "line", "count"};
    if (ar->event > LUA_HOOKCOUNT || (ar->event == LUA_HOOKLINE && !wants_lines))
        return;
    lua_pushlightuserdata(L, (void *)&hook_key);
    lua_rawget(L, LUA_REGISTRYINDEX);
    lua_pushstring(L, names[ar->event]);
    lua_pushinteger(L, ar->currentline);
    lua_call(L, 2, 0);
}

/* debug.sethook([hook, mask, count]) */
static int set_hook(lua_State *L)
{
    lua_settop(L, 3);
    const char *mask = luaL_optstring(L, 2, "");
    lua_Integer count = luaL_optinteger(L, 3, 0);
    int has = lua_isfunction(L, 1);
    wants_lines = has && strchr(mask, 'l') != NULL;
    lua_pushlightuserdata(L, (void *)&hook_key);
    lua_pushvalue(L, 1);
    lua_rawset(L, LUA_REGISTRYINDEX);
    count = count > COUNT_MAX ? COUNT_MAX : count;
    lua_sethook(L, lines_before(has ? own_hook : NULL),
                LUA_MASKLINE | (has && count ? LUA_MASKCOUNT : 0), (int)count);
    return 0;
}

int main(int argc, char **argv)
{
    lua_State *L = luaL_newstate();
    if (!L || argc < 2)
        return 2;
    luaL_openlibs(L);
    lua_getglobal(L, "debug");
    lua_pushcfunction(L, set_hook);
    lua_setfield(L, -2, "sethook");
    lua_settop(L, 0);
    set_hook(L);
    lua_settop(L, 0);
    if (luaL_loadfile(L, argv[1]) == 0) {
        for (int i = 2; i < argc; i++)
            lua_pushstring(L, argv[i]);
        if (lua_pcall(L, argc - 2, 0, 0) == 0)
            return 0;
    }
    fprintf(stderr, "%s\n", lua_tostring(L, -1));
    return 1;
}
