/* How many each address has: against a plain array, as tables fill, wrap and close their holes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tally.h"

#define CLIENTS 97
#define MAX     60
#define STEPS   200000

static struct in_addr client(unsigned n)
{
    return (struct in_addr){htonl(0x0a000000 + n * 65536)};
}

static void test_against_an_array(void **state)
{
    unsigned held[CLIENTS] = {0}, all = 0;
    (void)state;
    for (unsigned seed = 1; seed <= 5; seed++) {
        struct tally *tally = tally_alloc(MAX);
        assert_non_null(tally);
        srandom(seed);
        for (unsigned i = 0; i < STEPS; i++) {
            unsigned who = (unsigned)random() % CLIENTS;
            if (all < MAX && random() % 2) {
                tally_take(tally, client(who));
                held[who]++;
                all++;
            } else if (held[who] > 0) {
                tally_give(tally, client(who));
                held[who]--;
                all--;
            }
            assert_int_equal(tally_of(tally, client(who)), held[who]);
            if (i % 1000 == 0) {
                for (unsigned n = 0; n < CLIENTS; n++)
                    assert_int_equal(tally_of(tally, client(n)), held[n]);
            }
        }
        for (unsigned n = 0; n < CLIENTS; n++) {
            for (; held[n] > 0; held[n]--, all--)
                tally_give(tally, client(n));
            assert_int_equal(tally_of(tally, client(n)), 0);
        }
        tally_free(tally);
    }
}

static void test_one_address(void **state)
{
    struct tally *tally = tally_alloc(1000);
    (void)state;
    for (unsigned i = 0; i < 1000; i++)
        tally_take(tally, client(0));
    assert_int_equal(tally_of(tally, client(0)), 1000);
    assert_int_equal(tally_of(tally, client(1)), 0);
    assert_int_equal(tally_of(tally, (struct in_addr){0}), 0);
    tally_give(tally, client(1)); /* it has none: nothing happens */
    assert_int_equal(tally_of(tally, client(0)), 1000);
    tally_free(tally);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_an_array),
        cmocka_unit_test(test_one_address),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
