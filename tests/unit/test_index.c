/* The index finds what a scan over all rules would, in order: by hand, and by 100,000 random
 * rule sets and machines in the real engine (index_property.lua). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "index.h"
#include "task.h"
#include "vm.h"

#define ROUNDS 100000

#define DHCP 1u
#define TFTP 2u

static struct index *index_;

static void add(uint32_t rule, unsigned predicate, unsigned field, enum index_kind kind,
                const char *text)
{
    assert_int_equal(index_add(index_, rule, predicate, field, kind, text, strlen(text)), 0);
}

static struct index_value value(unsigned field, const char *text)
{
    return (struct index_value){text, text ? strlen(text) : 0, field};
}

/* The candidates as text: "1 3 4". */
static const char *look(const struct index_value *values, size_t n_values, unsigned stage)
{
    static char text[256];
    struct index_list copy[16];
    struct index_list *lists;
    int found = index_look(index_, values, n_values, stage, &lists);
    assert_in_range(found, 0, 16);
    size_t n = (size_t)found;
    if (n)
        memcpy(copy, lists, n * sizeof *copy);
    *text = '\0';
    for (uint32_t rule; (rule = index_take(copy, &n));)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%u", *text ? " " : "", rule);
    return text;
}

static int setup(void **state)
{
    (void)state;
    index_ = index_alloc();
    return index_ ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    index_free(index_);
    return 0;
}

enum { MAC, SERIAL, IP, FEATURES };

static void add_fields(void)
{
    assert_int_equal(index_field(index_, 0), MAC);
    assert_int_equal(index_field(index_, DHCP | TFTP), SERIAL);
    assert_int_equal(index_field(index_, DHCP), IP);
    assert_int_equal(index_field(index_, TFTP), FEATURES);
}

static void test_kinds(void **state)
{
    (void)state;
    add_fields();
    add(1, 1, MAC, INDEX_PLAIN, "aa:bb");
    add(2, 1, MAC, INDEX_PREFIX, "aa");
    add(4, 1, MAC, INDEX_SUFFIX, "bb");
    add(5, 1, IP, INDEX_SUBNET, "10.0.0.0/8");
    add(6, 1, IP, INDEX_SUBNET, "0.0.0.0/0");
    add(7, 1, IP, INDEX_SUBNET, "10.0.0.1");
    assert_int_equal(index_freeze(index_, 8), 0);
    struct index_value values[] = {value(MAC, "aa:bb"), value(IP, "10.0.0.1")};
    assert_string_equal(look(values, 0, 0), "3 8");
    assert_string_equal(look(values, 1, 0), "1 2 3 4 8");
    assert_string_equal(look(values, 2, 0), "1 2 3 4 5 6 7 8");
    values[0] = value(MAC, "a");
    values[1] = value(IP, "11.0.0.1");
    assert_string_equal(look(values, 2, 0), "3 6 8");
    values[1] = value(IP, "no address");
    assert_string_equal(look(values, 2, 0), "3 8");
}

static void test_rarest(void **state)
{
    (void)state;
    add_fields();
    for (uint32_t rule = 1; rule <= 5; rule++) {
        char serial[2] = {(char)('A' + rule), 0};
        add(rule, 1, FEATURES, INDEX_PLAIN, "http");
        add(rule, 2, SERIAL, INDEX_PLAIN, serial);
    }
    assert_int_equal(index_freeze(index_, 5), 0);
    struct index_value values[] = {value(FEATURES, "http"), value(SERIAL, "C")};
    assert_string_equal(look(values, 2, 0), "2");
    assert_string_equal(look(values, 1, 0), "");
}

/* A list of values on a field of several: each rule comes once. */
static void test_several_keys(void **state)
{
    (void)state;
    add_fields();
    add(1, 1, FEATURES, INDEX_PLAIN, "http");
    add(1, 1, FEATURES, INDEX_PLAIN, "https");
    add(1, 1, FEATURES, INDEX_PREFIX, "ht");
    add(2, 1, FEATURES, INDEX_PLAIN, "https");
    add(2, 1, FEATURES, INDEX_PLAIN, "https");
    assert_int_equal(index_freeze(index_, 2), 0);
    struct index_value values[] = {value(FEATURES, "http"), value(FEATURES, "https")};
    assert_string_equal(look(values, 2, 0), "1 2");
    assert_string_equal(look(values, 1, 0), "1");
}

static void test_unknown(void **state)
{
    (void)state;
    add_fields();
    add(1, 1, SERIAL, INDEX_PLAIN, "A");
    add(2, 1, MAC, INDEX_PLAIN, "m");
    add(3, 1, MAC, INDEX_PREFIX, "x");
    add(3, 2, SERIAL, INDEX_PLAIN, "B");
    add(4, 1, SERIAL, INDEX_PLAIN, "C");
    add(4, 2, IP, INDEX_SUBNET, "10.0.0.0/8");
    add(5, 1, MAC, INDEX_PREFIX, "x");
    add(6, 1, IP, INDEX_SUBNET, "10.0.0.0/8");
    assert_int_equal(index_freeze(index_, 6), 0);
    /* Of the rules under the serial number, those whose other predicates may hold. */
    struct index_value values[] = {value(MAC, "m"), value(SERIAL, NULL), value(IP, NULL)};
    assert_string_equal(look(values, 3, DHCP), "1 2 4 6");
    values[0] = value(MAC, "xy");
    assert_string_equal(look(values, 3, DHCP), "1 3 4 5 6");
    /* Where addresses are known, 4 is not waited for. */
    values[2] = value(IP, "192.168.0.1");
    assert_string_equal(look(values, 3, TFTP), "1 3 5");
    /* Known after all. */
    values[1] = value(SERIAL, "C");
    values[2] = value(IP, NULL);
    assert_string_equal(look(values, 3, DHCP), "4 5 6");
}

static void test_misuse(void **state)
{
    (void)state;
    add_fields();
    add(2, 1, MAC, INDEX_PLAIN, "");
    assert_int_equal(index_add(index_, 1, 1, MAC, INDEX_PLAIN, "a", 1), -EINVAL);
    assert_int_equal(index_add(index_, 3, 1, FEATURES + 1, INDEX_PLAIN, "a", 1), -EINVAL);
    assert_int_equal(index_add(index_, 3, 1, IP, INDEX_SUBNET, "10.0.0.1/8", 10), -EINVAL);
    char longer[1000];
    memset(longer, 'x', sizeof longer);
    assert_int_equal(index_add(index_, 3, 1, MAC, INDEX_PREFIX, longer, 900), 0);
    assert_int_equal(index_add(index_, 4, 1, MAC, INDEX_SUFFIX, longer, 900), 0);
    assert_int_equal(index_freeze(index_, 4), 0);
    struct index_value values[] = {{longer, 1000, MAC}, value(MAC, "")};
    assert_string_equal(look(values, 1, 0), "1 3 4");
    assert_string_equal(look(values + 1, 1, 0), "1 2");
}

static void test_empty(void **state)
{
    (void)state;
    assert_int_equal(index_freeze(index_, 0), 0);
    assert_string_equal(look(NULL, 0, DHCP), "");
}

static void test_property(void **state)
{
    (void)state;
    struct vm_options options = {.memory = (size_t)256 << 20, .decision_ms = 1000};
    struct vm *vm = vm_alloc(&options);
    assert_non_null(vm);
    lua_State *L = vm_state(vm);
    unsigned seed = getenv("SEED") ? (unsigned)atoi(getenv("SEED")) : (unsigned)getpid();
    print_message("%d rounds, SEED=%u\n", ROUNDS, seed);
    if (luaL_loadfile(L, "tests/unit/index_property.lua") != 0 || !task_load(L, 0, 1))
        fail_msg("%s", lua_tostring(L, -1));
    lua_pushinteger(L, ROUNDS);
    lua_pushinteger(L, (lua_Integer)seed);
    if (!task_load(L, 2, 1))
        fail_msg("%s", lua_tostring(L, -1));
    for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1))
        print_message("%s: %d\n", lua_tostring(L, -2), (int)lua_tointeger(L, -1));
    vm_free(vm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_kinds, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rarest, setup, teardown),
        cmocka_unit_test_setup_teardown(test_several_keys, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unknown, setup, teardown),
        cmocka_unit_test_setup_teardown(test_misuse, setup, teardown),
        cmocka_unit_test_setup_teardown(test_empty, setup, teardown),
        cmocka_unit_test(test_property),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
