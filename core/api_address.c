#include <lauxlib.h>

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

void api_address_open(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"mac", api_mac}, {"uuid", api_uuid}, {"ip", api_ip}, {"subnet", api_subnet}, {NULL, NULL}};
    luaL_register(L, NULL, functions);
}
