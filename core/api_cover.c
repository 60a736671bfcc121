#include <lauxlib.h>
#include <stdbool.h>
#include <string.h>

#include "api.h"
#include "task.h"
#include "vm.h"

static const char hits_key; /* its address: the registry's table of lines that ran, by file */

/* The hook: a line of a policy, a template or a test is about to run. The engine's own, whose
 * chunks are "@lua/…", are not counted. */
static void line(lua_State *L, lua_Debug *ar)
{
    if (!lua_getinfo(L, "S", ar) || *ar->source != '@' || !strncmp(ar->source, "@lua/", 5))
        return;
    lua_pushlightuserdata(L, (void *)&hits_key);
    lua_rawget(L, LUA_REGISTRYINDEX);
    lua_getfield(L, -1, ar->source + 1);
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        lua_newtable(L);
        lua_pushvalue(L, -1);
        lua_setfield(L, -3, ar->source + 1);
    }
    lua_rawgeti(L, -1, ar->currentline);
    lua_pushnumber(L, lua_tonumber(L, -1) + 1);
    lua_rawseti(L, -3, ar->currentline);
    lua_pop(L, 3);
}

/* host.cli.cover(on) -> the table of lines that ran, { [file] = { [line] = times } }, which grows
 * while it is on. */
static int api_cover(lua_State *L)
{
    bool on = lua_toboolean(L, 1);
    lua_pushlightuserdata(L, (void *)&hits_key);
    lua_rawget(L, LUA_REGISTRYINDEX);
    if (lua_isnil(L, -1)) {
        lua_newtable(L);
        lua_pushlightuserdata(L, (void *)&hits_key);
        lua_pushvalue(L, -2);
        lua_rawset(L, LUA_REGISTRYINDEX);
    }
    task_set_hook(L, on ? line : NULL, on ? LUA_MASKLINE : 0);
    return 1;
}

/* host.cli.lines(text, chunk) -> list of the lines on which something can run | nil, message */
static int api_lines(lua_State *L)
{
    size_t len;
    const char *text = luaL_checklstring(L, 1, &len);
    const char *chunk = luaL_checkstring(L, 2);
    lua_State *S = api_source_read("lines", text, len, chunk);
    if (!S)
        return luaL_error(L, "no memory for reading %s", chunk);
    if (lua_isnil(S, 1)) {
        lua_pushnil(L);
        lua_pushstring(L, lua_tostring(S, -1));
        lua_close(S);
        return 2;
    }
    size_t n = lua_objlen(S, 1);
    lua_createtable(L, (int)n, 0);
    for (int i = 1; i <= (int)n; i++) {
        lua_rawgeti(S, 1, i);
        lua_pushinteger(L, lua_tointeger(S, -1));
        lua_rawseti(L, -2, i);
        lua_pop(S, 1);
    }
    lua_close(S);
    return 1;
}

/* host.cli.usage() -> how often memory was taken since the state began, and bytes in use */
static int api_usage(lua_State *L)
{
    const struct vm *vm = vm_of(L);
    lua_pushnumber(L, (double)vm_allocations(vm));
    lua_pushnumber(L, (double)vm_memory(vm));
    return 2;
}

void api_cover_open(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"cover", api_cover}, {"lines", api_lines}, {"usage", api_usage}, {NULL, NULL}};
    luaL_register(L, NULL, functions);
}
