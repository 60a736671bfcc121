#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
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
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_text), cmocka_unit_test(test_json),
                                       cmocka_unit_test(test_full), cmocka_unit_test(test_cut)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
