/* What site.yaml names, and this host has not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "absent.h"

static char path[] = "/tmp/moonboot-absent-XXXXXX";

typedef void find(const struct config *config, struct problems *problems);

/* What is found of that site.yaml, each on a line and without the file's name. */
static const char *found(find *look, const char *text)
{
    static char all[1024];
    struct problems problems = {0};
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file, "policy: p\n%s\n", text);
    fclose(file);
    struct config *config = config_load(path, &problems);
    assert_non_null(config);
    look(config, &problems);
    *all = '\0';
    for (size_t i = 0; i < problems.n; i++) {
        assert_memory_equal(problems.lines[i], path, strlen(path));
        snprintf(all + strlen(all), sizeof all - strlen(all), "%s\n",
                 problems.lines[i] + strlen(path));
    }
    problems_clear(&problems);
    config_free(config);
    return all;
}

static void test_interfaces(void **state)
{
    (void)state;
    assert_string_equal(found(absent_interfaces, ""), "");
    assert_string_equal(found(absent_interfaces, "interfaces: [lo]"), "");
    assert_string_equal(found(absent_interfaces, "interfaces: l0"),
                        ":2:13: `interfaces`: there is no l0 (did you mean lo?): DHCP is not "
                        "answered there until it comes up\n");
    /* What is named itself was not meant by another. */
    assert_string_equal(found(absent_interfaces, "interfaces:\n- lo\n- l0"),
                        ":4:3: `interfaces`: there is no l0: DHCP is not answered there until it "
                        "comes up\n");
    assert_string_equal(found(absent_interfaces, "interfaces: l0\ndhcp: { enabled: false }"), "");
}

static void test_accounts(void **state)
{
    (void)state;
    assert_string_equal(found(absent_accounts, ""), "");
    assert_string_equal(found(absent_accounts, "user: root\ncontrol_group: root"), "");
    assert_string_equal(found(absent_accounts, "user: moonboot-none\ncontrol_group: moonboot-none"),
                        ":2:7: `user: moonboot-none`: there is no such user\n"
                        ":3:16: `control_group: moonboot-none`: there is no such group\n");
}

static void test_directory(void **state)
{
    (void)state;
    assert_string_equal(found(absent_directory, ""), "");
    assert_string_equal(found(absent_directory, "log: { decisions: none }"), "");
    assert_string_equal(found(absent_directory, "log: { decisions: /none }"), "");
    assert_string_equal(found(absent_directory, "log: { decisions: /nonexistent/d }"),
                        ":2:19: `log.decisions: /nonexistent/d`: /nonexistent: No such file or "
                        "directory\n");
}

static void test_refresh(void **state)
{
    (void)state;
    assert_string_equal(found(absent_refresh, ""), "");
    assert_string_equal(found(absent_refresh,
                              "policy_refresh: { ca: /dev/null, cert: /nonexistent, "
                              "key: /dev/null }"),
                        ":2:40: `policy_refresh.cert: /nonexistent`: No such file or directory\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_interfaces),
        cmocka_unit_test(test_accounts),
        cmocka_unit_test(test_directory),
        cmocka_unit_test(test_refresh),
    };
    close(mkstemp(path));
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(path);
    return failed;
}
