/* The decision log: lines that are sound JSON whatever goes in, secrets masked, what cannot be
 * written counted; and what a policy's decisions look like in it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "data.h"
#include "decision_log.h"
#include "log.h"
#include "mask.h"
#include "policy.h"

static char dir_path[] = "/tmp/moonboot-decisions-XXXXXX";
static char log_path[64], policy_path[64];
static struct metrics_board *board;

static uint64_t counter(enum metrics_counter which)
{
    return board->slots[0].counters[which];
}

/* --- lines ------------------------------------------------------------------------------ */

static bool is_json(const char *text, size_t len)
{
    struct data *data = data_json(text, len);
    struct data_event event;
    bool good;
    while ((good = data_next(data, &event)) && event.kind != DATA_DONE)
        continue;
    data_free(data);
    return good;
}

static size_t fill(char *text, size_t size)
{
    struct json_line line = json_line_begin(text, size);
    json_line_string(&line, "plain", "text", 4);
    json_line_string(&line, "quoted", "a\"b\\c\nd\x7f", 8);
    json_line_string(&line, "bytes", "\xff\0z", 3);
    json_line_string(&line, "utf8", "\xc3\xa9\xe2\x80\xa2", 5);
    json_line_number(&line, "number", INT64_MIN);
    json_line_decimal(&line, "decimal", 0.5);
    if (json_line_open(&line, "outer")) {
        json_line_bool(&line, "yes", true);
        if (json_line_open(&line, "inner")) {
            json_line_hex(&line, "\xff", 1, "k", 1);
            json_line_close(&line);
        }
        json_line_close(&line);
    }
    json_line_number(&line, "last", 7);
    return json_line_end(&line);
}

static void test_line(void **state)
{
    char text[512];
    (void)state;
    text[fill(text, sizeof text)] = '\0';
    assert_string_equal(text, "{\"plain\":\"text\",\"quoted\":\"a\\\"b\\\\c\\u000ad\\u007f\","
                              "\"bytes-hex\":\"ff007a\",\"utf8\":\"\xc3\xa9\xe2\x80\xa2\","
                              "\"number\":-9223372036854775808,\"decimal\":0.5,"
                              "\"outer\":{\"yes\":true,\"inner\":{\"ff\":\"6b\"}},\"last\":7}\n");
}

static void test_line_of_any_size(void **state)
{
    (void)state;
    for (size_t size = 64; size < 400; size++) {
        char *text = malloc(size); /* to the byte: the sanitizer looks on */
        size_t len = fill(text, size);
        assert_true(len <= size);
        assert_int_equal(text[len - 1], '\n');
        assert_true(is_json(text, len));
        bool whole = len == fill((char[512]){0}, 512);
        assert_int_equal(memmem(text, len, "\"cut\":true", 10) == NULL, whole);
        free(text);
    }
}

static void test_line_in_lines(void **state)
{
    char inner_text[128], text[256];
    (void)state;
    for (size_t n = 0; n < 200; n++) {
        struct json_line inner = json_line_begin(inner_text, sizeof inner_text);
        char value[200] = {0};
        memset(value, 'x', n);
        json_line_string(&inner, "a", "b", 1);
        json_line_string(&inner, "long", value, n);
        struct json_line line = json_line_begin(text, sizeof text);
        json_line_string(&line, "before", value, n / 2);
        json_line_object(&line, "facts", &inner);
        size_t len = json_line_end(&line);
        assert_true(is_json(text, len));
        assert_true(memmem(text, len, "\"cut\":true", 10) || memmem(text, len, value, n));
    }
}

/* --- secrets ---------------------------------------------------------------------------- */

static void test_mask(void **state)
{
    static const char *const cases[][2] = {
        {"nothing here", "nothing here"},
        {"http://x/y?token=abc&b=c", "http://x/y?token=" MASK_MARK "&b=c"},
        {"?Access_Token=abc", "?Access_Token=" MASK_MARK},
        {"password=a b", "password=" MASK_MARK " b"},
        {"~label.token=abc~mac=1", "~label.token=" MASK_MARK "~mac=1"},
        {"token=", "token="},
        {"tokens=abc", "tokens=abc"},
        {"http://user:pw@host:80/a:b@c", "http://user:" MASK_MARK "@host:80/a:b@c"},
        {"http://host:8080/x@y", "http://host:8080/x@y"},
        {"a hunter22 b hunter22", "a " MASK_MARK " b " MASK_MARK},
        {"=", "="},
        {":", ":"},
        {"//:@", "//:@"},
        {"", ""},
    };
    struct mask mask = {0};
    char out[256];
    (void)state;
    assert_true(mask_add(&mask, "hunter22", 8));
    assert_true(mask_add(&mask, "abc", 3)); /* too short to look for */
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t len = mask_text(&mask, cases[i][0], strlen(cases[i][0]), out, sizeof out);
        assert_string_equal(out, cases[i][1]);
        assert_int_equal(len, strlen(out));
        if (strcmp(cases[i][0], cases[i][1]) != 0)
            assert_true(mask_may_find(&mask, cases[i][0], strlen(cases[i][0])));
    }
    assert_false(mask_may_find(&mask, "nothing here", 12));
    for (size_t size = 1; size < 40; size++) { /* cut, never in a mark */
        size_t len = mask_text(&mask, "a token=xyz b hunter22", 22, out, size);
        assert_true(len < size && out[len] == '\0');
        assert_true(json_line_is_text(out, len));
    }
    mask_clear(&mask);
}

/* --- decisions --------------------------------------------------------------------------- */

static const char rules[] =
    "profile 'linux' { kernel = 'vmlinuz' }\n"
    "rule 'rack' { match = { mac = prefix '52:54:00' }, boot = 'linux' }\n"
    "rule 'away' { match = { serial = 'C' }, boot = chain 'http://u:pw@x/?token=abc' }\n"
    "rule 'broken' { match = { serial = 'B' }, boot = function() error 'oops' end }\n";

static void take(struct reply *reply, void *arg)
{
    (void)arg;
    reply_free(reply);
}

static void ask(struct policy *policy, const char *query)
{
    struct request request = {
        .protocol = REQUEST_HTTP,
        .client.s_addr = inet_addr("10.0.0.50"),
        .server.s_addr = inet_addr("10.0.0.2"),
        .http = {.method = "GET", .path = "/ipxe", .query = query, .user_agent = "iPXE/1.0"}};
    policy_decide(policy, &request, take, NULL);
}

/* The line that a request leaves, from "machine" on. */
static const char *line_of(struct policy *policy, const char *query)
{
    static char text[2 * DECISION_LOG_LINE];
    int fd = decision_log_open(log_path);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, 0), 0);
    policy_log_to(policy, fd);
    ask(policy, query);
    policy_log_to(policy, -1);
    close(fd);
    fd = open(log_path, O_RDONLY);
    ssize_t len = read(fd, text, sizeof text - 1);
    close(fd);
    assert_true(len > 0);
    text[len] = '\0';
    assert_ptr_equal(strchr(text, '\n'), text + len - 1);
    assert_true(is_json(text, (size_t)len));
    text[len - 1] = '\0';
    return strstr(text, "\"machine\"");
}

/* Without the time it took, and the policy's hash. */
static void assert_line(const char *line, const char *before, const char *after)
{
    assert_memory_equal(line, before, strlen(before));
    const char *rest = strstr(line, after);
    assert_non_null(rest);
    assert_string_equal(rest, after);
    assert_non_null(strstr(line, "\"generation\":7,\"policy\":\""));
}

static void test_decisions(void **state)
{
    struct policy *policy = *state;
    assert_line(line_of(policy, "mac=52-54-00-00-00-01&serial=S&token=abc&vlan=12&row=b&"
                                "circuit_id-hex=00ff&x=%ff"),
                "\"machine\":\"52:54:00:00:00:01\",\"stage\":\"ipxe\",\"verdict\":\"boot linux\","
                "\"rule\":\"rack\",\"profile\":\"linux\",\"us\":",
                ",\"circuit_id-hex\":\"00ff\",\"firmware\":\"ipxe\",\"stage\":\"ipxe\","
                "\"label\":{\"row\":\"b\",\"token\":\"" MASK_MARK "\"},\"label-hex\":{\"78\":"
                "\"ff\"}}}");
    assert_line(line_of(policy, "serial=C"),
                "\"machine\":\"C\",\"stage\":\"ipxe\",\"verdict\":\"chain http://u:" MASK_MARK
                "@x/?token=" MASK_MARK "\",\"rule\":\"away\",\"us\":",
                "\"facts\":{\"serial\":\"C\",\"ip\":\"10.0.0.50\",\"firmware\":\"ipxe\","
                "\"stage\":\"ipxe\"}}");
    assert_non_null(strstr(line_of(policy, "serial=B"), "\"error\":\"policy.lua:4: oops\""));
    assert_null(strstr(line_of(policy, "mac=zz"), "facts"));
    assert_null(strstr(line_of(policy, "serial=x"), "\"rule\""));
}

static void test_more_than_a_line(void **state)
{
    static char query[64000];
    size_t len = (size_t)sprintf(query, "serial=S");
    for (int i = 0; len + 64 < sizeof query; i++)
        len += (size_t)sprintf(query + len, "&label%d=%040d", i, i);
    const char *line = line_of(*state, query);
    assert_non_null(strstr(line, "\"cut\":true}"));
    assert_non_null(strstr(line, "\"serial\":\"S\""));
    assert_true(strlen(line) < DECISION_LOG_LINE);
}

static void test_nothing_is_logged_nowhere(void **state)
{
    uint64_t written = counter(METRICS_DECISION_LOG_WRITTEN);
    ask(*state, "serial=S");
    assert_int_equal(counter(METRICS_DECISION_LOG_WRITTEN), written);
}

static void test_full_disk(void **state)
{
    struct policy *policy = *state;
    uint64_t lost = counter(METRICS_DECISION_LOG_LOST);
    int full = open("/dev/full", O_WRONLY | O_APPEND);
    policy_log_to(policy, full);
    ask(policy, "serial=S");
    ask(policy, "serial=S");
    assert_int_equal(counter(METRICS_DECISION_LOG_LOST), lost + 2);
    close(full);

    /* A file that may not grow any more takes a part of a line. */
    struct rlimit before, limit;
    int fd = decision_log_open(log_path);
    assert_int_equal(ftruncate(fd, 0), 0);
    getrlimit(RLIMIT_FSIZE, &before);
    limit = before;
    limit.rlim_cur = 100;
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &limit);
    policy_log_to(policy, fd);
    ask(policy, "serial=S");
    assert_int_equal(counter(METRICS_DECISION_LOG_LOST), lost + 3);
    setrlimit(RLIMIT_FSIZE, &before);
    ask(policy, "serial=S");
    ask(policy, "serial=S");
    policy_log_to(policy, -1);
    close(fd);
    char text[4096] = {0};
    fd = open(log_path, O_RDONLY);
    assert_true(read(fd, text, sizeof text - 1) > 100);
    close(fd);
    assert_int_equal(text[100], '\n'); /* the torn one is ended */
    char *second = text + 101, *third = strchr(second, '\n') + 1;
    assert_true(is_json(second, (size_t)(third - second)));
    assert_true(is_json(third, strlen(third)));
}

static void test_opening(void **state)
{
    (void)state;
    assert_int_equal(decision_log_open("/nonesuch/file"), -2);
    assert_int_equal(decision_log_open("/tmp"), -21);
}

static int set_up(void **state)
{
    struct problems problems = {0};
    if (!mkdtemp(dir_path))
        return -1;
    snprintf(log_path, sizeof log_path, "%s/decisions.jsonl", dir_path);
    snprintf(policy_path, sizeof policy_path, "%s/policy.lua", dir_path);
    FILE *file = fopen(policy_path, "w");
    fputs(rules, file);
    fclose(file);
    log_setup(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
    board = metrics_board_alloc();
    int dir = open(dir_path, O_PATH | O_DIRECTORY);
    struct policy_options options = {.dir = dir,
                                     .file = "policy.lua",
                                     .display = "policy.lua",
                                     .http_port = 8080,
                                     .decision_ms = 1000,
                                     .memory_mb = 64,
                                     .metrics = &board->slots[0],
                                     .generation = 7};
    *state = policy_load(&options, &problems);
    close(dir);
    return *state ? 0 : -1;
}

static int tear_down(void **state)
{
    policy_free(*state);
    metrics_board_free(board);
    unlink(log_path);
    unlink(policy_path);
    return rmdir(dir_path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_line),
        cmocka_unit_test(test_line_of_any_size),
        cmocka_unit_test(test_line_in_lines),
        cmocka_unit_test(test_mask),
        cmocka_unit_test(test_decisions),
        cmocka_unit_test(test_more_than_a_line),
        cmocka_unit_test(test_nothing_is_logged_nowhere),
        cmocka_unit_test(test_full_disk),
        cmocka_unit_test(test_opening),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
