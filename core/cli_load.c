#include "cli_load.h"

#include <lauxlib.h>
#include <stdbool.h>

#include "problems.h"
#include "task.h"
#include "vm.h"

#define MEGABYTE ((size_t)1 << 20)

struct loading {
    int dir;
    const char *file, *display;
    bool static_tftp, unsigned_assets, stateless;
    struct problems problems;
};

static void set_text(lua_State *L, const char *key, const char *text)
{
    lua_pushstring(L, text);
    lua_setfield(L, -2, key);
}

static void set_flag(lua_State *L, const char *key, bool flag)
{
    lua_pushboolean(L, flag);
    lua_setfield(L, -2, key);
}

/* Protected, in a state of its own. Argument: struct loading. */
static int load(lua_State *L)
{
    struct loading *loading = lua_touserdata(L, 1);
    vm_require(L, "engine");
    lua_getfield(L, -1, "load");
    lua_newtable(L);
    lua_pushinteger(L, loading->dir);
    lua_setfield(L, -2, "dir");
    set_text(L, "file", loading->file);
    set_text(L, "display", loading->display);
    set_flag(L, "static_tftp", loading->static_tftp);
    set_flag(L, "unsigned", loading->unsigned_assets);
    set_flag(L, "stateless", loading->stateless);
    lua_call(L, 1, 2);
    for (int i = 1; lua_istable(L, -1) && i <= (int)lua_objlen(L, -1); i++) {
        lua_rawgeti(L, -1, i);
        problems_add(&loading->problems, "%s", lua_tostring(L, -1));
        lua_pop(L, 1);
    }
    return 0;
}

/* A field of the options; what it gives stays on the stack. */
static const char *text(lua_State *L, const char *key)
{
    lua_getfield(L, 2, key);
    return luaL_checkstring(L, -1);
}

static bool flag(lua_State *L, const char *key)
{
    lua_getfield(L, 2, key);
    return lua_toboolean(L, -1);
}

/* host.cli.refused(megabytes, options) -> the list of problems with a policy, which engine.load of
 * these options loads within so much memory; nil: there are none */
static int refused(lua_State *L)
{
    size_t memory = (size_t)luaL_checkinteger(L, 1) * MEGABYTE;
    lua_getfield(L, 2, "dir");
    struct loading loading = {.dir = (int)luaL_checkinteger(L, -1),
                              .file = text(L, "file"),
                              .display = text(L, "display"),
                              .static_tftp = flag(L, "static_tftp"),
                              .unsigned_assets = flag(L, "unsigned"),
                              .stateless = flag(L, "stateless")};
    struct vm *vm = vm_alloc(&(struct vm_options){.memory = memory});
    if (!vm)
        return luaL_error(L, "no memory to load %s", loading.display);
    lua_State *other = vm_state(vm);
    lua_pushcfunction(other, load);
    lua_pushlightuserdata(other, &loading);
    if (!task_load(other, 1, 0))
        problems_add(&loading.problems, "%s: %s", loading.display, lua_tostring(other, -1));
    vm_free(vm);
    lua_newtable(L);
    for (size_t i = 0; i < loading.problems.n; i++) {
        lua_pushstring(L, loading.problems.lines[i]);
        lua_rawseti(L, -2, (int)i + 1);
    }
    if (!loading.problems.n)
        lua_pushnil(L);
    problems_clear(&loading.problems);
    return 1;
}

static int say_nothing(lua_State *L)
{
    (void)L;
    return 0;
}

/* host.cli.hushed(f, …) -> what f returns, whose logging is not heard. What it throws ends the
 * command. */
static int hushed(lua_State *L)
{
    lua_getglobal(L, "host");
    lua_getfield(L, -1, "log");
    lua_insert(L, 1);
    lua_pushcfunction(L, say_nothing);
    lua_setfield(L, -2, "log");
    lua_pop(L, 1);
    lua_call(L, lua_gettop(L) - 2, LUA_MULTRET);
    lua_getglobal(L, "host");
    lua_pushvalue(L, 1);
    lua_setfield(L, -2, "log");
    lua_pop(L, 1);
    return lua_gettop(L) - 1;
}

void cli_load_open(lua_State *L)
{
    lua_pushcfunction(L, hushed);
    lua_setfield(L, -2, "hushed");
    lua_pushcfunction(L, refused);
    lua_setfield(L, -2, "refused");
}
