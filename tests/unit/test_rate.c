#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "metrics.h"
#include "rate.h"

static struct in_addr client(uint32_t n)
{
    return (struct in_addr){htonl(0x0a000000 + n)};
}

static unsigned taken(struct rate *rate, struct in_addr who, uint64_t now, unsigned tries)
{
    unsigned n = 0;
    while (tries--)
        n += rate_allow(rate, who, now);
    return n;
}

static void test_bucket(void **state)
{
    struct rate *rate = rate_alloc(10);
    (void)state;
    assert_int_equal(taken(rate, client(1), 5000, 100), 20); /* what two seconds give */
    assert_int_equal(taken(rate, client(1), 5000, 1), 0);
    assert_int_equal(taken(rate, client(1), 5099, 1), 0);
    assert_int_equal(taken(rate, client(1), 5100, 5), 1);
    assert_int_equal(taken(rate, client(1), 6100, 100), 10);
    assert_int_equal(taken(rate, client(2), 6100, 100), 20);       /* others are not touched */
    assert_int_equal(taken(rate, client(1), 1ULL << 60, 100), 20); /* no overflow */
    assert_int_equal(taken(rate, client(1), 1000, 1), 0);          /* nor by a clock gone mad */
    assert_int_equal(taken(rate, (struct in_addr){htonl(INADDR_LOOPBACK)}, 0, 1000), 1000);
    assert_int_equal(taken(NULL, client(1), 0, 1000), 1000);
    rate_free(rate);
}

static void test_slow_rate(void **state)
{
    struct rate *rate = rate_alloc(1);
    (void)state;
    assert_int_equal(taken(rate, client(1), 5000, 10), 2);
    unsigned n = 0;
    for (uint64_t now = 5001; now <= 15000; now++) /* asking all the time gains nothing */
        n += rate_allow(rate, client(1), now);
    assert_int_equal(n, 10);
    rate_free(rate);
}

static void test_many_clients(void **state)
{
    struct rate *rate = rate_alloc(10);
    unsigned refused = 0;
    (void)state;
    for (uint32_t i = 1; i < 1000000; i++)
        refused += !rate_allow(rate, client(i), i / 1000);
    assert_int_equal(refused, 0);
    rate_free(rate);
}

static void test_metrics(void **state)
{
    struct metrics_board *board = metrics_board_alloc();
    size_t len;
    (void)state;
    assert_non_null(board);
    metrics_decision(&board->slots[0], "dhcp", "boot linux");
    metrics_decision(&board->slots[1], "dhcp", "boot other");
    metrics_decision(&board->slots[1], "ipxe", "deny: \"why\"");
    metrics_decision(&board->slots[1], "what\"ever", "nonsense");
    metrics_observe(&board->slots[0], METRICS_REPLY_TIME, 50);
    metrics_observe(&board->slots[1], METRICS_REPLY_TIME, 51);
    metrics_observe(&board->slots[1], METRICS_REPLY_TIME, 99000000);
    struct metrics_seat *seat = metrics_sit(board, 42);
    assert_non_null(seat);
    assert_ptr_not_equal(metrics_sit(board, 43), seat);
    seat->gauges[METRICS_POLICY_MEMORY] = 7;
    char *text = metrics_text(board, &len);
    assert_non_null(text);
    assert_non_null(
        strstr(text, "moonboot_decisions_by_verdict_total{stage=\"dhcp\",verdict=\"boot\"} 2\n"));
    assert_non_null(strstr(text, "{stage=\"ipxe\",verdict=\"deny\"} 1\n"));
    assert_non_null(strstr(text, "{stage=\"other\",verdict=\"other\"} 1\n"));
    assert_non_null(strstr(text, "moonboot_reply_seconds_bucket{le=\"5e-05\"} 1\n"));
    assert_non_null(strstr(text, "moonboot_reply_seconds_bucket{le=\"0.0001\"} 2\n"));
    assert_non_null(strstr(text, "moonboot_reply_seconds_bucket{le=\"1\"} 2\n"));
    assert_non_null(strstr(text, "moonboot_reply_seconds_bucket{le=\"+Inf\"} 3\n"
                                 "moonboot_reply_seconds_sum 99.000101\n"
                                 "moonboot_reply_seconds_count 3\n"));
    assert_non_null(strstr(text, "moonboot_policy_memory_bytes 7\n"));
    free(text);
    metrics_leave(board, 42);
    text = metrics_text(board, &len);
    assert_non_null(strstr(text, "moonboot_policy_memory_bytes 0\n"));
    free(text);
    metrics_board_free(board);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bucket),
        cmocka_unit_test(test_slow_rate),
        cmocka_unit_test(test_many_clients),
        cmocka_unit_test(test_metrics),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
