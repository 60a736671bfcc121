#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "control.h"
#include "control_path.h"
#include "json.h"

static char directory[] = "/tmp/moonboot-control-XXXXXX";
static char path[64];
static struct config config;
static struct problems problems;
static struct control control;
static char asked[CHANNEL_TEXT];
static struct control_connection *asker;

static int set_up(void **state)
{
    (void)state;
    snprintf(path, sizeof path, "%s/sock", directory);
    config = (struct config){.path = (char *)"site.yaml", .control = path};
    control_init(&control);
    *asked = '\0';
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    control_close(&control);
    problems_clear(&problems);
    unlink(path);
    return 0;
}

static int dial(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    close(fd);
    return -1;
}

static void echo(struct control_connection *c, void *arg)
{
    char *text = NULL;
    (void)arg;
    snprintf(asked, sizeof asked, "%s", c->line);
    asker = c;
    if (!strcmp(c->line, "later"))
        control_wait(c, 7, 60000);
    else if (asprintf(&text, "{\"echo\":\"%s\"}", c->line) >= 0)
        control_answer(c, text);
}

static void turn(int times)
{
    struct pollfd fds[CONTROL_POLL];
    for (int i = 0; i < times; i++) {
        control_poll(&control, fds);
        poll(fds, CONTROL_POLL, 20);
        control_serve(&control, fds, echo, NULL);
    }
}

static void listen_here(void)
{
    assert_true(control_prepare(&control, &config, &problems));
    control_commit(&control);
    assert_true(control.now.fd >= 0);
}

static void assert_answer(int fd, const char *wanted)
{
    char got[256];
    ssize_t n = recv(fd, got, sizeof got - 1, MSG_DONTWAIT);
    got[n > 0 ? n : 0] = '\0';
    assert_string_equal(got, wanted);
}

static void assert_ended(int fd)
{
    char byte;
    assert_int_equal(recv(fd, &byte, 1, MSG_DONTWAIT), 0);
    close(fd);
}

static void test_a_line_and_an_answer(void **state)
{
    struct stat st;
    (void)state;
    listen_here();
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    int fd = dial();
    assert_int_equal(send(fd, "stat", 4, 0), 4);
    turn(2);
    assert_string_equal(asked, "");
    assert_int_equal(send(fd, "us\r\nmore", 8, 0), 8);
    turn(2);
    assert_string_equal(asked, "status");
    assert_answer(fd, "{\"echo\":\"status\"}\n");
    assert_ended(fd);
}

static void test_a_late_answer(void **state)
{
    (void)state;
    listen_here();
    int fd = dial(), gone = dial();
    assert_int_equal(send(fd, "later\n", 6, 0), 6);
    assert_int_equal(send(gone, "later\n", 6, 0), 6);
    turn(3);
    close(gone);
    turn(2); /* is no reason to turn for ever, or to answer it */
    control_settle(&control, 6, "\"too early\"");
    assert_answer(fd, "");
    control_settle(&control, 7, "\"now\"");
    assert_answer(fd, "\"now\"\n");
    assert_ended(fd);
}

static void test_what_is_no_line(void **state)
{
    char flood[CHANNEL_TEXT];
    (void)state;
    listen_here();
    memset(flood, 'x', sizeof flood);
    int fd = dial(), binary = dial();
    assert_int_equal(send(fd, flood, sizeof flood, 0), sizeof flood);
    assert_int_equal(send(binary, "a\0b\n", 4, 0), 4);
    turn(3);
    assert_answer(fd, "{\"error\":\"expected a command, as a line of text\"}\n");
    assert_answer(binary, "{\"error\":\"expected a command, as a line of text\"}\n");
    assert_string_equal(asked, "");
    close(fd);
    close(binary);
}

static void test_silent_ones_are_bounded(void **state)
{
    int silent[CONTROL_CONNECTIONS], fd;
    (void)state;
    listen_here();
    for (int i = 0; i < CONTROL_CONNECTIONS; i++)
        silent[i] = dial();
    fd = dial(); /* one more, which waits */
    assert_int_equal(send(fd, "status\n", 7, 0), 7);
    turn(3);
    assert_string_equal(asked, "");
    for (int i = 0; i < CONTROL_CONNECTIONS; i++)
        control.connections[i].deadline = 1; /* long ago */
    turn(3);
    assert_string_equal(asked, "status");
    assert_answer(fd, "{\"echo\":\"status\"}\n");
    for (int i = 0; i < CONTROL_CONNECTIONS; i++)
        assert_ended(silent[i]);
    close(fd);
}

static void test_a_stale_socket_is_replaced(void **state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)state;
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    close(fd);
    listen_here();
    fd = dial();
    assert_true(fd >= 0);
    close(fd);
}

static void test_another_service_or_file_is_not(void **state)
{
    struct control other;
    (void)state;
    listen_here();
    control_init(&other);
    assert_false(control_prepare(&other, &config, &problems));
    assert_non_null(strstr(problems.lines[0], "another service answers there"));
    control_close(&other);
    assert_int_equal(access(path, F_OK), 0);
    control_close(&control);
    assert_int_equal(access(path, F_OK), -1); /* it removes its own */
    fclose(fopen(path, "w"));
    assert_false(control_prepare(&control, &config, &problems));
    assert_non_null(strstr(problems.lines[1], "it is no socket"));
    assert_int_equal(access(path, F_OK), 0);
}

static void test_another_path(void **state)
{
    char first[64], second[80];
    (void)state;
    listen_here();
    snprintf(first, sizeof first, "%s", path);
    snprintf(second, sizeof second, "%s2", path);
    config.control = second;
    assert_true(control_prepare(&control, &config, &problems));
    control_abandon(&control);
    assert_int_equal(access(second, F_OK), -1);
    assert_int_equal(access(first, F_OK), 0);
    assert_true(control_prepare(&control, &config, &problems));
    control_commit(&control);
    assert_int_equal(access(second, F_OK), 0);
    assert_int_equal(access(first, F_OK), -1);
    config.control = (char *)"off";
    assert_true(control_prepare(&control, &config, &problems));
    control_commit(&control);
    assert_int_equal(access(second, F_OK), -1);
}

static void test_a_group(void **state)
{
    struct stat st;
    (void)state;
    if (geteuid() != 0)
        skip();
    config.control_group = (char *)"nogroup";
    listen_here();
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0660);
    assert_int_not_equal(st.st_gid, 0);
    config.control_group = (char *)"nonesuch";
    assert_false(control_prepare(&control, &config, &problems));
    assert_non_null(strstr(problems.lines[0], "there is no such group"));
    config.control_group = NULL;
    assert_true(control_prepare(&control, &config, &problems));
    control_commit(&control);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
}

/* Where a client looks when site.yaml does not say. */
static const char *fallback(void)
{
    return access(CONTROL_PATH_DEFAULT, F_OK) < 0 && access(CONTROL_PATH_UNIT, F_OK) == 0
               ? CONTROL_PATH_UNIT
               : CONTROL_PATH_DEFAULT;
}

static void assert_path(const char *site, const char *wanted)
{
    char file[64];
    snprintf(file, sizeof file, "%s/site.yaml", directory);
    FILE *out = fopen(file, "w");
    assert_non_null(out);
    fputs(site, out);
    fclose(out);
    char *found;
    assert_int_equal(control_path_of(file, &found), 0);
    if (!wanted)
        assert_null(found);
    else
        assert_string_equal(found, wanted);
    free(found);
    unlink(file);
}

static void test_paths(void **state)
{
    char wanted[64];
    (void)state;
    snprintf(wanted, sizeof wanted, "%s/a.sock", directory);
    assert_path("policy: p.lua\ncontrol: a.sock\n", wanted);
    assert_path("policy: p.lua\ncontrol: \"/x/y z.sock\"\n", "/x/y z.sock");
    assert_path("policy: p.lua\ncontrol: off\n", NULL);
    assert_path("policy: p.lua\n", fallback());
    /* broken ones */
    assert_path("policy: [\ncontrol: a.sock # ours\n", wanted);
    assert_path("polcy: x\ncontrol:   'a.sock'\n", wanted);
    assert_path("control: off\nx: {\n", NULL);
    assert_path("x: {\n", fallback());
}

static void test_paths_of_no_file(void **state)
{
    char *found;
    (void)state;
    assert_int_equal(control_path_of("/nonesuch/site.yaml", &found), -ENOENT);
    assert_string_equal(found, fallback());
    free(found);
    assert_int_equal(control_path_of(directory, &found), -EISDIR);
    free(found);
}

static void assert_own_path(const char *wanted)
{
    char *found = control_path(&config);
    if (!wanted)
        assert_null(found);
    else
        assert_string_equal(found, wanted);
    free(found);
}

/* Where a service listens; not so as root, whose is /run. */
static void test_own_paths(void **state)
{
    uid_t user = geteuid();
    (void)state;
    config = (struct config){.path = (char *)"site.yaml"};
    unsetenv("RUNTIME_DIRECTORY");
    assert_own_path(user == 0 ? CONTROL_PATH_DEFAULT : NULL);
    if (user == 0)
        assert_int_equal(seteuid(65534), 0);
    assert_own_path(NULL);
    setenv("RUNTIME_DIRECTORY", "/run/moonboot:/run/other", 1);
    assert_own_path(CONTROL_PATH_UNIT);
    setenv("RUNTIME_DIRECTORY", "", 1);
    assert_own_path(NULL);
    setenv("RUNTIME_DIRECTORY", "/run/boot", 1);
    assert_own_path("/run/boot/control.sock");
    config.control = (char *)"off";
    assert_own_path(NULL);
    if (user == 0)
        assert_int_equal(seteuid(0), 0);
    unsetenv("RUNTIME_DIRECTORY");
}

static void test_json(void **state)
{
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);
    (void)state;
    json_string(out, "a\"b\\c\n\x7f\xc3\xa4\xff\xe2\x82");
    json_string(out, NULL);
    fclose(out);
    assert_string_equal(text, "\"a\\\"b\\\\c\\u000a\\u007f\xc3\xa4\\u00ff\\u00e2\\u0082\"null");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_line_and_an_answer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_late_answer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_no_line, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_silent_ones_are_bounded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_stale_socket_is_replaced, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_another_service_or_file_is_not, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_another_path, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_group, set_up, tear_down),
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_paths_of_no_file),
        cmocka_unit_test(test_own_paths),
        cmocka_unit_test(test_json),
    };
    if (!mkdtemp(directory))
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    rmdir(directory);
    return failed;
}
