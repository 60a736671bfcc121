#include <lauxlib.h>
#include <sodium.h>
#include <string.h>

#include "api.h"
#include "mask.h"
#include "seal.h"
#include "vm.h"

/* host.seal_problem(text) -> nil, the name that it was given, "" for none | what is wrong */
static int api_seal_problem(lua_State *L)
{
    size_t len, name_len;
    const char *name, *text = luaL_checklstring(L, 1, &len);
    lua_pushstring(L, seal_problem(text, len, &name, &name_len));
    lua_pushlstring(L, name, name_len);
    return 2;
}

/* host.unseal(text) -> value | nil, what is wrong. Notes the value for the logs to hide. */
static int api_unseal(lua_State *L)
{
    size_t len;
    const char *text = luaL_checklstring(L, 1, &len);
    struct vm *vm = vm_of(L);
    struct secret value = {0};
    char *copy =
        lua_newuserdata(L, len + 1); /* Lua's own, should it throw; longer than any value */
    const struct seal_keys *keys = vm_options(vm)->seals;
    const char *problem = "site.yaml has no key for it: `secrets: { key: … }`";
    if (keys)
        problem = seal_open(keys, text, len, &value);
    if (!problem && !mask_add(vm_options(vm)->mask, value.data, value.len))
        problem = "there is not enough memory";
    size_t n = problem ? 0 : value.len;
    if (!problem)
        memcpy(copy, value.data, n);
    secret_clear(&value);
    if (problem) {
        lua_pushnil(L);
        lua_pushstring(L, problem);
        return 2;
    }
    lua_pushlstring(L, copy, n);
    sodium_memzero(copy, n);
    return 1;
}

/* host.mask(text): the logs hide this, too */
static int api_mask(lua_State *L)
{
    size_t len;
    const char *text = luaL_checklstring(L, 1, &len);
    if (!mask_add(vm_options(vm_of(L))->mask, text, len))
        return luaL_error(L, "no memory for secrets");
    return 0;
}

/* host.hide(text) -> the text without what the logs hide */
static int api_hide(lua_State *L)
{
    size_t len;
    const char *text = luaL_checklstring(L, 1, &len);
    const struct mask *mask = vm_options(vm_of(L))->mask;
    lua_settop(L, 1);
    if (!mask_has(mask, text, len))
        return 1;
    /* Lua's own memory: what throws leaves nothing behind. */
    size_t size = len / MASK_SECRET_MIN * sizeof MASK_MARK + len + 1;
    char *copy = lua_newuserdata(L, size);
    lua_pushlstring(L, copy, mask_secrets(mask, text, len, copy, size));
    return 1;
}

void api_seal_open(lua_State *L)
{
    static const luaL_Reg always[] = {{"seal_problem", api_seal_problem}, {NULL, NULL}};
    static const luaL_Reg masking[] = {{"mask", api_mask}, {"hide", api_hide}, {NULL, NULL}};
    const struct vm_options *options = vm_options(vm_of(L));
    luaL_register(L, NULL, always);
    if (!options->mask)
        return;
    luaL_register(L, NULL, masking);
    if (!options->serving)
        return;
    lua_pushcfunction(L, api_unseal);
    lua_setfield(L, -2, "unseal");
}
