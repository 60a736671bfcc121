#include <errno.h>
#include <lauxlib.h>
#include <pwd.h>
#include <unistd.h>

#include "api.h"
#include "store.h"

#define PAGE 256

static struct store *store_of(lua_State *L)
{
    return lua_touserdata(L, lua_upvalueindex(1));
}

static struct bytes check_bytes(lua_State *L, int index)
{
    size_t len;
    const char *data = luaL_optlstring(L, index, "", &len);
    return (struct bytes){(const uint8_t *)data, len};
}

static int fail(lua_State *L, int error)
{
    return luaL_error(L, "the state cannot be read: %s", store_problem(error));
}

/* host.store.get(key) -> text, version | nothing */
static int api_get(lua_State *L)
{
    struct store_entry entry;
    struct bytes key = check_bytes(L, 1);
    int error = store_get(store_of(L), key, &entry);
    if (error)
        return error == -ENOENT ? 0 : fail(L, error);
    lua_pushlstring(L, (const char *)entry.text.data, entry.text.len);
    lua_pushnumber(L, (lua_Number)entry.version);
    return 2;
}

/* host.store.list(prefix, after) -> list of { key =, text =, version =, ends = seconds since 1970
 * }, and the last key when there may be more */
static int api_list(lua_State *L)
{
    struct store_entry entry;
    struct bytes prefix = check_bytes(L, 1), after = check_bytes(L, 2);
    lua_settop(L, 2);
    lua_newtable(L);
    for (int i = 1; i <= PAGE; i++) {
        int error = store_next(store_of(L), prefix, after, &entry);
        if (error == -ENOENT)
            return 1;
        if (error)
            return fail(L, error);
        lua_createtable(L, 0, 3);
        lua_pushlstring(L, (const char *)entry.text.data, entry.text.len);
        lua_setfield(L, -2, "text");
        lua_pushnumber(L, (lua_Number)entry.version);
        lua_setfield(L, -2, "version");
        if (entry.ends) {
            lua_pushnumber(L, (lua_Number)entry.ends / 1e3);
            lua_setfield(L, -2, "ends");
        }
        lua_pushlstring(L, (const char *)entry.key.data, entry.key.len);
        lua_pushvalue(L, -1);
        lua_replace(L, 2); /* keeps the bytes that `after` views */
        after = check_bytes(L, 2);
        lua_setfield(L, -2, "key");
        lua_rawseti(L, 3, i);
    }
    lua_pushvalue(L, 2);
    return 2;
}

void api_store_open(lua_State *L, struct store *store)
{
    lua_getglobal(L, "host");
    lua_createtable(L, 0, 2);
    lua_pushlightuserdata(L, store);
    lua_pushcclosure(L, api_get, 1);
    lua_setfield(L, -2, "get");
    lua_pushlightuserdata(L, store);
    lua_pushcclosure(L, api_list, 1);
    lua_setfield(L, -2, "list");
    lua_setfield(L, -2, "store");
    lua_pop(L, 1);
}

/* --- for the command line: a store of its own, and writing that waits for the disk -------------
 */

static int collect(lua_State *L)
{
    struct store **store = lua_touserdata(L, 1);
    store_close(*store);
    *store = NULL;
    return 0;
}

/* host.store.write(key, text, ttl) -> true | nil, message; text nil: delete */
static int api_write(lua_State *L)
{
    struct store_change change = {.key = check_bytes(L, 1), .text = check_bytes(L, 2)};
    struct store_change *changes[] = {&change};
    change.deletes = lua_isnoneornil(L, 2);
    change.ttl_ms = (int64_t)(luaL_optnumber(L, 3, 0) * 1000);
    change.version = STORE_ANY;
    store_apply(store_of(L), changes, 1);
    if (change.result >= 0) {
        lua_pushboolean(L, 1);
        return 1;
    }
    lua_pushnil(L);
    lua_pushstring(L, store_problem(change.result));
    return 2;
}

/* Makes the store's directory as the service would: for that user, when root does it. */
static int make_directory(const char *path, const char *user)
{
    struct passwd *entry = user && geteuid() == 0 ? getpwnam(user) : NULL;
    if (!entry && geteuid() == 0)
        return -EINVAL;
    return store_prepare(path, entry ? entry->pw_uid : geteuid(),
                         entry ? entry->pw_gid : getegid());
}

/* host.cli.make_store(path, user) -> true | nil, message */
int api_store_make(lua_State *L)
{
    int error = make_directory(luaL_checkstring(L, 1), luaL_optstring(L, 2, NULL));
    if (!error) {
        lua_pushboolean(L, 1);
        return 1;
    }
    lua_pushnil(L);
    lua_pushstring(L, error == -EINVAL ? "there is no user to make it for" : store_problem(error));
    return 2;
}

/* host.cli.store(path, max_mb): opens host.store -> true | nil, message */
int api_store_cli(lua_State *L)
{
    const char *path = luaL_checkstring(L, 1);
    size_t max_bytes = (size_t)luaL_checkinteger(L, 2) << 20;
    struct store **store = lua_newuserdata(L, sizeof(struct store *));
    *store = NULL;
    lua_newtable(L);
    lua_pushcfunction(L, collect);
    lua_setfield(L, -2, "__gc");
    lua_setmetatable(L, -2);
    int error = store_open(store, path, max_bytes);
    if (error) {
        lua_pushnil(L);
        lua_pushstring(L, store_problem(error));
        return 2;
    }
    luaL_ref(L, LUA_REGISTRYINDEX); /* until the program ends */
    api_store_open(L, *store);
    lua_getglobal(L, "host");
    lua_getfield(L, -1, "store");
    lua_pushlightuserdata(L, *store);
    lua_pushcclosure(L, api_write, 1);
    lua_setfield(L, -2, "write");
    lua_pushboolean(L, 1);
    return 1;
}
