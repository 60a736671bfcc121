#include <errno.h>
#include <lauxlib.h>

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

/* Reading at once came to nothing: what is left to push is false where it has to be asked for. */
static int fail(lua_State *L, int error)
{
    if (error == -EINPROGRESS) {
        lua_pushboolean(L, 0);
        return 1;
    }
    return luaL_error(L, "the state cannot be read: %s", store_problem(error));
}

/* host.store.get(key) -> text, version | nothing | false: it has to be asked for, by a wait */
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

static void push_entry(lua_State *L, const struct store_entry *entry)
{
    lua_createtable(L, 0, 4);
    lua_pushlstring(L, (const char *)entry->text.data, entry->text.len);
    lua_setfield(L, -2, "text");
    lua_pushnumber(L, (lua_Number)entry->version);
    lua_setfield(L, -2, "version");
    if (entry->ends) {
        lua_pushnumber(L, (lua_Number)entry->ends / 1e3);
        lua_setfield(L, -2, "ends");
    }
    lua_pushlstring(L, (const char *)entry->key.data, entry->key.len);
    lua_setfield(L, -2, "key");
}

/* host.store.list(prefix, after) -> list of { key =, text =, version =, ends = seconds since 1970
 * }, and the last key when there may be more | false: it has to be asked for, by a wait */
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
        push_entry(L, &entry);
        lua_getfield(L, -1, "key");
        lua_replace(L, 2); /* keeps the bytes that `after` views */
        after = check_bytes(L, 2);
        lua_rawseti(L, 3, i);
    }
    lua_pushvalue(L, 2);
    return 2;
}

static int push_list(lua_State *L, const struct store_answer *answer)
{
    lua_createtable(L, (int)answer->n, 0);
    for (size_t i = 0; i < answer->n; i++) {
        push_entry(L, &answer->entries[i]);
        lua_rawseti(L, -2, (int)i + 1);
    }
    if (answer->last.len == 0)
        return 1;
    lua_pushlstring(L, (const char *)answer->last.data, answer->last.len);
    return 2;
}

int api_store_answer(lua_State *L, enum store_verb verb, const struct store_answer *answer)
{
    if (answer->result == -EAGAIN || (verb == STORE_GET && answer->result == -ENOENT)) {
        lua_pushboolean(L, 0);
        return 1;
    }
    if (answer->result < 0) {
        lua_pushnil(L);
        lua_pushstring(L, store_problem(answer->result));
        return 2;
    }
    if (verb == STORE_LIST)
        return push_list(L, answer);
    if (verb == STORE_WRITE) {
        lua_pushnumber(L, (lua_Number)answer->result);
        return 1;
    }
    lua_pushlstring(L, (const char *)answer->entries->text.data, answer->entries->text.len);
    lua_pushnumber(L, (lua_Number)answer->entries->version);
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
