#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "log.h"

static char line[16384];

/* What log_event writes, without the time. */
static const char *logged(enum log_format format, const struct log_field *fields, size_t n,
                          const char *message)
{
    int ends[2], saved = dup(STDERR_FILENO);
    assert_int_equal(pipe(ends), 0);
    dup2(ends[1], STDERR_FILENO);
    log_setup(LOG_LEVEL_INFO, format);
    log_event(LOG_LEVEL_INFO, fields, n, message);
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(ends[1]);
    ssize_t len = read(ends[0], line, sizeof line - 1);
    close(ends[0]);
    assert_true(len > 0);
    line[len] = '\0';
    return line + (format == LOG_FORMAT_JSON ? strlen("{\"time\":\"2026-01-01T00:00:00.000Z\",")
                                             : strlen("2026-01-01T00:00:00.000Z "));
}

static void test_text(void **state)
{
    const struct log_field fields[] = {{"a", "plain"},   {"b", "two words"}, {"c", NULL},
                                       {"d", "\"x\"\n"}, {"e", ""},          {"f", "\x1b[31m\xff"}};
    (void)state;
    assert_string_equal(logged(LOG_FORMAT_TEXT, fields, 6, "decision"),
                        "info  decision a=plain b=\"two words\" d=\"\\\"x\\\"\\u000a\" e=\"\" "
                        "f=\"\\u001b[31m\\u00ff\"\n");
}

static void test_json(void **state)
{
    const struct log_field fields[] = {{"a", "pl\"ain"}, {"u", "Z\xc3\xbcrich \xed\xa0\x80"}};
    (void)state;
    assert_string_equal(logged(LOG_FORMAT_JSON, fields, 2, "m"),
                        "\"level\":\"info\",\"message\":\"m\",\"a\":\"pl\\\"ain\","
                        "\"u\":\"Z\xc3\xbcrich \\u00ed\\u00a0\\u0080\"}\n");
}

/* On a full disk neither a line nor the line that says so can be written: both are lost. */
static void test_full(void **state)
{
    int full = open("/dev/full", O_WRONLY), saved = dup(STDERR_FILENO);
    (void)state;
    assert_true(full >= 0);
    dup2(full, STDERR_FILENO);
    for (int i = 0; i < 3; i++)
        log_error("a line");
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(full);
    const char *text = logged(LOG_FORMAT_TEXT, NULL, 0, "room again");
    assert_non_null(strstr(text, "lines of this log were lost"));
    assert_non_null(strstr(text, "room again"));
}

/* Who reads slowly is not waited for, even by a line that is longer than what a pipe takes at
 * once; the next line stands by itself, and they are counted. */
static void test_slow_reader(void **state)
{
    static char long_value[7000], got[200000];
    const struct log_field fields[] = {{"a", long_value}};
    int ends[2], saved = dup(STDERR_FILENO);
    unsigned long lost = log_lost();
    size_t len = 0;
    ssize_t n;
    (void)state;
    memset(long_value, 'x', sizeof long_value - 1);
    assert_int_equal(pipe(ends), 0);
    dup2(ends[1], STDERR_FILENO);
    log_unblock();
    alarm(20); /* it would wait for ever */
    for (int i = 0; i < 30; i++)
        log_event(LOG_LEVEL_INFO, fields, 1, "line");
    alarm(0);
    assert_true(log_lost() > lost + 10);
    close(ends[1]); /* whose mode is what it was: reading ends when the other is closed too */
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    while ((n = read(ends[0], got + len, sizeof got - 1 - len)) > 0)
        len += (size_t)n;
    log_event(LOG_LEVEL_INFO, NULL, 0, "room again");
    n = read(ends[0], got + len, sizeof got - 1 - len);
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(ends[0]);
    assert_true(n > 0);
    got[len + (size_t)n] = '\0';
    const char *end = strstr(got, "room again\n");
    assert_non_null(end);
    assert_non_null(strstr(got + len, "lines of this log were lost"));
    for (const char *line_of = got; *line_of; line_of = strchr(line_of, '\n') + 1)
        assert_memory_equal(line_of, "20", 2);
}

static void test_socket(void **state)
{
    static char long_value[7000], got[8192];
    const struct log_field fields[] = {{"a", long_value}};
    int ends[2], saved = dup(STDERR_FILENO);
    unsigned long lost = log_lost();
    (void)state;
    memset(long_value, 'x', sizeof long_value - 1);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    dup2(ends[1], STDERR_FILENO);
    log_unblock();
    alarm(20);
    for (int i = 0; i < 1000; i++)
        log_event(LOG_LEVEL_INFO, fields, 1, "line");
    alarm(0);
    dup2(saved, STDERR_FILENO);
    log_unblock();
    assert_true(log_lost() > lost + 100);
    assert_true(read(ends[0], got, sizeof got) > 0);
    assert_memory_equal(got, "20", 2);
    close(saved);
    close(ends[0]);
    close(ends[1]);
}

/* However long the values, the line ends well-formed. */
static void test_cut(void **state)
{
    static char huge[20000];
    const struct log_field fields[] = {{"a", huge}, {"b", huge}, {"c", "x"}};
    (void)state;
    memset(huge, '\n', sizeof huge - 1);
    const char *text = logged(LOG_FORMAT_JSON, fields, 3, "m");
    size_t len = strlen(text);
    assert_string_equal(text + len - strlen("\",\"b\":\"\",\"c\":\"\"}\n"),
                        "\",\"b\":\"\",\"c\":\"\"}\n");
    memset(huge, 'x', sizeof huge - 1);
    text = logged(LOG_FORMAT_TEXT, fields, 3, "m");
    assert_int_equal(text[strlen(text) - 1], '\n');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),   cmocka_unit_test(test_json),
        cmocka_unit_test(test_full),   cmocka_unit_test(test_slow_reader),
        cmocka_unit_test(test_socket), cmocka_unit_test(test_cut)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
