#include <lauxlib.h>
#include <string.h>

#include "addr.h"
#include "api.h"

/* host.mac(text) -> "52:54:00:12:34:56" | nil */
static int api_mac(lua_State *L)
{
    uint8_t mac[ADDR_MAC_LEN];
    char text[ADDR_MAC_TEXT];
    if (!addr_mac_parse(luaL_checkstring(L, 1), mac))
        return 0;
    addr_mac_text(mac, text);
    lua_pushstring(L, text);
    return 1;
}

/* host.uuid(text) -> lower case with dashes | nil (malformed, or a value that stands for
 * "none") */
static int api_uuid(lua_State *L)
{
    uint8_t uuid[ADDR_UUID_LEN];
    char text[ADDR_UUID_TEXT];
    if (!addr_uuid_parse(luaL_checkstring(L, 1), uuid) || addr_uuid_absent(uuid))
        return 0;
    addr_uuid_text(uuid, text);
    lua_pushstring(L, text);
    return 1;
}

/* host.ip(text) -> number | nil */
static int api_ip(lua_State *L)
{
    uint32_t ip;
    if (!addr_ip_parse(luaL_checkstring(L, 1), &ip))
        return 0;
    lua_pushnumber(L, ip);
    return 1;
}

/* host.subnet(text) -> address, mask | nil */
static int api_subnet(lua_State *L)
{
    struct addr_subnet subnet;
    if (!addr_subnet_parse(luaL_checkstring(L, 1), &subnet))
        return 0;
    lua_pushnumber(L, subnet.address);
    lua_pushnumber(L, subnet.mask);
    return 2;
}

/* Text as firmware nearly always sends it: not empty, without NUL, nothing at its end to be cut
 * off. NULL for any other value. */
static const char *plain_text(lua_State *L, size_t *len)
{
    const char *text = lua_type(L, 1) == LUA_TSTRING ? lua_tolstring(L, 1, len) : NULL;
    return text && *len > 0 && (unsigned char)text[*len - 1] > ' ' && !memchr(text, '\0', *len)
               ? text
               : NULL;
}

static int normal_text(lua_State *L)
{
    size_t len;
    lua_settop(L, 1);
    return plain_text(L, &len) != NULL;
}

static int normal_lower(lua_State *L)
{
    size_t len;
    const char *text = plain_text(L, &len);
    lua_settop(L, 1);
    for (size_t i = 0; text && i < len; i++) {
        if (text[i] >= 'A' && text[i] <= 'Z')
            return 0;
    }
    return text != NULL;
}

static int normal_mac(lua_State *L)
{
    size_t len;
    return plain_text(L, &len) ? api_mac(L) : 0;
}

static int normal_uuid(lua_State *L)
{
    size_t len;
    return plain_text(L, &len) ? api_uuid(L) : 0;
}

static int normal_ip(lua_State *L)
{
    size_t len;
    uint32_t ip;
    const char *text = plain_text(L, &len);
    lua_settop(L, 1);
    return text && addr_ip_parse(text, &ip) && ip != 0;
}

void api_address_open(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"mac", api_mac}, {"uuid", api_uuid}, {"ip", api_ip}, {"subnet", api_subnet}, {NULL, NULL}};
    luaL_register(L, NULL, functions);
    /* host.normal, by type: value -> its normal form (lua/normalise.lua) where that is plain to
     * see, which takes a tenth of the time; nil: it may have one nevertheless, or none. */
    static const luaL_Reg normal[] = {{"text", normal_text}, {"lower", normal_lower},
                                      {"mac", normal_mac},   {"uuid", normal_uuid},
                                      {"ip", normal_ip},     {NULL, NULL}};
    lua_newtable(L);
    luaL_register(L, NULL, normal);
    lua_setfield(L, -2, "normal");
}
