#include <lauxlib.h>
#include <string.h>

#include "api.h"
#include "data.h"

#define DATA_METATABLE "moonboot.data"

/* The reader is Lua's to free: what is built here may run out of memory and throw. */
static int data_gc(lua_State *L)
{
    struct data **data = lua_touserdata(L, 1);
    data_free(*data);
    *data = NULL;
    return 0;
}

static bool push_value(lua_State *L, struct data *data, const struct data_event *event,
                       struct data_event *wrong);

static void push_scalar(lua_State *L, const struct data_event *event)
{
    bool boolean;
    double number;
    switch (data_type(event, &boolean, &number)) {
    case DATA_TEXT:
        lua_pushlstring(L, event->text, event->len);
        break;
    case DATA_NULL:
        lua_pushlightuserdata(L, NULL); /* host.json.null */
        break;
    case DATA_BOOLEAN:
        lua_pushboolean(L, boolean);
        break;
    case DATA_NUMBER:
        lua_pushnumber(L, number);
        break;
    }
}

static bool push_list(lua_State *L, struct data *data, struct data_event *wrong)
{
    struct data_event event;
    lua_newtable(L);
    for (int i = 1;; i++) {
        if (!data_next(data, &event))
            return false;
        if (event.kind == DATA_END)
            return true;
        if (!push_value(L, data, &event, wrong))
            return false;
        lua_rawseti(L, -2, i);
    }
}

/* Copies from the table at `from` what the table at `into` lacks. */
static void add_missing(lua_State *L, int into, int from)
{
    for (lua_pushnil(L); lua_next(L, from); lua_pop(L, 1)) {
        lua_pushvalue(L, -2);
        lua_rawget(L, into);
        bool lacks = lua_isnil(L, -1);
        lua_pop(L, 1);
        if (lacks) {
            lua_pushvalue(L, -2);
            lua_pushvalue(L, -2);
            lua_rawset(L, into);
        }
    }
}

/* "<<": the value on top of the stack is a mapping, or a list of them, whose pairs the
 * mapping at `table` takes over where it has none of that key. */
static bool merge(lua_State *L, int table)
{
    int value = lua_gettop(L);
    if (!lua_istable(L, value))
        return false;
    size_t n = lua_objlen(L, value);
    if (n == 0)
        add_missing(L, table, value);
    for (size_t i = 1; i <= n; i++) {
        lua_rawgeti(L, value, (int)i);
        if (!lua_istable(L, -1) || lua_objlen(L, -1) > 0)
            return false;
        add_missing(L, table, value + 1);
        lua_pop(L, 1);
    }
    return true;
}

static bool push_mapping(lua_State *L, struct data *data, struct data_event *wrong)
{
    struct data_event event, key;
    int table = lua_gettop(L) + 1, merged = table + 1;
    lua_newtable(L);
    lua_pushnil(L); /* what "<<" named */
    for (;;) {
        if (!data_next(data, &key))
            return false;
        if (key.kind == DATA_END)
            break;
        bool merges = key.plain && !strcmp(key.text, "<<");
        lua_pushlstring(L, key.text, key.len);
        lua_pushvalue(L, -1);
        lua_rawget(L, table);
        if (!lua_isnil(L, -1) || (merges && !lua_isnil(L, merged))) {
            *wrong = key;
            wrong->text = lua_pushfstring(L, "there is a key \"%s\" already", key.text);
            return false;
        }
        lua_pop(L, 1);
        if (!data_next(data, &event) || !push_value(L, data, &event, wrong))
            return false;
        if (merges) {
            *wrong = key; /* should it turn out to be no mapping */
            lua_replace(L, merged);
            lua_pop(L, 1);
        } else {
            lua_rawset(L, table);
        }
    }
    if (!lua_isnil(L, merged) && !merge(L, table)) {
        wrong->text = "\"<<\" wants a mapping, or a list of them";
        return false;
    }
    wrong->text = NULL;
    lua_settop(L, table);
    return true;
}

/* Pushes the value that `event` begins. False: `wrong` says what and where, or, when its
 * text is NULL, the reader does. */
static bool push_value(lua_State *L, struct data *data, const struct data_event *event,
                       struct data_event *wrong)
{
    luaL_checkstack(L, 10, "nested too deeply");
    if (event->kind == DATA_LIST)
        return push_list(L, data, wrong);
    if (event->kind == DATA_MAPPING)
        return push_mapping(L, data, wrong);
    if (event->sealed) {
        *wrong = *event;
        wrong->text = "!sealed is for inventories; a policy says sealed \"…\"";
        return false;
    }
    if (event->kind == DATA_SCALAR)
        push_scalar(L, event);
    else
        lua_pushlightuserdata(L, NULL); /* an empty document */
    return true;
}

/* host.yaml(text) -> value | nil, "line:column: message". Mappings and lists are tables,
 * keys are text as it stands there, null is host.json.null; scalars as data_type has it. */
static int api_yaml(lua_State *L)
{
    size_t len;
    const char *text = luaL_checklstring(L, 1, &len);
    struct data **data = lua_newuserdata(L, sizeof *data);
    *data = NULL;
    if (luaL_newmetatable(L, DATA_METATABLE)) {
        lua_pushcfunction(L, data_gc);
        lua_setfield(L, -2, "__gc");
    }
    lua_setmetatable(L, -2);
    *data = data_yaml(text, len);
    if (!*data)
        return luaL_error(L, "no memory for reading YAML");
    struct data_event event, wrong = {.text = NULL};
    bool ok = data_next(*data, &event) && push_value(L, *data, &event, &wrong) &&
              data_next(*data, &event); /* all that follows, too */
    if (!ok) {
        unsigned line = wrong.line, column = wrong.column;
        const char *message = wrong.text ? wrong.text : data_problem(*data, &line, &column);
        lua_pushnil(L);
        lua_pushfstring(L, "%d:%d: %s", (int)line, (int)column, message);
        return 2;
    }
    data_free(*data);
    *data = NULL;
    return 1;
}

void api_yaml_open(lua_State *L)
{
    lua_pushcfunction(L, api_yaml);
    lua_setfield(L, -2, "yaml");
}
