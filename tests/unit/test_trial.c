#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

/* trial.c with a policy that does what a test wants. */
#include "../../core/trial.c"
#include "watch.h"

static void (*deed)(void (*report)(const char *warning, void *arg), void *arg);
static char warnings[8192];

void policy_try(struct policy *policy, void (*report)(const char *warning, void *arg), void *arg)
{
    (void)policy;
    deed(report, arg);
}

bool task_clock_start(void)
{
    return true;
}

static void warn(const char *warning, void *arg)
{
    assert_ptr_equal(arg, &deed);
    strncat(warnings, warning, sizeof warnings - strlen(warnings) - 2);
    strcat(warnings, "|");
}

static bool try(void (*act)(void (*report)(const char *warning, void *arg), void *arg))
{
    deed = act;
    *warnings = '\0';
    return trial_run(NULL, warn, &deed);
}

static void do_well(void (*report)(const char *warning, void *arg), void *arg)
{
    (void)report;
    (void)arg;
}

static void do_warn(void (*report)(const char *warning, void *arg), void *arg)
{
    report("one", arg);
    usleep(20000);
    report("two", arg);
}

static void do_flood(void (*report)(const char *warning, void *arg), void *arg)
{
    char text[3000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    report(text, arg);
    report("end", arg);
}

static void do_die(void (*report)(const char *warning, void *arg), void *arg)
{
    report("before", arg);
    raise(SIGKILL);
}

static void test_outcomes(void **state)
{
    (void)state;
    assert_true(try(do_well));
    assert_string_equal(warnings, "");
    assert_true(try(do_warn));
    assert_string_equal(warnings, "one|two|");
    assert_true(try(do_flood));
    assert_int_equal(strspn(warnings, "x"), WARNING_MAX - 2);
    assert_string_equal(warnings + WARNING_MAX - 2, "|end|");
}

static void test_a_bad_end(void **state)
{
    (void)state;
    assert_false(try(do_die));
    assert_string_equal(warnings, "before|the policy ends the process that decides: signal 9 "
                                  "(Killed) in a trial|");
}

static void put(const char *path, const char *text)
{
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    fputs(text, out);
    fclose(out);
}

static void test_watch(void **state)
{
    char directory[] = "/tmp/moonboot-watch-XXXXXX", a[64], b[64], other[64];
    struct timespec now;
    (void)state;
    assert_non_null(mkdtemp(directory));
    snprintf(a, sizeof a, "%s/a", directory);
    snprintf(b, sizeof b, "%s/b", directory);
    snprintf(other, sizeof other, "%s/other", directory);
    put(a, "1");
    struct watch *watch = watch_open();
    assert_non_null(watch);
    assert_true(watch_add(watch, a));
    assert_true(watch_add(watch, b)); /* it may come */
    assert_false(watch_add(watch, "/nonexistent/c"));
    assert_null(watch_read(watch));
    put(other, "x");
    assert_null(watch_read(watch));
    put(a, "2");
    assert_string_equal(watch_read(watch), a);
    assert_null(watch_read(watch));
    assert_int_equal(rename(other, b), 0);
    assert_string_equal(watch_read(watch), b);
    unlink(a);
    assert_string_equal(watch_read(watch), a);
    clock_gettime(CLOCK_REALTIME, &now);
    now.tv_sec += 10;
    assert_null(watch_newer(watch, now));
    now.tv_sec -= 20;
    assert_string_equal(watch_newer(watch, now), b);
    watch_close(watch);
    unlink(b);
    rmdir(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_outcomes),
        cmocka_unit_test(test_a_bad_end),
        cmocka_unit_test(test_watch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
