/* Decisions that wait: suspended alone, ended at their deadline, given up with their client. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "log.h"
#include "metrics.h"
#include "policy.h"

#define WAIT_MS    200
#define PATIENT_MS 20000 /* however busy the machine is */
#define MACHINES   300

static char dir_path[] = "/tmp/moonboot-waits-XXXXXX";
static int dir;
static struct metrics_board *board;
static struct event_base *base;

struct asked {
    bool done;
    enum reply_kind kind;
    double at; /* milliseconds after it was asked */
    double since;
    char text[4096];
};

static double now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static unsigned at_once; /* decisions that may wait; 0: any */

static struct policy *load_with(const char *text, unsigned wait_ms)
{
    struct problems problems = {0};
    int fd = openat(dir, "policy.lua", O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    const struct policy_options options = {.dir = dir,
                                           .file = "policy.lua",
                                           .display = "policy.lua",
                                           .http_port = 8080,
                                           .decision_ms = 50,
                                           .wait_ms = wait_ms,
                                           .waiting = at_once,
                                           .memory_mb = 32,
                                           .metrics = &board->slots[0]};
    struct policy *policy = policy_load(&options, &problems);
    for (size_t i = 0; i < problems.n; i++)
        print_error("%s\n", problems.lines[i]);
    assert_non_null(policy);
    assert_true(policy_start(policy, &board->slots[0], base, NULL));
    return policy;
}

static struct policy *load(const char *text)
{
    return load_with(text, WAIT_MS);
}

static void take(struct reply *reply, void *arg)
{
    struct asked *asked = arg;
    assert_false(asked->done);
    asked->done = true;
    asked->kind = reply->kind;
    asked->at = now_ms() - asked->since;
    if (reply->kind == REPLY_BODY)
        snprintf(asked->text, sizeof asked->text, "%.*s", (int)reply->body.len,
                 (char *)reply->body.data);
    else if (reply->kind == REPLY_ERROR)
        snprintf(asked->text, sizeof asked->text, "%s", reply->error.message);
    reply_free(reply);
}

/* Asks by HTTP as machine `n`, of a server address of its own; nothing of the request is left
 * afterwards. */
static void ask(struct policy *policy, struct asked *asked, unsigned n)
{
    char query[64], path[] = "/ipxe", agent[] = "iPXE/1.0";
    snprintf(query, sizeof query, "mac=52:54:00:00:%02x:%02x", n / 256, n % 256);
    struct request request = {
        .protocol = REQUEST_HTTP,
        .client.s_addr = inet_addr("10.0.0.50"),
        .server.s_addr = htonl(0x0a010000 + n),
        .http = {.method = "GET", .path = path, .query = query, .user_agent = agent}};
    *asked = (struct asked){.since = now_ms()};
    policy_decide(policy, &request, take, asked);
    memset(query, 'x', sizeof query);
    memset(path, 'x', sizeof path);
    memset(agent, 'x', sizeof agent);
    memset(&request, 0xff, sizeof request);
}

static void turn_until(const bool *flag)
{
    double end = now_ms() + 5000;
    while (!*flag && now_ms() < end)
        event_base_loop(base, EVLOOP_ONCE);
    assert_true(*flag);
}

static void contains(const struct asked *asked, const char *part)
{
    if (!asked->done || !strstr(asked->text, part))
        fail_msg("\"%s\" is not in: %s", part, asked->text);
}

static uint64_t counter(enum metrics_counter which)
{
    return board->slots[0].counters[which];
}

/* What one machine's decision waits for is no other's affair, and mixes nothing up. */
static void test_many_at_once(void **state)
{
    struct policy *policy =
        load("profile 'p' { kernel = 'k', args = { 'who={{mac}}', 'at={{config \"seed\"}}' },\n"
             "  config = { seed = 'x' } }\n"
             "rule 'slow' { match = { mac = except '52:54:00:00:00:00' }, boot = function (m)\n"
             "  local mine = m.mac\n"
             "  for i = 1, 3 do sleep(tonumber(mine:sub(-1), 16) / 500) end\n"
             "  assert(mine == m.mac)\n"
             "  return { use = 'p', args = { 'own=' .. mine } }\n"
             "end }\n"
             "rule 'quick' { boot = 'p' }\n");
    static struct asked asked[MACHINES];
    char part[128];
    uint64_t waits = counter(METRICS_DECISION_WAITS);
    (void)state;
    for (unsigned n = 1; n < MACHINES; n++) {
        ask(policy, &asked[n], n);
        assert_false(asked[n].done);
        ask(policy, &asked[0], 0);
        contains(&asked[0], "http://10.1.0.0:8080/config/~");
        assert_true(asked[0].at < 50);
    }
    for (unsigned n = 1; n < MACHINES; n++) {
        turn_until(&asked[n].done);
        snprintf(part, sizeof part, "who=52:54:00:00:%02x:%02x", n / 256, n % 256);
        contains(&asked[n], part);
        snprintf(part, sizeof part, "own=52:54:00:00:%02x:%02x", n / 256, n % 256);
        contains(&asked[n], part);
        snprintf(part, sizeof part, "http://10.1.%u.%u:8080/config/~", n / 256, n % 256);
        contains(&asked[n], part);
    }
    assert_int_equal(counter(METRICS_DECISION_WAITS), waits + MACHINES - 1);
    policy_free(policy);
}

/* A missed deadline is the rule's on_error, never the next rule, and nothing that the policy
 * does with its answer. */
static void test_deadline(void **state)
{
    static const char *const bodies[] = {
        "sleep(10)",
        "pcall(sleep, 10)\nreturn nil",
        "while true do sleep(0.01) end",
        "while true do pcall(sleep, 0.05) end",
        "for i = 1, 3 do sleep(0.09) end",
    };
    char text[1024];
    (void)state;
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        snprintf(text, sizeof text,
                 "profile 'wipe' { kernel = 'wipe' }\n"
                 "rule 'slow' { on_error = deny 'too late', boot = function (machine)\n%s\nend }\n"
                 "rule 'never' { boot = 'wipe' }\n",
                 bodies[i]);
        struct policy *policy = load(text);
        struct asked asked;
        uint64_t expired = counter(METRICS_DECISION_WAITS_EXPIRED);
        ask(policy, &asked, 1);
        assert_false(asked.done);
        turn_until(&asked.done);
        contains(&asked, "too late");
        assert_true(asked.at > WAIT_MS - 10);
        assert_int_equal(counter(METRICS_DECISION_WAITS_EXPIRED), expired + 1);
        policy_free(policy);
    }
}

/* Firmware does not wait for as long as others do. */
static void test_dhcp_deadline(void **state)
{
    struct policy *policy =
        load("rule 'slow' { boot = function () sleep(0.1) return shell end }\n");
    struct asked asked = {.since = now_ms()};
    struct request request = {.protocol = REQUEST_DHCP,
                              .server.s_addr = inet_addr("10.0.0.2"),
                              .dhcp = {.message = REQUEST_DISCOVER,
                                       .has_mac = true,
                                       .arch = 7,
                                       .vendor_class = {(const uint8_t *)"PXEClient", 9}}};
    (void)state;
    policy_decide(policy, &request, take, &asked);
    assert_false(asked.done);
    turn_until(&asked.done);
    assert_int_equal(asked.kind, REPLY_DHCP);
    policy_free(policy);
    assert_true(POLICY_DHCP_WAIT_MS < 500);
}

/* The clock of a decision counts what it ran, all of it, and nothing else. */
static void test_cpu_time_over_suspensions(void **state)
{
    struct policy *policy = load_with(
        "local function spin(n) for i = 1, n do local s = ('x'):rep(10) end end\n"
        "rule 'busy' { match = { mac = '52:54:00:00:00:01' }, on_error = deny 'stopped',\n"
        "  boot = function () while true do spin(20000) sleep(0) end end }\n"
        "rule 'caught' { match = { mac = '52:54:00:00:00:03' }, on_error = deny 'stopped',\n"
        "  boot = function () while true do pcall(spin, 20000) pcall(sleep, 0) end end }\n"
        "rule 'idle' { on_error = deny 'stopped', boot = function ()\n"
        "  sleep(0.12) return deny 'well' end }\n",
        PATIENT_MS);
    struct asked busy, caught, idle;
    (void)state;
    ask(policy, &idle, 2);
    uint64_t deadlines = counter(METRICS_DECISION_DEADLINES);
    ask(policy, &busy, 1);
    turn_until(&busy.done);
    contains(&busy, "stopped");
    ask(policy, &caught, 3);
    turn_until(&caught.done);
    contains(&caught, "stopped");
    assert_int_equal(counter(METRICS_DECISION_DEADLINES), deadlines + 2);
    turn_until(&idle.done);
    contains(&idle, "well");
    policy_free(policy);
}

/* Several at once take as long as the slowest, and end together at the deadline. */
static void test_parallel(void **state)
{
    struct policy *policy =
        load("rule 'late' { match = { mac = '52:54:00:00:00:02' }, on_error = deny 'too late',\n"
             "  boot = function () parallel { function () sleep(0.01) end,\n"
             "    function () pcall(sleep, 9) end } return shell end }\n"
             "rule 'all' { boot = function ()\n"
             "  local got, failed = parallel { a = function () sleep(0.08) return 'A' end,\n"
             "    b = function () sleep(0.04) sleep(0.04) return 'B' end,\n"
             "    c = function () error('C', 0) end }\n"
             "  return deny(got.a .. got.b .. failed.c) end }\n");
    struct asked all, late;
    (void)state;
    ask(policy, &all, 1);
    ask(policy, &late, 2);
    turn_until(&all.done);
    contains(&all, "ABC");
    assert_true(all.at < WAIT_MS);
    turn_until(&late.done);
    contains(&late, "too late");
    policy_free(policy);
}

static void test_cancel(void **state)
{
    struct policy *policy = load("rule 'slow' { boot = function () sleep(0.05) return shell end }");
    struct asked asked[3], other;
    bool never = false;
    (void)state;
    for (unsigned i = 0; i < 3; i++)
        ask(policy, &asked[i], i);
    assert_false(policy_cancel(policy, &never));
    assert_true(policy_cancel(policy, &asked[1]));
    assert_false(policy_cancel(policy, &asked[1]));
    ask(policy, &other, 7);
    turn_until(&other.done);
    assert_true(asked[0].done && asked[2].done);
    assert_false(asked[1].done);
    assert_false(policy_cancel(policy, &other));
    ask(policy, &other, 7); /* the policy is freed first */
    policy_free(policy);
    assert_false(other.done);
}

/* Where nothing can be waited for, the policy is told so. */
static void test_refused(void **state)
{
    static const struct {
        const char *policy, *says;
    } cases[] = {
        {"rule 'r' { match = function () sleep(0) end, boot = shell, on_error = deny 'no' }", "no"},
        {"rule 'r' { on_error = deny 'no', boot = function ()\n"
         "  return (('x'):gsub('x', function () sleep(0) end)) end }",
         "no"},
        {"rule 'r' { on_error = deny 'no', boot = function () sleep(-1) end }", "no"},
        {"rule 'r' { boot = function () local ok, why = pcall(sleep, 'x') return deny(why) end }",
         "sleep: expected seconds"},
        {"serve '/ipxe' (function () sleep(0.01) return 'served' end)", "served"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct policy *policy = load(cases[i].policy);
        struct asked asked;
        ask(policy, &asked, 1);
        turn_until(&asked.done);
        contains(&asked, cases[i].says);
        policy_free(policy);
    }
}

/* Beyond the limit nobody waits: who asks by HTTP is told so, who asks by datagrams asks again.
 * Who waits already may do so again, and what does not wait is decided as ever. */
static void test_too_many(void **state)
{
    at_once = 3;
    struct policy *policy =
        load_with("rule 'quick' { match = { mac = '52:54:00:00:00:09' }, boot = deny 'quick' }\n"
                  "rule 'slow' { on_error = deny 'failed', boot = function ()\n"
                  "  pcall(sleep, 0.03) sleep(0.03) return deny 'well' end }\n"
                  "rule 'never' { boot = deny 'never' }\n",
                  PATIENT_MS);
    at_once = 0;
    struct asked asked[3], more[3], quick, later;
    uint64_t http = counter(METRICS_REFUSED_HTTP), dhcp = counter(METRICS_REFUSED_DHCP),
             tftp = counter(METRICS_REFUSED_TFTP), made = counter(METRICS_DECISIONS);
    struct request by_dhcp = {.protocol = REQUEST_DHCP,
                              .server.s_addr = inet_addr("10.0.0.2"),
                              .dhcp = {.message = REQUEST_DISCOVER,
                                       .has_mac = true,
                                       .arch = 7,
                                       .vendor_class = {(const uint8_t *)"PXEClient", 9}}};
    struct request by_tftp = {.protocol = REQUEST_TFTP,
                              .client.s_addr = inet_addr("10.0.0.50"),
                              .server.s_addr = inet_addr("10.0.0.2"),
                              .tftp = {.file = "pxelinux.cfg/01-52-54-00-00-00-05"}};
    (void)state;
    for (unsigned i = 0; i < 3; i++)
        ask(policy, &asked[i], i);
    assert_int_equal(policy_waiting(policy), 3);
    ask(policy, &more[0], 4);
    assert_int_equal(more[0].kind, REPLY_ERROR);
    contains(&more[0], "too many decisions wait");
    more[1] = more[2] = (struct asked){.since = now_ms()};
    policy_decide(policy, &by_dhcp, take, &more[1]);
    policy_decide(policy, &by_tftp, take, &more[2]);
    assert_true(more[1].done && more[2].done);
    assert_int_equal(more[1].kind, REPLY_SILENCE);
    assert_int_equal(more[2].kind, REPLY_SILENCE);
    ask(policy, &quick, 9);
    contains(&quick, "quick");
    assert_int_equal(counter(METRICS_REFUSED_HTTP), http + 1);
    assert_int_equal(counter(METRICS_REFUSED_DHCP), dhcp + 1);
    assert_int_equal(counter(METRICS_REFUSED_TFTP), tftp + 1);
    for (unsigned i = 0; i < 3; i++) {
        turn_until(&asked[i].done);
        contains(&asked[i], "well");
    }
    assert_int_equal(policy_waiting(policy), 0);
    assert_int_equal(counter(METRICS_DECISIONS), made + 4);
    ask(policy, &later, 4);
    assert_false(later.done);
    assert_true(policy_cancel(policy, &later));
    assert_int_equal(policy_waiting(policy), 0);
    policy_free(policy);
}

/* Without an event loop nothing waits. */
static void test_no_loop(void **state)
{
    struct policy *policy =
        load("rule 'r' { boot = function () local ok, why = sleep(0) return deny(why) end }");
    struct asked asked;
    (void)state;
    assert_true(policy_start(policy, &board->slots[0], NULL, NULL));
    ask(policy, &asked, 1);
    contains(&asked, "no event loop");
    policy_free(policy);
}

static int set_up(void **state)
{
    (void)state;
    log_setup(getenv("MOONBOOT_TEST_LOG") ? LOG_LEVEL_DEBUG : LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
    board = metrics_board_alloc();
    base = event_base_new();
    if (!board || !base || !mkdtemp(dir_path))
        return -1;
    dir = open(dir_path, O_PATH | O_DIRECTORY);
    return dir < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
    (void)state;
    unlinkat(dir, "policy.lua", 0);
    rmdir(dir_path);
    close(dir);
    event_base_free(base);
    metrics_board_free(board);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many_at_once),  cmocka_unit_test(test_deadline),
        cmocka_unit_test(test_dhcp_deadline), cmocka_unit_test(test_cpu_time_over_suspensions),
        cmocka_unit_test(test_parallel),      cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_refused),       cmocka_unit_test(test_too_many),
        cmocka_unit_test(test_no_loop),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
