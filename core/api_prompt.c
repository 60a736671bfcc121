#include <lauxlib.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "prompt.h"

#define HISTORY ".moonboot_history"

/* What the reader's completion needs: the state that reads just now. */
struct editor {
    struct prompt *prompt;
    lua_State *L;
    int complete; /* a function, in the registry */
};

static char *text_at(lua_State *L, int index)
{
    const char *text = lua_tostring(L, index);
    return text ? strdup(text) : NULL;
}

/* Runs the function of the command: one that fails completes nothing. */
static void complete(void *context, const char *before, struct prompt_completion *result)
{
    struct editor *editor = context;
    lua_State *L = editor->L;
    int top = lua_gettop(L);
    if (!lua_checkstack(L, 4))
        return;
    lua_rawgeti(L, LUA_REGISTRYINDEX, editor->complete);
    lua_pushstring(L, before);
    if (lua_pcall(L, 1, 2, 0) == 0) {
        result->insert = text_at(L, -2);
        result->shown = text_at(L, -1);
    }
    lua_settop(L, top);
}

static int editor_gc(lua_State *L)
{
    struct editor *editor = lua_touserdata(L, 1);
    prompt_free(editor->prompt);
    editor->prompt = NULL;
    return 0;
}

/* read(label) -> line; nil at the end */
static int editor_read(lua_State *L)
{
    struct editor *editor = lua_touserdata(L, lua_upvalueindex(1));
    editor->L = L;
    char *line = prompt_read(editor->prompt, luaL_checkstring(L, 1));
    if (line)
        lua_pushstring(L, line);
    else
        lua_pushnil(L);
    free(line);
    return 1;
}

/* host.cli.editor(complete) -> read, a function of the prompt's label that returns a line that a
 * person wrote, or nil at the end; nil when there is no terminal. complete(before) -> what to
 * insert or nil, what to show or nil. */
static int api_editor(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    struct editor *editor = lua_newuserdata(L, sizeof *editor);
    *editor = (struct editor){.L = L};
    lua_newtable(L);
    lua_pushcfunction(L, editor_gc);
    lua_setfield(L, -2, "__gc");
    lua_setmetatable(L, -2);
    lua_pushvalue(L, 1);
    editor->complete = luaL_ref(L, LUA_REGISTRYINDEX);
    char path[4096];
    const char *home = getenv("HOME");
    bool kept = home && snprintf(path, sizeof path, "%s/" HISTORY, home) < (int)sizeof path;
    editor->prompt = prompt_alloc(kept ? path : NULL, complete, editor);
    if (editor->prompt)
        lua_pushcclosure(L, editor_read, 1);
    else
        lua_pushnil(L);
    return 1;
}

void api_prompt_open(lua_State *L)
{
    lua_pushcfunction(L, api_editor);
    lua_setfield(L, -2, "editor");
}
