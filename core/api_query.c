#include <lauxlib.h>
#include <limits.h>
#include <string.h>

#include "api.h"
#include "query.h"

#define ROOM 16 /* what iPXE tells of a machine, and some */

static void push_decoded(lua_State *L, const char *text, size_t len)
{
    char small[256];
    if (!memchr(text, '%', len)) {
        lua_pushlstring(L, text, len);
        return;
    }
    if (len <= sizeof small) {
        lua_pushlstring(L, small, query_decode(text, len, small));
        return;
    }
    char *out = lua_newuserdata(L, len);
    lua_pushlstring(L, out, query_decode(text, len, out));
    lua_remove(L, -2);
}

/* host.query(text) -> its values by name, decoded (query.h) */
static int api_query(lua_State *L)
{
    size_t len;
    const char *at = luaL_checklstring(L, 1, &len), *end = at + len;
    struct query_piece piece;
    lua_settop(L, 1);
    lua_createtable(L, 0, ROOM);
    lua_pushnil(L); /* the name of the value before */
    while (query_next(&at, end, &piece)) {
        if (piece.name_len > 0) {
            push_decoded(L, piece.name, piece.name_len);
            lua_replace(L, 3);
            lua_pushvalue(L, 3);
            lua_rawget(L, 2);
            bool known = !lua_isnil(L, -1);
            lua_pop(L, 1);
            if (known || piece.value_len == 0) {
                lua_pushnil(L);
                lua_replace(L, 3);
                continue;
            }
            lua_pushvalue(L, 3);
        } else if (lua_isnil(L, 3)) {
            continue;
        } else {
            lua_pushvalue(L, 3);
            lua_pushvalue(L, 3);
            lua_rawget(L, 2);
            lua_pushliteral(L, "&");
        }
        push_decoded(L, piece.value, piece.value_len);
        if (piece.name_len == 0)
            lua_concat(L, 3);
        lua_rawset(L, 2);
    }
    lua_settop(L, 2);
    return 1;
}

static int has_only(lua_State *L)
{
    size_t len;
    const bool *members = lua_touserdata(L, lua_upvalueindex(1));
    const char *text = luaL_checklstring(L, 1, &len);
    for (size_t i = 0; i < len; i++) {
        if (!members[(unsigned char)text[i]]) {
            lua_pushboolean(L, 0);
            return 1;
        }
    }
    lua_pushboolean(L, 1);
    return 1;
}

/* host.only(bytes) -> a function: text -> whether it has no byte but these */
static int api_only(lua_State *L)
{
    size_t len;
    const char *bytes = luaL_checklstring(L, 1, &len);
    bool *members = lua_newuserdata(L, (UCHAR_MAX + 1) * sizeof *members);
    memset(members, 0, (UCHAR_MAX + 1) * sizeof *members);
    for (size_t i = 0; i < len; i++)
        members[(unsigned char)bytes[i]] = true;
    lua_pushcclosure(L, has_only, 1);
    return 1;
}

void api_query_open(lua_State *L)
{
    static const luaL_Reg functions[] = {{"query", api_query}, {"only", api_only}, {NULL, NULL}};
    luaL_register(L, NULL, functions);
}
