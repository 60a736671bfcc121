#include <dirent.h>
#include <errno.h>
#include <lauxlib.h>
#include <lualib.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api.h"
#include "embedded.h"
#include "files.h"
#include "source.h"
#include "vm.h"

#define SOURCE_MAX (64u << 20)

/* nil, message, whether there is nothing of that name. */
static int push_file_error(lua_State *L, int error)
{
    lua_pushnil(L);
    lua_pushstring(L, error == EXDEV ? "the name leads out of the policy's directory"
                                     : strerror(error));
    lua_pushboolean(L, error == ENOENT || error == ENOTDIR);
    return 3;
}

/* host.read(dir, path) -> text | nil, message, whether there is no such file */
static int api_read(lua_State *L)
{
    int dir = (int)luaL_checkinteger(L, 1);
    const char *path = luaL_checkstring(L, 2);
    size_t len;
    char *text;
    int error = source_read(dir, path, SOURCE_MAX, &text, &len);
    if (error)
        return push_file_error(L, -error);
    /* Lua may run out of memory here and throw: the text then is lost, once, at a load
     * that fails. */
    lua_pushlstring(L, text, len);
    free(text);
    return 1;
}

/* Adds the entries of an open directory to the table on top, subdirectories with a slash. */
static void add_entries(lua_State *L, DIR *entries)
{
    int n = 0;
    for (struct dirent *entry; (entry = readdir(entries));) {
        struct stat st;
        const char *name = entry->d_name;
        if (!strcmp(name, ".") || !strcmp(name, ".."))
            continue;
        bool is_dir = fstatat(dirfd(entries), name, &st, 0) == 0 && S_ISDIR(st.st_mode);
        lua_pushfstring(L, "%s%s", name, is_dir ? "/" : "");
        lua_rawseti(L, -2, ++n);
    }
}

static void add_bundled(const char *name, bool directory, void *arg)
{
    lua_State *L = arg;
    lua_pushfstring(L, "%s%s", name, directory ? "/" : "");
    lua_rawseti(L, -2, (int)lua_objlen(L, -2) + 1);
}

/* The same of a bundle. When Lua throws here its memory is lost, as above. */
static int list_bundled(lua_State *L, int source, const char *path)
{
    struct bundle bundle;
    size_t len = 0;
    const uint8_t *data = source_map(source, &len);
    if (!data || bundle_head(data, len, &bundle)) {
        source_unmap(data, len);
        return push_file_error(L, EINVAL);
    }
    lua_newtable(L);
    int error = bundle_list(&bundle, path, add_bundled, L);
    source_unmap(data, len);
    return error ? push_file_error(L, -error) : 1;
}

/* host.list(dir, path) -> list of names in no order, those of directories with a slash
 * behind | nil, message, whether there is no such directory */
static int api_list(lua_State *L)
{
    int dir = (int)luaL_checkinteger(L, 1);
    const char *path = luaL_checkstring(L, 2);
    if (source_is_bundle(dir))
        return list_bundled(L, dir, path);
    int fd = files_open_beneath(dir, path);
    if (fd < 0)
        return push_file_error(L, -fd);
    DIR *entries = fdopendir(fd);
    if (!entries) {
        int error = errno;
        close(fd);
        return push_file_error(L, error);
    }
    lua_newtable(L);
    add_entries(L, entries);
    closedir(entries);
    return 1;
}

/* host.policy(name) -> the text of a policy that comes with moonboot ("default") | nil */
static int api_policy(lua_State *L)
{
    const char *name = lua_pushfstring(L, "policies.%s", luaL_checkstring(L, 1));
    for (const struct embedded *each = embedded; each->name; each++) {
        if (!strcmp(each->name, name)) {
            lua_pushlstring(L, each->start, (size_t)(each->end - each->start));
            return 1;
        }
    }
    return 0;
}

/* host.load(text, chunk, env) -> function | nil, message. Text only: bytecode can do
 * anything. */
static int api_load(lua_State *L)
{
    size_t len;
    const char *text = luaL_checklstring(L, 1, &len);
    const char *chunk = luaL_checkstring(L, 2);
    luaL_checktype(L, 3, LUA_TTABLE);
    if (luaL_loadbufferx(L, text, len, chunk, "t") != 0) {
        lua_pushnil(L);
        lua_insert(L, -2);
        return 2;
    }
    lua_pushvalue(L, 3);
    lua_setfenv(L, -2);
    return 1;
}

/* A second state, which has the compiler's library and never runs what it reads. */
static lua_State *reader_state(void)
{
    lua_State *S = luaL_newstate();
    if (!S)
        return NULL;
    luaL_openlibs(S);
    lua_getglobal(S, "require");
    lua_pushliteral(S, "jit.util");
    if (lua_pcall(S, 1, 1, 0) != 0) {
        lua_close(S);
        return NULL;
    }
    lua_setglobal(S, "util");
    return S;
}

static int run_reader(lua_State *S)
{
    const char *const *args = lua_touserdata(S, 1);
    const size_t *len = lua_touserdata(S, 2);
    lua_settop(S, 0);
    vm_load_module(S, args[2]);
    lua_call(S, 0, 1);
    lua_pushlstring(S, args[0], *len);
    lua_pushstring(S, args[1]);
    lua_call(S, 2, 2);
    return 2;
}

lua_State *api_source_read(const char *module, const char *text, size_t len, const char *chunk)
{
    lua_State *S = reader_state();
    if (!S)
        return NULL;
    const char *args[3] = {text, chunk, module};
    lua_pushcfunction(S, run_reader);
    lua_pushlightuserdata(S, args);
    lua_pushlightuserdata(S, &len);
    if (lua_pcall(S, 2, 2, 0) != 0) {
        lua_pushnil(S); /* as if the module had said so */
        lua_insert(S, 1);
    }
    return S;
}

/* host.names(text, chunk) -> list of { name, line, set, field } | nil, message */
static int api_names(lua_State *L)
{
    size_t len;
    const char *text = luaL_checklstring(L, 1, &len);
    const char *chunk = luaL_checkstring(L, 2);
    lua_State *S = api_source_read("names", text, len, chunk);
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
    for (size_t i = 1; i <= n; i++) {
        static const char *const keys[] = {"name", "line", "set", "field", NULL};
        lua_rawgeti(S, 1, (int)i);
        lua_createtable(L, 0, 4);
        for (const char *const *key = keys; *key; key++) {
            lua_getfield(S, -1, *key);
            if (lua_isboolean(S, -1))
                lua_pushboolean(L, lua_toboolean(S, -1));
            else if (lua_type(S, -1) == LUA_TNUMBER)
                lua_pushnumber(L, lua_tonumber(S, -1));
            else
                lua_pushstring(L, lua_tostring(S, -1));
            lua_setfield(L, -2, *key);
            lua_pop(S, 1);
        }
        lua_rawseti(L, -2, (int)i);
        lua_pop(S, 1);
    }
    lua_close(S);
    return 1;
}

/* host.where(level) -> source, line; level 1 is the function that calls host.where. */
static int api_where(lua_State *L)
{
    lua_Debug ar;
    if (!lua_getstack(L, (int)luaL_checkinteger(L, 1), &ar) || !lua_getinfo(L, "Sl", &ar))
        return 0;
    lua_pushstring(L, ar.source + (*ar.source == '@' || *ar.source == '='));
    lua_pushinteger(L, ar.currentline);
    return 2;
}

void api_source_open(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"read", api_read}, {"list", api_list},   {"policy", api_policy},
        {"load", api_load}, {"names", api_names}, {"where", api_where},
        {NULL, NULL}};
    luaL_register(L, NULL, functions);
}
