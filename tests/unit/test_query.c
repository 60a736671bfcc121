#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "query.h"

static lua_State *start(void)
{
    lua_State *L = luaL_newstate();
    assert_non_null(L);
    lua_newtable(L);
    api_query_open(L);
    lua_setglobal(L, "host");
    return L;
}

/* host.query's table in the top slot. */
static void parse(lua_State *L, const char *text, size_t len)
{
    lua_getglobal(L, "host");
    lua_getfield(L, -1, "query");
    lua_pushlstring(L, text, len);
    assert_int_equal(lua_pcall(L, 1, 1, 0), 0);
    lua_remove(L, -2);
}

static void check(const char *text, const char *expected)
{
    /* every name that occurs here, in this order */
    static const char *const names[] = {"a", "b", "a b", "serial", "=", "%", "%4", NULL};
    char found[256] = "";
    lua_State *L = start();
    parse(L, text, strlen(text));
    for (const char *const *name = names; *name; name++) {
        lua_getfield(L, -1, *name);
        if (!lua_isnil(L, -1))
            snprintf(found + strlen(found), sizeof found - strlen(found), "[%s]=[%s]", *name,
                     lua_tostring(L, -1));
        lua_pop(L, 1);
    }
    assert_string_equal(found, expected);
    lua_close(L);
}

static void test_names_and_values(void **state)
{
    (void)state;
    check("", "");
    check("&&", "");
    check("a", "");
    check("a=", "");
    check("a=1", "[a]=[1]");
    check("a=1&b=2", "[a]=[1][b]=[2]");
    check("&a=1&&b=2&", "[a]=[1][b]=[2]");
    check("a==", "[a]=[=]");
    check("a=1=2", "[a]=[1=2]");
}

static void test_the_first_of_a_name_that_has_a_value_counts(void **state)
{
    (void)state;
    check("a=1&a=2", "[a]=[1]");
    check("a=&a=2", "[a]=[2]");
    check("a=1&a=2&x", "[a]=[1]"); /* what was not taken is not gone on with */
}

static void test_what_has_no_name_belongs_to_the_value_before(void **state)
{
    (void)state;
    check("serial=A&B&a=1", "[a]=[1][serial]=[A&B]");
    check("serial=A&B&C", "[serial]=[A&B&C]");
    check("serial=A&=B", "[serial]=[A&=B]");
    check("serial=A&%42", "[serial]=[A&B]");
    check("B&serial=A", "[serial]=[A]");
    check("serial=&B", "");
}

static void test_escapes(void **state)
{
    (void)state;
    check("a=%41%2f%2F", "[a]=[A//]");
    check("a%20b=1+2", "[a b]=[1+2]");
    check("a=%4", "[a]=[%4]");
    check("a=%", "[a]=[%]");
    check("a=%4g%zz%%41", "[a]=[%4g%zz%A]");
    check("%3D=1", "[=]=[1]");
    check("%25=1", "[%]=[1]");
}

static void test_any_bytes_of_any_length(void **state)
{
    size_t len;
    lua_State *L = start();
    (void)state;
    parse(L, "a=\0b&b=%00", 10);
    lua_getfield(L, -1, "a");
    assert_int_equal(lua_objlen(L, -1), 2);
    lua_getfield(L, -2, "b");
    assert_memory_equal(lua_tolstring(L, -1, &len), "\0", 1);
    assert_int_equal(len, 1);

    enum { N = 20000 };
    char *text = malloc(2 + 3 * N);
    assert_non_null(text);
    memcpy(text, "a=", 2);
    for (int i = 0; i < N; i++)
        memcpy(text + 2 + 3 * i, i % 2 ? "%%%" : "%41", 3);
    parse(L, text, 2 + 3 * N);
    lua_getfield(L, -1, "a");
    const char *value = lua_tolstring(L, -1, &len);
    assert_int_equal(len, N / 2 * 4);
    assert_memory_equal(value, "A%%%A%%%", 8);
    assert_memory_equal(value + len - 4, "A%%%", 4);
    free(text);

    text = malloc(6 * 10000);
    assert_non_null(text);
    for (int i = 0; i < 10000; i++) {
        char piece[8];
        snprintf(piece, sizeof piece, "%04d=&", i);
        memcpy(text + 6 * i, piece, 6);
    }
    text[6 * 5000 + 5] = '1'; /* "5000=1" */
    parse(L, text, 6 * 5000 + 6);
    lua_getfield(L, -1, "5000");
    assert_string_equal(lua_tostring(L, -1), "1");
    free(text);
    lua_close(L);
}

static bool only(lua_State *L, const char *text, size_t len, const char *bytes)
{
    lua_getglobal(L, "host");
    lua_getfield(L, -1, "only");
    lua_pushstring(L, bytes);
    assert_int_equal(lua_pcall(L, 1, 1, 0), 0);
    lua_pushlstring(L, text, len);
    assert_int_equal(lua_pcall(L, 1, 1, 0), 0);
    bool result = lua_toboolean(L, -1);
    lua_pop(L, 2);
    return result;
}

static void test_only(void **state)
{
    lua_State *L = start();
    (void)state;
    assert_true(only(L, "", 0, "ab"));
    assert_true(only(L, "abba", 4, "ab"));
    assert_false(only(L, "abbc", 4, "ab"));
    assert_false(only(L, "ab\0a", 4, "ab"));
    assert_false(only(L, "a\xff", 2, "ab"));
    lua_close(L);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_and_values),
        cmocka_unit_test(test_the_first_of_a_name_that_has_a_value_counts),
        cmocka_unit_test(test_what_has_no_name_belongs_to_the_value_before),
        cmocka_unit_test(test_escapes),
        cmocka_unit_test(test_any_bytes_of_any_length),
        cmocka_unit_test(test_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
