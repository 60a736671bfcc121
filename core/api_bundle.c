#include <errno.h>
#include <lauxlib.h>
#include <string.h>
#include <unistd.h>

#include "api.h"
#include "source.h"

/* The names of what is in it, as a list; a function that may throw, as little is lost. */
static void push_names(lua_State *L, const struct bundle *bundle)
{
    struct bundle_file file;
    int n = 0;
    lua_newtable(L);
    for (size_t at = bundle->first; bundle_next(bundle, &at, &file);) {
        lua_pushstring(L, file.name);
        lua_rawseti(L, -2, ++n);
    }
}

/* host.cli.bundle(path) -> { policy =, version =, files = (list of names) } | nil, what is wrong
 * with that bundle; nil alone when it is none */
static int api_bundle(lua_State *L)
{
    const char *path = luaL_checkstring(L, 1), *problem;
    char policy[BUNDLE_NAME_MAX];
    struct bundle bundle;
    size_t len = 0;
    int source = source_open_bundle(path, policy, &problem);
    lua_settop(L, 1);
    if (source < 0 || !*policy) {
        if (source >= 0)
            close(source);
        lua_pushnil(L);
        lua_pushstring(L, problem); /* nil for NULL */
        return 2;
    }
    const uint8_t *data = source_map(source, &len);
    close(source);
    if (!data || bundle_head(data, len, &bundle))
        return luaL_error(L, "no memory for %s", path);
    lua_createtable(L, 0, 3);
    lua_pushstring(L, policy);
    lua_setfield(L, -2, "policy");
    lua_pushnumber(L, (lua_Number)bundle.version);
    lua_setfield(L, -2, "version");
    push_names(L, &bundle);
    lua_setfield(L, -2, "files");
    source_unmap(data, len);
    return 1;
}

int api_bundle_opendir(lua_State *L, const char *path)
{
    char policy[BUNDLE_NAME_MAX];
    const char *problem;
    int source = source_open_bundle(path, policy, &problem);
    if (source >= 0) {
        lua_pushinteger(L, source);
        return 1;
    }
    lua_pushnil(L);
    lua_pushstring(L, problem ? problem : strerror(-source));
    return 2;
}

void api_bundle_open(lua_State *L)
{
    lua_pushcfunction(L, api_bundle);
    lua_setfield(L, -2, "bundle");
}
