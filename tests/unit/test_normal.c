#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <lauxlib.h>
#include <string.h>

#include "api.h"

/* host.normal[type] of a text is that; NULL: it is not plain to see. */
static void check(const char *type, const char *text, size_t len, const char *expected)
{
    lua_State *L = luaL_newstate();
    assert_non_null(L);
    lua_newtable(L);
    api_address_open(L);
    lua_getfield(L, -1, "normal");
    lua_getfield(L, -1, type);
    if (text)
        lua_pushlstring(L, text, len);
    else
        lua_pushboolean(L, 0);
    assert_int_equal(lua_pcall(L, 1, 1, 0), 0);
    if (expected)
        assert_string_equal(lua_tostring(L, -1), expected);
    else
        assert_true(lua_isnil(L, -1));
    lua_close(L);
}

#define CHECK(type, text, expected) check(type, text, sizeof text - 1, expected)

static void test_text(void **state)
{
    (void)state;
    CHECK("text", "R5 X", "R5 X");
    CHECK("text", " x", " x");
    CHECK("text", "", NULL);
    CHECK("text", "x ", NULL);
    CHECK("text", "x\0", NULL);
    CHECK("text", "x\0y", NULL);
    check("text", NULL, 0, NULL);
}

static void test_lower(void **state)
{
    (void)state;
    CHECK("lower", "node-1", "node-1");
    CHECK("lower", "Node-1", NULL);
    CHECK("lower", "node-1\n", NULL);
    check("lower", NULL, 0, NULL);
}

static void test_addresses(void **state)
{
    (void)state;
    CHECK("mac", "52-54-00-AB-cd-ef", "52:54:00:ab:cd:ef");
    CHECK("mac", "52-54-00-AB-cd", NULL);
    CHECK("mac", "52-54-00-AB-cd-ef ", NULL);
    CHECK("mac", "52-54-00-AB-cd-ef\0x", NULL);
    check("mac", NULL, 0, NULL);
    CHECK("ip", "10.0.0.2", "10.0.0.2");
    CHECK("ip", "0.0.0.0", NULL);
    CHECK("ip", "10.0.0", NULL);
    check("ip", NULL, 0, NULL);
}

static void test_uuids(void **state)
{
    (void)state;
    CHECK("uuid", "4C4C4544-0052-3510-8051-B4C04F4E3732", "4c4c4544-0052-3510-8051-b4c04f4e3732");
    CHECK("uuid", "4c4c4544005235108051b4c04f4e3732", "4c4c4544-0052-3510-8051-b4c04f4e3732");
    CHECK("uuid", "00000000-0000-0000-0000-000000000000", NULL);
    CHECK("uuid", "ffffffff-ffff-ffff-ffff-ffffffffffff", NULL);
    CHECK("uuid", "4c4c4544", NULL);
    check("uuid", NULL, 0, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_text), cmocka_unit_test(test_lower),
                                       cmocka_unit_test(test_addresses),
                                       cmocka_unit_test(test_uuids)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
