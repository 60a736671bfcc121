/* Patterns by pattern.c and by LuaJIT's own string library: the same, whatever they are. */
#include <lauxlib.h>
#include <lualib.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api.h"

/* LuaJIT cannot be stopped: what takes it long is left out. */
#define PATTERN_MAX 14
#define TEXT_MAX    24

/* Arguments: the two libraries. Returns a function of pattern, text and offset that throws when
 * they differ; that one of them refuses a pattern must hold for the other. */
static const char script[] =
    "local one, other = ...\n"
    "local function same(name, ...)\n"
    "  local a, b = { pcall(one[name], ...) }, { pcall(other[name], ...) }\n"
    "  if not a[1] and not b[1] then return end\n"
    "  for i = 1, math.max(#a, #b, 4) do\n"
    "    if a[i] ~= b[i] then\n"
    "      error(('%s: %d: %s, LuaJIT %s'):format(name, i, tostring(a[i]), tostring(b[i])))\n"
    "    end\n"
    "  end\n"
    "end\n"
    "local function all(library, text, pattern)\n"
    "  local list = {}\n"
    "  for a, b, c in library.gmatch(text, pattern) do\n"
    "    list[#list + 1] = tostring(a) .. '\\1' .. tostring(b) .. '\\1' .. tostring(c)\n"
    "  end\n"
    "  return table.concat(list, '\\2')\n"
    "end\n"
    "return function(pattern, text, from)\n"
    "  same('find', text, pattern, from)\n"
    "  same('find', text, pattern, from, true)\n"
    "  same('match', text, pattern, from)\n"
    "  same('gsub', text, pattern, '<%0%1%%>', from)\n"
    "  same('gsub', text, pattern, { a = 1, b = false, [2] = 'x' })\n"
    "  same('gsub', text, pattern, function(a) return a ~= 'a' and tostring(a):upper() end)\n"
    "  local a, b = { pcall(all, one, text, pattern) }, { pcall(all, other, text, pattern) }\n"
    "  if (a[1] or b[1]) and (a[1] ~= b[1] or a[2] ~= b[2]) then\n"
    "    error(('gmatch: %s, LuaJIT %s'):format(tostring(a[2]), tostring(b[2])))\n"
    "  end\n"
    "end\n";

static lua_State *compare;

static void prepare(void)
{
    compare = luaL_newstate();
    luaL_openlibs(compare);
    if (luaL_loadstring(compare, script) != 0)
        abort();
    lua_newtable(compare);
    api_pattern_open(compare);
    lua_getfield(compare, -1, "pattern");
    lua_remove(compare, -2);
    lua_getglobal(compare, "string");
    if (lua_pcall(compare, 2, 1, 0) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A byte for the offset; the pattern, up to a NUL (which LuaJIT takes for its end); the text. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3)
        return 0;
    int from = (int8_t)data[0];
    const char *pattern = (const char *)data + 1;
    size_t len = strnlen(pattern, size - 1);
    const char *text = pattern + len + 1;
    if (len > PATTERN_MAX || len + 2 > size || size - len - 2 > TEXT_MAX)
        return 0;
    if (!compare)
        prepare();
    lua_pushvalue(compare, -1);
    lua_pushlstring(compare, pattern, len);
    lua_pushlstring(compare, text, size - len - 2);
    lua_pushinteger(compare, from);
    if (lua_pcall(compare, 3, 0, 0) != 0) {
        fprintf(stderr, "%s: pattern \"%s\"\n", lua_tostring(compare, -1), pattern);
        abort();
    }
    return 0;
}
