/* Which store a generation takes for its own, from one reload to the next. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "state.h"

static struct config redis(char *host, char *socket, unsigned db, char *prefix)
{
    struct config config = {0};
    config.state.backend = CONFIG_STATE_REDIS;
    config.state.redis.host = host;
    config.state.redis.socket = socket;
    config.state.redis.port = 6379;
    config.state.redis.db = db;
    config.state.redis.prefix = prefix;
    return config;
}

/* What is seen in `config` after `before`, where 5 was seen. */
static uint64_t seen_after(const struct config *before, const struct config *config)
{
    store_redis_seen *first = state_seen_open(before, NULL, NULL);
    assert_non_null(first);
    assert_int_equal(*first, 0);
    *first = 5;
    store_redis_seen *second = state_seen_open(config, before, first);
    assert_non_null(second);
    uint64_t seen = *second;
    *second = 6;
    assert_int_equal(*first, 5);
    state_seen_close(first);
    state_seen_close(second);
    return seen;
}

static void test_the_same_place_has_the_same_store(void **state)
{
    (void)state;
    char host[] = "a", again[] = "a", prefix[] = "p:";
    struct config before = redis(host, NULL, 1, prefix), after = redis(again, NULL, 1, prefix);
    after.state.redis.timeout_ms = 9;
    assert_int_equal(seen_after(&before, &after), 5);
    before = redis(NULL, host, 0, prefix);
    after = redis(NULL, again, 0, prefix);
    assert_int_equal(seen_after(&before, &after), 5);
}

static void test_another_place_may_have_another(void **state)
{
    (void)state;
    char host[] = "a", other[] = "b", prefix[] = "p:";
    struct config before = redis(host, NULL, 1, prefix);
    struct config after[] = {redis(other, NULL, 1, prefix), redis(NULL, host, 1, prefix),
                             redis(host, NULL, 2, prefix),  redis(host, NULL, 1, other),
                             redis(host, NULL, 1, prefix),  redis(host, NULL, 1, prefix)};
    after[4].state.redis.port = 6380;
    after[5].state.backend = CONFIG_STATE_LMDB;
    for (size_t i = 0; i < sizeof after / sizeof *after; i++)
        assert_int_equal(seen_after(&before, &after[i]), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_same_place_has_the_same_store),
        cmocka_unit_test(test_another_place_may_have_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
