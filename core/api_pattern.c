#include <lauxlib.h>
#include <string.h>

#include "api.h"
#include "pattern.h"
#include "task.h"

/* The functions of Lua's string library that match patterns, by pattern.h: one that does not
 * come to an end ends with its decision's time. They behave as those do (Lua 5.1 reference
 * manual, 5.4). */

static void set_up(lua_State *L, struct pattern *p)
{
    size_t text_len, pattern_len;
    p->text = luaL_checklstring(L, 1, &text_len);
    p->pattern = luaL_checklstring(L, 2, &pattern_len);
    p->text_end = p->text + text_len;
    p->pattern_end = p->pattern + pattern_len;
    p->stop = task_stop_flag();
}

static bool take_anchor(struct pattern *p)
{
    bool anchored = p->pattern < p->pattern_end && *p->pattern == '^';
    p->pattern += anchored;
    return anchored;
}

/* True when it has matched; throws when it cannot be. */
static bool found(lua_State *L, const struct pattern *p, enum pattern_result result)
{
    if (result == PATTERN_STOPPED)
        task_stop(L);
    else if (result == PATTERN_BAD)
        luaL_error(L, "%s", p->problem);
    return result == PATTERN_FOUND;
}

/* Pushes capture `i`; without captures the first is the whole match. */
static void push_capture(lua_State *L, const struct pattern *p, size_t i)
{
    if (i >= p->n_captures) {
        if (i > 0)
            luaL_error(L, "invalid capture index");
        lua_pushlstring(L, p->start, (size_t)(p->end - p->start));
        return;
    }
    const struct pattern_capture *capture = &p->captures[i];
    if (capture->kind == PATTERN_OPEN)
        luaL_error(L, "unfinished capture");
    if (capture->kind == PATTERN_POSITION)
        lua_pushinteger(L, capture->start - p->text + 1);
    else
        lua_pushlstring(L, capture->start, capture->len);
}

static int push_captures(lua_State *L, const struct pattern *p)
{
    size_t n = p->n_captures ? p->n_captures : 1;
    luaL_checkstack(L, (int)n, "too many captures");
    for (size_t i = 0; i < n; i++)
        push_capture(L, p, i);
    return (int)n;
}

/* Where the third argument says to begin; not behind the text's end. */
static const char *beginning(lua_State *L, const struct pattern *p)
{
    ptrdiff_t len = p->text_end - p->text, from = luaL_optinteger(L, 3, 1);
    from = from > 0 ? from - 1 : from < 0 ? from + len : 0;
    return p->text + (from < 0 ? 0 : from > len ? len : from);
}

static int find_plain(lua_State *L, const struct pattern *p, const char *at)
{
    size_t len = (size_t)(p->pattern_end - p->pattern);
    const char *place = len ? memmem(at, (size_t)(p->text_end - at), p->pattern, len) : at;
    if (!place) {
        lua_pushnil(L);
        return 1;
    }
    lua_pushinteger(L, place - p->text + 1);
    lua_pushinteger(L, place - p->text + (ptrdiff_t)len);
    return 2;
}

static int search(lua_State *L, bool find)
{
    struct pattern p;
    set_up(L, &p);
    const char *at = beginning(L, &p);
    if (find && (lua_toboolean(L, 4) ||
                 !pattern_is_special(p.pattern, (size_t)(p.pattern_end - p.pattern))))
        return find_plain(L, &p, at);
    bool anchored = take_anchor(&p);
    if (!found(L, &p, anchored ? pattern_at(&p, at) : pattern_search(&p, at))) {
        lua_pushnil(L);
        return 1;
    }
    if (!find)
        return push_captures(L, &p);
    lua_pushinteger(L, p.start - p.text + 1);
    lua_pushinteger(L, p.end - p.text);
    return 2 + (p.n_captures ? push_captures(L, &p) : 0);
}

/* host.pattern.find(text, pattern, from, plain) -> first, last, captures… | nil */
static int api_find(lua_State *L)
{
    return search(L, true);
}

/* host.pattern.match(text, pattern, from) -> captures… | nil */
static int api_match(lua_State *L)
{
    return search(L, false);
}

/* Upvalues: text, pattern, the offset to go on from. */
static int next_match(lua_State *L)
{
    struct pattern p;
    lua_settop(L, 0);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_pushvalue(L, lua_upvalueindex(2));
    set_up(L, &p);
    const char *at = p.text + lua_tointeger(L, lua_upvalueindex(3));
    if (!found(L, &p, pattern_search(&p, at)))
        return 0;
    /* An empty match must not be found again. */
    lua_pushinteger(L, p.end - p.text + (p.end == p.start));
    lua_replace(L, lua_upvalueindex(3));
    return push_captures(L, &p);
}

/* host.pattern.gmatch(text, pattern) -> an iterator. A "^" is no anchor here. */
static int api_gmatch(lua_State *L)
{
    luaL_checkstring(L, 1);
    luaL_checkstring(L, 2);
    lua_settop(L, 2);
    lua_pushinteger(L, 0);
    lua_pushcclosure(L, next_match, 3);
    return 1;
}

/* Adds a replacement text, in which %0 is the match and %1 a capture. */
static void add_text(lua_State *L, luaL_Buffer *out, const struct pattern *p)
{
    size_t len;
    const char *text = lua_tolstring(L, 3, &len);
    for (size_t i = 0; i < len; i++) {
        if (text[i] != '%') {
            luaL_addchar(out, text[i]);
            continue;
        }
        if (++i == len)
            luaL_error(L, "malformed replacement (ends with '%%')");
        if (text[i] == '0') {
            luaL_addlstring(out, p->start, (size_t)(p->end - p->start));
        } else if (text[i] >= '1' && text[i] <= '9') {
            push_capture(L, p, (size_t)(text[i] - '1'));
            luaL_addvalue(out);
        } else {
            luaL_addchar(out, text[i]);
        }
    }
}

/* Adds what a match is replaced with. */
static void add_replacement(lua_State *L, luaL_Buffer *out, const struct pattern *p)
{
    int type = lua_type(L, 3);
    if (type == LUA_TTABLE) {
        push_capture(L, p, 0);
        lua_gettable(L, 3);
    } else if (type == LUA_TFUNCTION) {
        lua_pushvalue(L, 3);
        lua_call(L, push_captures(L, p), 1);
    } else {
        add_text(L, out, p);
        return;
    }
    if (!lua_toboolean(L, -1)) {
        lua_pop(L, 1);
        lua_pushlstring(L, p->start, (size_t)(p->end - p->start));
    } else if (!lua_isstring(L, -1)) {
        luaL_error(L, "invalid replacement value (a %s)", luaL_typename(L, -1));
    }
    luaL_addvalue(out);
}

/* host.pattern.gsub(text, pattern, replacement, most) -> text, how many were replaced */
static int api_gsub(lua_State *L)
{
    struct pattern p;
    luaL_Buffer out;
    set_up(L, &p);
    int type = lua_type(L, 3);
    luaL_argcheck(L,
                  type == LUA_TNUMBER || type == LUA_TSTRING || type == LUA_TTABLE ||
                      type == LUA_TFUNCTION,
                  3, "string/function/table expected");
    ptrdiff_t most = luaL_optinteger(L, 4, p.text_end - p.text + 1), n = 0;
    bool anchored = take_anchor(&p);
    luaL_buffinit(L, &out);
    const char *at = p.text;
    while (n < most) {
        bool matches = found(L, &p, pattern_at(&p, at));
        if (matches) {
            n++;
            add_replacement(L, &out, &p);
        }
        if (matches && p.end > at)
            at = p.end;
        else if (at < p.text_end)
            luaL_addchar(&out, *at++);
        else
            break;
        if (anchored)
            break;
    }
    luaL_addlstring(&out, at, (size_t)(p.text_end - at));
    luaL_pushresult(&out);
    lua_pushinteger(L, n);
    return 2;
}

void api_pattern_open(lua_State *L)
{
    static const luaL_Reg functions[] = {{"find", api_find},
                                         {"match", api_match},
                                         {"gmatch", api_gmatch},
                                         {"gsub", api_gsub},
                                         {NULL, NULL}};
    lua_newtable(L);
    luaL_register(L, NULL, functions);
    lua_setfield(L, -2, "pattern");
}
