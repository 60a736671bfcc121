/* What Redis refuses is a trouble until it takes the same again, and is logged once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "redis_health.h"

static const struct store_request reads = {.verb = STORE_GET}, lists = {.verb = STORE_LIST},
                                  sets = {.verb = STORE_WRITE},
                                  deletes = {.verb = STORE_WRITE, .change.deletes = true};
static struct redis_health health;

static int begin(void **state)
{
    (void)state;
    health = (struct redis_health){0};
    return 0;
}

static void test_what_is_taken_again_is_no_trouble(void **state)
{
    (void)state;
    assert_int_equal(redis_health_trouble(&health), 0);
    assert_true(redis_health_note(&health, &sets, -EOVERFLOW, true));
    assert_false(redis_health_note(&health, &reads, 0, false));
    assert_false(redis_health_note(&health, &deletes, 0, false));
    assert_false(redis_health_note(&health, &sets, -EAGAIN, false)); /* nothing was written */
    assert_int_equal(redis_health_trouble(&health), -EOVERFLOW);
    assert_false(redis_health_note(&health, &sets, 7, false));
    assert_int_equal(redis_health_trouble(&health), 0);
    assert_false(redis_health_note(&health, &sets, -EOVERFLOW, true)); /* the log knows it */
    assert_int_equal(redis_health_trouble(&health), -EOVERFLOW);
    assert_true(redis_health_note(&health, &sets, -EROFS, true));
}

static void test_each_kind_has_its_own(void **state)
{
    (void)state;
    redis_health_note(&health, &lists, -EILSEQ, true);
    redis_health_note(&health, &deletes, -EROFS, true);
    assert_int_equal(redis_health_trouble(&health), -EILSEQ);
    redis_health_note(&health, &reads, -ENOENT, false);
    assert_int_equal(redis_health_trouble(&health), -EROFS);
    redis_health_note(&health, &sets, 1, false);
    assert_int_equal(redis_health_trouble(&health), 0);
}

static void test_who_is_busy_is_it_for_all(void **state)
{
    (void)state;
    redis_health_note(&health, &sets, -EBUSY, true);
    redis_health_note(&health, &lists, 0, false);
    assert_int_equal(redis_health_trouble(&health), 0);
    redis_health_note(&health, &sets, -EBUSY, true);
    redis_health_note(&health, &deletes, -EROFS, true);
    redis_health_alive(&health);
    assert_int_equal(redis_health_trouble(&health), -EROFS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_what_is_taken_again_is_no_trouble, begin),
        cmocka_unit_test_setup(test_each_kind_has_its_own, begin),
        cmocka_unit_test_setup(test_who_is_busy_is_it_for_all, begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
