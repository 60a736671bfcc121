#include <errno.h>
#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "index.h"

#define INDEX_METATABLE "moonboot.index"

/* An index in Lua. Its environment is the list of its fields' names. */
struct lua_index {
    struct index *index;
    int n_fields;
    unsigned *late; /* by field */
    struct index_value *values;
    size_t n_values, room_values;
};

static struct lua_index *check_index(lua_State *L)
{
    return luaL_checkudata(L, 1, INDEX_METATABLE);
}

static int no_memory(lua_State *L)
{
    return luaL_error(L, "not enough memory for the index");
}

/* host.index() -> index */
static int api_index_new(lua_State *L)
{
    struct lua_index *self = lua_newuserdata(L, sizeof *self);
    memset(self, 0, sizeof *self);
    luaL_getmetatable(L, INDEX_METATABLE);
    lua_setmetatable(L, -2);
    lua_newtable(L);
    lua_setfenv(L, -2);
    self->index = index_alloc();
    return self->index ? 1 : no_memory(L);
}

static int index_gc(lua_State *L)
{
    struct lua_index *self = lua_touserdata(L, 1);
    index_free(self->index);
    free(self->late);
    free(self->values);
    memset(self, 0, sizeof *self);
    return 0;
}

/* index:field(name, late) -> number. `late`: the stages, as bits, at which a machine that
 * lacks the field has perhaps not told it. */
static int index_field_of(lua_State *L)
{
    struct lua_index *self = check_index(L);
    luaL_checkstring(L, 2);
    unsigned late = (unsigned)luaL_checkinteger(L, 3);
    unsigned *lates = realloc(self->late, ((size_t)self->n_fields + 1) * sizeof *lates);
    if (!lates)
        return no_memory(L);
    self->late = lates;
    int field = index_field(self->index, late);
    if (field < 0)
        return no_memory(L);
    lates[field] = late;
    self->n_fields = field + 1;
    lua_getfenv(L, 1);
    lua_pushvalue(L, 2);
    lua_rawseti(L, -2, field + 1);
    lua_pushinteger(L, field);
    return 1;
}

/* The value on top of the stack as text, one for all that are equal. A number's text
 * stands in its place. */
static const char *text_of(lua_State *L, size_t *len)
{
    if (lua_type(L, -1) == LUA_TNUMBER) {
        lua_pushnumber(L, lua_tonumber(L, -1) + 0.0); /* no -0 */
        lua_replace(L, -2);
    }
    return lua_tolstring(L, -1, len);
}

/* index:add(rule, predicate, field, kind, text) */
static int index_add_key(lua_State *L)
{
    static const char *const kinds[] = {"plain", "prefix", "suffix", "subnet", NULL};
    struct lua_index *self = check_index(L);
    uint32_t rule = (uint32_t)luaL_checknumber(L, 2);
    unsigned predicate = (unsigned)luaL_checkinteger(L, 3);
    unsigned field = (unsigned)luaL_checkinteger(L, 4);
    enum index_kind kind = (enum index_kind)luaL_checkoption(L, 5, NULL, kinds);
    luaL_checkstring(L, 6);
    lua_settop(L, 6);
    size_t len;
    const char *text = text_of(L, &len);
    int error = index_add(self->index, rule, predicate, field, kind, text, len);
    if (error == -EINVAL)
        return luaL_error(L, "not a key for the index: %s", text);
    return error ? no_memory(L) : 0;
}

/* index:freeze(n): rules 1 to n are all there are */
static int index_freeze_it(lua_State *L)
{
    struct lua_index *self = check_index(L);
    uint32_t n = (uint32_t)luaL_checknumber(L, 2);
    return index_freeze(self->index, n) == 0 ? 0 : no_memory(L);
}

static void add_value(lua_State *L, struct lua_index *self, int field, const char *text, size_t len)
{
    if (self->n_values == self->room_values) {
        size_t room = self->room_values * 2 + 16;
        struct index_value *values = realloc(self->values, room * sizeof *values);
        if (!values) {
            no_memory(L);
            return;
        }
        self->values = values;
        self->room_values = room;
    }
    self->values[self->n_values++] = (struct index_value){text, len, (unsigned)field};
}

/* Notes the value on top of the stack, which stays there when it is not in the machine in
 * this form. */
static void note_value(lua_State *L, struct lua_index *self, int field, unsigned stage)
{
    size_t len;
    const char *text;
    switch (lua_type(L, -1)) {
    case LUA_TSTRING:
        text = lua_tolstring(L, -1, &len);
        add_value(L, self, field, text, len);
        break;
    case LUA_TNUMBER:
        text = text_of(L, &len);
        add_value(L, self, field, text, len);
        luaL_checkstack(L, 10, "too many fields");
        return;
    case LUA_TTABLE: /* a set */
        for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
            if (lua_type(L, -2) == LUA_TSTRING) {
                text = lua_tolstring(L, -2, &len);
                add_value(L, self, field, text, len);
            }
        }
        break;
    case LUA_TNIL:
        if (self->late[field] & stage)
            add_value(L, self, field, NULL, 0);
        break;
    default:
        break;
    }
    lua_pop(L, 1);
}

struct cursor {
    size_t n;
    struct index_list lists[];
};

/* The iterator: its upvalues are the cursor, and the index, which the cursor points into. */
static int next_candidate(lua_State *L)
{
    struct cursor *cursor = lua_touserdata(L, lua_upvalueindex(1));
    uint32_t rule = index_take(cursor->lists, &cursor->n);
    if (!rule)
        return 0;
    lua_pushnumber(L, rule);
    return 1;
}

/* Looks for the machine in argument 2 at the stage in argument 3. */
static size_t look(lua_State *L, struct lua_index *self, struct index_list **lists)
{
    luaL_checktype(L, 2, LUA_TTABLE);
    unsigned stage = (unsigned)luaL_checkinteger(L, 3);
    lua_getfenv(L, 1);
    int names = lua_gettop(L);
    self->n_values = 0;
    for (int field = 0; field < self->n_fields; field++) {
        lua_rawgeti(L, names, field + 1);
        lua_rawget(L, 2);
        note_value(L, self, field, stage);
    }
    int n = index_look(self->index, self->values, self->n_values, stage, lists);
    return n < 0 ? (size_t)no_memory(L) : (size_t)n;
}

/* index:first(machine, stage) -> the lowest rule's number, or nil; whether there are others.
 * `stage`: its bit, or 0 when all is known. */
static int index_first(lua_State *L)
{
    struct index_list *lists;
    size_t n = look(L, check_index(L), &lists);
    uint32_t rule = index_take(lists, &n);
    if (!rule)
        return 0;
    lua_pushnumber(L, rule);
    lua_pushboolean(L, n > 0);
    return 2;
}

/* index:candidates(machine, stage) -> iterator over rules' numbers, ascending. */
static int index_candidates(lua_State *L)
{
    struct index_list *lists;
    size_t n = look(L, check_index(L), &lists);
    struct cursor *cursor = lua_newuserdata(L, sizeof *cursor + n * sizeof *lists);
    cursor->n = n;
    if (n > 0)
        memcpy(cursor->lists, lists, n * sizeof *lists);
    lua_pushvalue(L, 1);
    lua_pushcclosure(L, next_candidate, 2);
    return 1;
}

/* index:memory() -> bytes */
static int index_bytes(lua_State *L)
{
    lua_pushnumber(L, (double)index_memory(check_index(L)->index));
    return 1;
}

void api_index_open(lua_State *L)
{
    static const luaL_Reg methods[] = {{"field", index_field_of},
                                       {"add", index_add_key},
                                       {"freeze", index_freeze_it},
                                       {"first", index_first},
                                       {"candidates", index_candidates},
                                       {"memory", index_bytes},
                                       {NULL, NULL}};
    luaL_newmetatable(L, INDEX_METATABLE);
    luaL_register(L, NULL, methods);
    lua_pushvalue(L, -1);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, index_gc);
    lua_setfield(L, -2, "__gc");
    lua_pop(L, 1);
    lua_pushcfunction(L, api_index_new);
    lua_setfield(L, -2, "index");
}
