#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "channel.h"
#include "descriptors.h"

static int ends[2];

static int set_up(void **state)
{
    (void)state;
    return channel_open(ends) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    close(ends[0]);
    close(ends[1]);
    return 0;
}

static void test_message_and_descriptor(void **state)
{
    struct channel_message sent = {.kind = CHANNEL_CONTROL, .slot = 3, .text = "event x"};
    struct channel_message got;
    int pipes[2], descriptor;
    char byte;
    (void)state;
    assert_int_equal(pipe(pipes), 0);
    assert_int_equal(channel_send(ends[0], &sent, pipes[0]), 0);
    close(pipes[0]);
    assert_int_equal(channel_receive(ends[1], &got, &descriptor), 1);
    assert_int_equal(got.kind, CHANNEL_CONTROL);
    assert_int_equal(got.slot, 3);
    assert_string_equal(got.text, "event x");
    assert_true(descriptor >= 0);
    assert_int_equal(fcntl(descriptor, F_GETFD), FD_CLOEXEC);
    assert_int_equal(write(pipes[1], "!", 1), 1);
    assert_int_equal(read(descriptor, &byte, 1), 1);
    close(descriptor);
    close(pipes[1]);
}

static void test_message_alone(void **state)
{
    struct channel_message sent = {.kind = CHANNEL_SPAWN}, got;
    int descriptor;
    (void)state;
    assert_int_equal(channel_send(ends[0], &sent, -1), 0);
    assert_int_equal(channel_receive(ends[1], &got, &descriptor), 1);
    assert_int_equal(descriptor, -1);
}

static void test_sender_never_waits(void **state)
{
    struct channel_message message = {.kind = CHANNEL_CONTROL};
    int error = 0;
    (void)state;
    memset(message.text, 'x', sizeof message.text - 1);
    for (int i = 0; i < 100000 && error == 0; i++)
        error = channel_send(ends[0], &message, -1);
    assert_int_equal(error, -EAGAIN);
}

static void test_closed(void **state)
{
    struct channel_message message = {0};
    int descriptor;
    (void)state;
    close(ends[0]);
    assert_int_equal(channel_receive(ends[1], &message, &descriptor), 0);
    ends[0] = -1;
}

static void test_closed_receiver(void **state)
{
    struct channel_message message = {0};
    (void)state;
    close(ends[1]);
    assert_int_equal(channel_send(ends[0], &message, -1), -EPIPE);
    ends[1] = -1;
}

static void test_what_is_no_message(void **state)
{
    struct channel_message message = {.text = "x"};
    int descriptor;
    (void)state;
    assert_int_equal(send(ends[0], "abc", 3, 0), 3);
    assert_int_equal(channel_receive(ends[1], &message, &descriptor), -EBADMSG);
    assert_int_equal(descriptor, -1);
    /* a text without an end */
    assert_int_equal(send(ends[0], &message, offsetof(struct channel_message, text) + 1, 0),
                     offsetof(struct channel_message, text) + 1);
    assert_int_equal(channel_receive(ends[1], &message, &descriptor), -EBADMSG);
}

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

static void test_descriptors_keep(void **state)
{
    int fds[8];
    (void)state;
    for (int i = 0; i < 8; i++)
        fds[i] = fcntl(STDERR_FILENO, F_DUPFD, 100 + 3 * i);
    int kept[] = {fds[5], -1, fds[2], STDOUT_FILENO, ends[1], fds[3], ends[0]};
    descriptors_keep(kept, sizeof kept / sizeof *kept);
    for (int i = 0; i < 8; i++)
        assert_int_equal(is_open(fds[i]), i == 2 || i == 3 || i == 5);
    assert_true(is_open(STDIN_FILENO) && is_open(STDOUT_FILENO) && is_open(STDERR_FILENO));
    assert_true(is_open(ends[0]) && is_open(ends[1]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_message_and_descriptor, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_message_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_sender_never_waits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_closed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_closed_receiver, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_no_message, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_descriptors_keep, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
