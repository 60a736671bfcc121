#include <arpa/inet.h>
#include <lauxlib.h>
#include <time.h>

#include "api.h"
#include "token.h"
#include "vm.h"

static struct bytes check_bytes(lua_State *L, int index)
{
    size_t len;
    const char *text = luaL_checklstring(L, index, &len);
    return (struct bytes){(const uint8_t *)text, len};
}

/* Arguments 1 to 4: purpose, machine, name, client or nil. */
static struct token_claim check_claim(lua_State *L)
{
    struct token_claim claim = {
        .purpose = luaL_checkstring(L, 1), .machine = check_bytes(L, 2), .name = check_bytes(L, 3)};
    const char *client = luaL_optstring(L, 4, NULL);
    if (client && inet_pton(AF_INET, client, &claim.client) != 1)
        luaL_argerror(L, 4, "no IPv4 address");
    return claim;
}

/* host.token.make(purpose, machine, name, client) -> text */
static int api_token_make(lua_State *L)
{
    char text[TOKEN_TEXT];
    struct token_claim claim = check_claim(L);
    token_make(vm_options(vm_of(L))->tokens, &claim, time(NULL), text);
    lua_pushstring(L, text);
    return 1;
}

/* host.token.single(purpose, machine, name, client) -> text of one that is good once */
static int api_token_single(lua_State *L)
{
    char text[TOKEN_SINGLE_TEXT];
    struct token_claim claim = check_claim(L);
    token_make_single(vm_options(vm_of(L))->tokens, &claim, time(NULL), text);
    lua_pushstring(L, text);
    return 1;
}

/* host.token.once(text), of a good one -> what it is remembered by, the seconds that it lives |
 * nil: it is good more than once */
static int api_token_once(lua_State *L)
{
    char id[TOKEN_ID_TEXT];
    time_t end;
    if (!token_is_single(check_bytes(L, 1), id, &end))
        return 0;
    lua_pushstring(L, id);
    lua_pushnumber(L, (lua_Number)(end - time(NULL)));
    return 2;
}

/* host.token.problem(purpose, machine, name, client, text) -> nil: it is good | why it is not */
static int api_token_problem(lua_State *L)
{
    struct token_claim claim = check_claim(L);
    struct bytes text = check_bytes(L, 5);
    lua_pushstring(L, token_problem(vm_options(vm_of(L))->tokens, &claim, time(NULL), text));
    return 1;
}

void api_token_open(lua_State *L)
{
    static const luaL_Reg functions[] = {{"make", api_token_make},
                                         {"single", api_token_single},
                                         {"once", api_token_once},
                                         {"problem", api_token_problem},
                                         {NULL, NULL}};
    const struct token_rules *rules = vm_options(vm_of(L))->tokens;
    if (!rules)
        return;
    lua_newtable(L);
    luaL_register(L, NULL, functions);
    lua_pushboolean(L, rules->required);
    lua_setfield(L, -2, "required");
    lua_pushinteger(L, (lua_Integer)rules->grace);
    lua_setfield(L, -2, "grace");
    lua_setfield(L, -2, "token");
}
