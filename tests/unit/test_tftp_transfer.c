/* One transfer's state machine, fed with packets and times. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tftp_transfer.h"

#define WAIT TFTP_TRANSFER_WAIT
#define SEND TFTP_TRANSFER_SEND
#define DONE TFTP_TRANSFER_DONE
#define LOST TFTP_TRANSFER_LOST

/* A transfer of `last` blocks whose first window has gone out at time 0; the client has
 * asked for that time-out, unless it is 0. */
static struct tftp_transfer begun_with(uint32_t window, uint64_t last, int64_t timeout)
{
    struct tftp_transfer t;
    tftp_transfer_start(&t, window, timeout, false, 0);
    t.last = last;
    tftp_transfer_sent(&t, tftp_transfer_due(&t), 0);
    return t;
}

static struct tftp_transfer begun(uint32_t window, uint64_t last)
{
    return begun_with(window, last, 0);
}

static void test_lockstep(void **state)
{
    (void)state;
    struct tftp_transfer t;
    tftp_transfer_start(&t, 1, 0, false, 0);
    t.last = 3;
    for (uint16_t block = 1; block <= 3; block++) {
        assert_int_equal(tftp_transfer_due(&t), 1);
        tftp_transfer_sent(&t, 1, block);
        assert_int_equal(t.sent, block);
        assert_int_equal(tftp_transfer_due(&t), 0);
        assert_int_equal(tftp_transfer_ack(&t, block, block), block == 3 ? DONE : SEND);
    }
}

static void test_oack_comes_first(void **state)
{
    (void)state;
    struct tftp_transfer t;
    tftp_transfer_start(&t, 4, 0, true, 0);
    t.last = 9;
    assert_int_equal(tftp_transfer_due(&t), 0);
    tftp_transfer_sent(&t, 0, 0);
    assert_true(tftp_transfer_fresh(&t));
    assert_int_equal(tftp_transfer_ack(&t, 1, 1), WAIT);
    assert_true(t.negotiating);
    assert_int_equal(tftp_transfer_expire(&t, 1000), SEND);
    assert_true(t.negotiating);
    assert_int_equal(tftp_transfer_ack(&t, 0, 1001), SEND);
    assert_false(tftp_transfer_fresh(&t));
    assert_int_equal(tftp_transfer_due(&t), 4);
}

static void test_window(void **state)
{
    (void)state;
    struct tftp_transfer t = begun(4, 6);
    assert_int_equal(t.sent, 4);
    assert_int_equal(tftp_transfer_ack(&t, 4, 1), SEND);
    assert_int_equal(tftp_transfer_due(&t), 2);
    tftp_transfer_sent(&t, 2, 1);
    assert_int_equal(tftp_transfer_ack(&t, 6, 2), DONE);
}

static void test_ack_inside_the_window_resumes_there(void **state)
{
    (void)state;
    struct tftp_transfer t = begun(8, 100);
    assert_int_equal(tftp_transfer_ack(&t, 3, 1), SEND);
    assert_int_equal(t.sent, 3);
    assert_int_equal(tftp_transfer_due(&t), 8);
    tftp_transfer_sent(&t, 8, 1);
    /* The ACK for the first sending is late, and as good as any. */
    assert_int_equal(tftp_transfer_ack(&t, 8, 2), SEND);
    assert_int_equal(t.acked, 8);
}

static void test_old_and_future_acks_do_nothing(void **state)
{
    (void)state;
    struct tftp_transfer t = begun(4, 100);
    assert_int_equal(tftp_transfer_ack(&t, 4, 1), SEND);
    tftp_transfer_sent(&t, 4, 1);
    const uint16_t nonsense[] = {0, 1, 3, 9, 10, 4000, 32772, 65535};
    for (size_t i = 0; i < sizeof nonsense / sizeof *nonsense; i++) {
        struct tftp_transfer before = t;
        assert_int_equal(tftp_transfer_ack(&t, nonsense[i], 500), WAIT);
        assert_memory_equal(&t, &before, sizeof t);
    }
}

static void test_a_future_ack_before_its_block_was_sent(void **state)
{
    (void)state;
    struct tftp_transfer t;
    tftp_transfer_start(&t, 4, 0, false, 0);
    t.last = 100;
    tftp_transfer_sent(&t, 2, 0); /* the socket took no more */
    assert_int_equal(tftp_transfer_ack(&t, 3, 1), WAIT);
    assert_int_equal(tftp_transfer_due(&t), 2);
}

/* RFC 1123, 4.2.3.1: with block by block a second ACK sets off nothing at all. */
static void test_sorcerers_apprentice(void **state)
{
    (void)state;
    struct tftp_transfer t = begun(1, 100);
    assert_int_equal(tftp_transfer_ack(&t, 1, 5), SEND);
    tftp_transfer_sent(&t, 1, 5);
    struct tftp_transfer before = t;
    for (int i = 0; i < 10; i++)
        assert_int_equal(tftp_transfer_ack(&t, 1, 6 + i), WAIT);
    assert_memory_equal(&t, &before, sizeof t);
}

static void test_a_repeated_ack_hastens_a_window_once(void **state)
{
    (void)state;
    struct tftp_transfer t = begun_with(4, 100, TFTP_TRANSFER_TIMEOUT_MS);
    assert_int_equal(tftp_transfer_ack(&t, 4, 2), SEND);
    tftp_transfer_sent(&t, 4, 2);
    assert_int_equal(tftp_transfer_ack(&t, 4, 3), WAIT);
    assert_int_equal(t.deadline, 3 + TFTP_TRANSFER_QUICK_MS);
    assert_int_equal(tftp_transfer_ack(&t, 4, 8), WAIT);
    assert_int_equal(t.deadline, 3 + TFTP_TRANSFER_QUICK_MS);
    assert_int_equal(tftp_transfer_expire(&t, 12), WAIT);
    assert_int_equal(tftp_transfer_expire(&t, 13), SEND);
    assert_int_equal(t.tries, 0);
    tftp_transfer_sent(&t, 4, 13);
    /* From here on only the ordinary time-out counts. */
    assert_int_equal(tftp_transfer_ack(&t, 4, 14), WAIT);
    assert_int_equal(t.deadline, 13 + TFTP_TRANSFER_TIMEOUT_MS);
}

/* Its echo was only the network's: the next ACK comes in time, nothing is repeated. */
static void test_progress_calls_the_haste_off(void **state)
{
    (void)state;
    struct tftp_transfer t = begun_with(4, 100, TFTP_TRANSFER_TIMEOUT_MS);
    assert_int_equal(tftp_transfer_ack(&t, 4, 30), SEND);
    tftp_transfer_sent(&t, 4, 30);
    assert_int_equal(tftp_transfer_ack(&t, 4, 31), WAIT);
    assert_int_equal(t.deadline, 31 + 2 * 30); /* two of the round trips seen */
    assert_int_equal(tftp_transfer_ack(&t, 8, 60), SEND);
    tftp_transfer_sent(&t, 4, 60);
    assert_int_equal(t.deadline, 60 + TFTP_TRANSFER_TIMEOUT_MS);
}

/* A block or its ACK got lost: where round trips are short, a second is not waited for. */
static void test_a_loss_shows_after_some_round_trips(void **state)
{
    (void)state;
    struct tftp_transfer t = begun(1, 100);
    assert_int_equal(t.deadline, TFTP_TRANSFER_TIMEOUT_MS); /* nothing is known yet */
    assert_int_equal(tftp_transfer_ack(&t, 1, 50), SEND);
    tftp_transfer_sent(&t, 1, 50);
    static const int64_t waits[] = {150, 300, 600, 1000, 2000, 4000, 8000, 16000, 16000};
    int64_t now = 50;
    for (size_t i = 0; i < sizeof waits / sizeof *waits; i++) {
        bool last = i + 1 == sizeof waits / sizeof *waits;
        assert_int_equal(t.deadline, now + waits[i]);
        assert_int_equal(tftp_transfer_expire(&t, t.deadline - 1), WAIT);
        now = t.deadline;
        assert_int_equal(tftp_transfer_expire(&t, now), last ? LOST : SEND);
        if (!last)
            tftp_transfer_sent(&t, 1, now);
    }
}

static void test_early_repetitions_have_bounds(void **state)
{
    (void)state;
    struct tftp_transfer t = begun(1, 100);
    assert_int_equal(tftp_transfer_ack(&t, 1, 0), SEND); /* no time at all */
    tftp_transfer_sent(&t, 1, 0);
    assert_int_equal(t.deadline, TFTP_TRANSFER_EARLY_MS);
    assert_int_equal(tftp_transfer_expire(&t, TFTP_TRANSFER_EARLY_MS), SEND);
    tftp_transfer_sent(&t, 1, TFTP_TRANSFER_EARLY_MS);
    /* The ACK may be the first sending's: it says nothing about the round trip. */
    assert_int_equal(tftp_transfer_ack(&t, 2, TFTP_TRANSFER_EARLY_MS + 19), SEND);
    assert_int_equal(t.round_trip, 0);
    assert_int_equal(t.early_tries, 0);
    /* So the longer wait stays, until one comes that does. */
    tftp_transfer_sent(&t, 1, 100);
    assert_int_equal(t.deadline, 100 + 2 * TFTP_TRANSFER_EARLY_MS);
    assert_int_equal(tftp_transfer_ack(&t, 3, 101), SEND);
    tftp_transfer_sent(&t, 1, 101);
    assert_int_equal(t.deadline, 101 + TFTP_TRANSFER_EARLY_MS);

    t = begun(1, 100); /* a slow way: the time-out comes first */
    assert_int_equal(tftp_transfer_ack(&t, 1, 400), SEND);
    tftp_transfer_sent(&t, 1, 400);
    assert_int_equal(t.deadline, 400 + TFTP_TRANSFER_TIMEOUT_MS);

    t = begun_with(1, 100, 2000); /* a client that has named its time-out */
    assert_int_equal(tftp_transfer_ack(&t, 1, 1), SEND);
    tftp_transfer_sent(&t, 1, 1);
    assert_int_equal(t.deadline, 2001);
}

/* Haste is one of the early repetitions: together they do not go on for ever. */
static void test_haste_and_early_repetitions_end(void **state)
{
    (void)state;
    struct tftp_transfer t = begun(4, 100);
    assert_int_equal(tftp_transfer_ack(&t, 4, 2), SEND);
    tftp_transfer_sent(&t, 4, 2);
    assert_int_equal(tftp_transfer_ack(&t, 4, 3), WAIT);
    assert_int_equal(t.deadline, 3 + TFTP_TRANSFER_QUICK_MS);
    for (int i = 0; i < TFTP_TRANSFER_EARLY_TRIES; i++) {
        assert_int_equal(tftp_transfer_expire(&t, t.deadline), SEND);
        assert_int_equal(t.tries, 0);
        tftp_transfer_sent(&t, 4, 100 * i);
    }
    assert_int_equal(t.deadline, 100 * (TFTP_TRANSFER_EARLY_TRIES - 1) + TFTP_TRANSFER_TIMEOUT_MS);
    assert_int_equal(tftp_transfer_expire(&t, t.deadline), SEND);
    assert_int_equal(t.tries, 1);
}

static void test_back_off_and_give_up(void **state)
{
    (void)state;
    struct tftp_transfer t = begun(1, 100);
    t.heard = true;
    static const int64_t waits[] = {1000, 2000, 4000, 8000, 16000, 16000};
    int64_t now = 0;
    for (int i = 0; i <= TFTP_TRANSFER_TRIES; i++) {
        assert_int_equal(t.deadline, now + waits[i]);
        assert_int_equal(tftp_transfer_expire(&t, t.deadline - 1), WAIT);
        now = t.deadline;
        enum tftp_transfer_step step = tftp_transfer_expire(&t, now);
        assert_int_equal(step, i < TFTP_TRANSFER_TRIES ? SEND : LOST);
        if (step == SEND) {
            assert_int_equal(tftp_transfer_due(&t), 1);
            tftp_transfer_sent(&t, 1, now);
        }
    }
}

/* A request with a made-up address must not keep a transfer's memory and descriptors for
 * as long as its `timeout` says. */
static void test_nobody_ever_answers(void **state)
{
    (void)state;
    struct tftp_transfer t = begun(1, 100);
    int64_t now = 0;
    enum tftp_transfer_step step = SEND;
    while (step == SEND) {
        now = t.deadline;
        step = tftp_transfer_expire(&t, now);
        if (step == SEND)
            tftp_transfer_sent(&t, 1, now);
    }
    assert_int_equal(step, LOST);
    assert_int_equal(now, 31000); /* 1 + 2 + 4 + 8 + 16 s */
    tftp_transfer_start(&t, 1, 255000, false, 0);
    tftp_transfer_sent(&t, 1, 0);
    assert_int_equal(tftp_transfer_expire(&t, t.deadline), LOST);
}

static void test_progress_ends_the_back_off(void **state)
{
    (void)state;
    struct tftp_transfer t = begun(1, 100);
    assert_int_equal(tftp_transfer_expire(&t, 1000), SEND);
    tftp_transfer_sent(&t, 1, 1000);
    assert_int_equal(tftp_transfer_expire(&t, 3000), SEND);
    tftp_transfer_sent(&t, 1, 3000);
    assert_int_equal(t.deadline, 7000);
    assert_int_equal(tftp_transfer_ack(&t, 1, 3001), SEND);
    tftp_transfer_sent(&t, 1, 3001);
    assert_int_equal(t.deadline, 4001);
    assert_int_equal(t.round_trip, 0); /* an ambiguous ACK measures nothing */
}

static void test_negotiated_timeout(void **state)
{
    (void)state;
    struct tftp_transfer t;
    tftp_transfer_start(&t, 1, 255000, false, 0);
    t.last = 2;
    t.heard = true;
    tftp_transfer_sent(&t, 1, 0);
    assert_int_equal(t.deadline, 255000);
    assert_int_equal(tftp_transfer_expire(&t, 255000), SEND);
    assert_int_equal(t.deadline, 510000); /* longer than the back-off goes: it stays */
}

static void test_a_missing_final_ack_is_no_loss(void **state)
{
    (void)state;
    struct tftp_transfer t = begun(4, 2);
    enum tftp_transfer_step step;
    while ((step = tftp_transfer_expire(&t, t.deadline)) == SEND)
        tftp_transfer_sent(&t, tftp_transfer_due(&t), t.deadline);
    assert_int_equal(step, DONE);
}

static void test_block_numbers_wrap(void **state)
{
    (void)state;
    struct tftp_transfer t;
    tftp_transfer_start(&t, 16, 0, false, 0);
    const uint64_t blocks = (uint64_t)3 * 65536 + 5;
    t.last = blocks;
    while (t.acked < blocks) {
        tftp_transfer_sent(&t, tftp_transfer_due(&t), 0);
        enum tftp_transfer_step step = tftp_transfer_ack(&t, (uint16_t)t.sent, 0);
        assert_int_equal(step, t.acked == blocks ? DONE : SEND);
    }
    /* Beyond what 32 bits count: 4 GiB in blocks of 8 bytes, eight times over. */
    t.acked = t.sent = t.highest = (uint64_t)1 << 32;
    t.last = TFTP_TRANSFER_NO_LAST;
    tftp_transfer_sent(&t, 16, 0);
    assert_int_equal(tftp_transfer_ack(&t, 16, 0), SEND);
    assert_int_equal(t.acked, ((uint64_t)1 << 32) + 16);
}

/* Both ends under heavy loss, duplication and delay, for many seeds: the receiver is
 * RFC 7440's, and gets every block in order. */
enum { BLOCKS = 300, QUEUE = 4096 };

struct network {
    struct {
        int64_t at;
        uint64_t number;
    } packets[QUEUE];
    int n;
};

static void carry(struct network *net, uint64_t number, int64_t now)
{
    int copies = rand() % 10 == 0 ? 2 : 1;
    while (copies--) {
        if (rand() % 10 == 0)
            continue;
        assert_true(net->n < QUEUE);
        net->packets[net->n].at = now + 1 + (rand() % 8 == 0 ? rand() % 30 : 0);
        net->packets[net->n++].number = number;
    }
}

static bool deliver(struct network *net, int64_t now, uint64_t *number)
{
    for (int i = 0; i < net->n; i++) {
        if (net->packets[i].at > now)
            continue;
        *number = net->packets[i].number;
        net->n--;
        memmove(&net->packets[i], &net->packets[i + 1],
                (size_t)(net->n - i) * sizeof net->packets[0]);
        return true;
    }
    return false;
}

static unsigned transfer_over_bad_network(uint32_t window, unsigned seed)
{
    static struct network down, up;
    down.n = up.n = 0;
    srand(seed);
    struct tftp_transfer t;
    tftp_transfer_start(&t, window, 0, false, 0);
    t.last = BLOCKS;
    uint64_t received = 0, in_window = 0;
    int64_t client_deadline = 3000;
    unsigned sent = 0;
    enum tftp_transfer_step step = SEND;
    for (int64_t now = 0; step != DONE; now++) {
        assert_int_not_equal(step, LOST);
        if (step == SEND) {
            uint32_t due = tftp_transfer_due(&t);
            for (uint32_t i = 1; i <= due; i++)
                carry(&down, t.sent + i, now);
            tftp_transfer_sent(&t, due, now);
            sent += due;
        }
        uint64_t number;
        while (deliver(&down, now, &number)) {
            bool next = number == received + 1;
            received += next;
            in_window += next;
            /* What repeats the block of the last ACK asks for that ACK (RFC 1123, 4.2.3.1). */
            bool again = number == received && in_window == 0;
            if (next ? in_window == window || received == BLOCKS : number > received + 1 || again) {
                carry(&up, received, now);
                in_window = 0;
            }
            client_deadline = now + 3000;
        }
        if (now >= client_deadline) {
            carry(&up, received, now);
            client_deadline = now + 3000;
            in_window = 0;
        }
        step = WAIT;
        while (step != DONE && deliver(&up, now, &number)) {
            enum tftp_transfer_step s = tftp_transfer_ack(&t, (uint16_t)number, now);
            if (s != WAIT)
                step = s;
        }
        if (step == WAIT)
            step = tftp_transfer_expire(&t, now);
    }
    assert_int_equal(received, BLOCKS);
    return sent;
}

static void test_bad_network(void **state)
{
    (void)state;
    static const uint32_t windows[] = {1, 2, 4, 16, 64};
    for (size_t i = 0; i < sizeof windows / sizeof *windows; i++) {
        for (unsigned seed = 1; seed <= 20; seed++) {
            unsigned sent = transfer_over_bad_network(windows[i], seed);
            /* Block by block: one in ten is lost on either way, and nothing multiplies. */
            if (windows[i] == 1)
                assert_true(sent < BLOCKS * 3 / 2);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lockstep),
        cmocka_unit_test(test_oack_comes_first),
        cmocka_unit_test(test_window),
        cmocka_unit_test(test_ack_inside_the_window_resumes_there),
        cmocka_unit_test(test_old_and_future_acks_do_nothing),
        cmocka_unit_test(test_a_future_ack_before_its_block_was_sent),
        cmocka_unit_test(test_sorcerers_apprentice),
        cmocka_unit_test(test_a_repeated_ack_hastens_a_window_once),
        cmocka_unit_test(test_progress_calls_the_haste_off),
        cmocka_unit_test(test_a_loss_shows_after_some_round_trips),
        cmocka_unit_test(test_early_repetitions_have_bounds),
        cmocka_unit_test(test_haste_and_early_repetitions_end),
        cmocka_unit_test(test_back_off_and_give_up),
        cmocka_unit_test(test_nobody_ever_answers),
        cmocka_unit_test(test_progress_ends_the_back_off),
        cmocka_unit_test(test_negotiated_timeout),
        cmocka_unit_test(test_a_missing_final_ack_is_no_loss),
        cmocka_unit_test(test_block_numbers_wrap),
        cmocka_unit_test(test_bad_network),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
