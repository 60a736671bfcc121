/* The policy façade: good policies decide, hostile ones cost one answer each, bad ones are
 * refused with file and line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <event2/event.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"
#include "metrics.h"
#include "policy.h"
#include "policy_stages.h"
#include "policy_state.h"

static char dir_path[] = "/tmp/moonboot-policy-XXXXXX";
static int dir;
static struct metrics_board *board;

static void write_file(const char *name, const char *text)
{
    int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static struct policy *load(const char *text, struct problems *problems)
{
    write_file("policy.lua", text);
    struct policy_options options = {.dir = dir,
                                     .file = "policy.lua",
                                     .display = "policy.lua",
                                     .http_port = 8080,
                                     .decision_ms = 50,
                                     .memory_mb = 32,
                                     .metrics = &board->slots[0]};
    return policy_load(&options, problems);
}

/* The text that a request got: a body, or an error's message. */
static char answer[65536];
static enum reply_kind answer_kind;

static void take(struct reply *reply, void *arg)
{
    (void)arg;
    answer_kind = reply->kind;
    *answer = '\0';
    if (reply->kind == REPLY_BODY)
        snprintf(answer, sizeof answer, "%.*s", (int)reply->body.len, (char *)reply->body.data);
    else if (reply->kind == REPLY_ERROR)
        snprintf(answer, sizeof answer, "%s", reply->error.message);
    reply_free(reply);
}

static const char *ask(struct policy *policy, const char *query)
{
    struct request request = {
        .protocol = REQUEST_HTTP,
        .client.s_addr = inet_addr("10.0.0.50"),
        .server.s_addr = inet_addr("10.0.0.2"),
        .http = {.method = "GET", .path = "/ipxe", .query = query, .user_agent = "iPXE/1.0"}};
    policy_decide(policy, &request, take, NULL);
    return answer;
}

static uint64_t counter(enum metrics_counter which)
{
    return board->slots[0].counters[which];
}

/* Each is the body of the function of a rule for one machine. */
static const struct {
    const char *what, *body;
} hostile[] = {
    {"an endless loop", "while true do end"},
    {"an endless loop behind pcall", "while true do pcall(function () while true do end end) end"},
    {"an endless loop in an error handler",
     "xpcall(error, function () while true do end end) while true do end"},
    {"endless recursion", "local function f() return 1 + f() end return f()"},
    {"endless tail calls", "local function f() return f() end return f()"},
    {"recursion through gsub", "local function f() return (('x'):gsub('x', f)) end return f()"},
    {"recursion through sort",
     "local function f() table.sort({ 1, 2 }, f) return true end return f()"},
    {"recursion through tostring",
     "local t = setmetatable({}, { __tostring = function (s) return tostring(s) end })"
     " return tostring(t)"},
    {"recursion through __index", "local t = setmetatable({}, {}) getmetatable(t).__index = "
                                  "function (s, k) return s[k .. 'x'] end"
                                  " return t.x"},
    {"a string that doubles", "local s = 'x' while true do s = s .. s end"},
    {"a string as large as can be", "return ('x'):rep(2^40)"},
    {"a table that grows", "local t = {} while true do t[#t + 1] = {} end"},
    {"growth behind pcall",
     "local t = {} while true do pcall(function () t[#t + 1] = ('x'):rep(1e6) .. #t end) end"},
    {"memory that is never asked for again",
     "local t = {} pcall(function () while true do t[#t + 1] = ('x'):rep(1e5) .. #t end end)"
     " error 'full'"},
    {"a thrown table", "error {}"},
    {"a thrown nil", "error(nil)"},
    {"a thrown function", "error(print)"},
    {"a number", "return 42"},
    {"true", "return true"},
    {"a table that makes no sense", "return { use = {}, args = 1 }"},
    {"an unknown profile", "return 'nonesuch'"},
    {"an unknown field of the machine", "return machine.seriall"},
    {"a write to the machine", "machine.mac = 'x'"},
    {"a line break in an argument", "return { use = 'p', args = { 'a\\nb' } }"},
    {"a NUL in an argument", "return { use = 'p', args = { 'a\\0b' } }"},
    {"a format that is too long", "return ('%9999999d'):format(1)"},
    {"unpack of too much", "return unpack({}, 1, 1e8)"},
    {"concat of too much", "return table.concat({}, 'x', 1, 2^40)"},
};

static void test_hostile(void **state)
{
    static char text[8192];
    (void)state;
    for (size_t i = 0; i < sizeof hostile / sizeof *hostile; i++) {
        struct problems problems = {0};
        snprintf(
            text, sizeof text,
            "profile 'p' { kernel = 'vmlinuz', args = { 'mark=good' } }\n"
            "profile 'wipe' { kernel = 'wipe' }\n"
            "rule 'hostile' { match = { mac = '52:54:00:00:00:01' },\n"
            "  on_error = deny 'contained', boot = function (machine) %s end }\n"
            "rule 'never by mistake' { match = { mac = '52:54:00:00:00:01' }, boot = 'wipe' }\n"
            "rule 'all' { boot = 'p' }\n",
            hostile[i].body);
        struct policy *policy = load(text, &problems);
        for (size_t k = 0; k < problems.n; k++)
            print_error("%s: %s\n", hostile[i].what, problems.lines[k]);
        assert_non_null(policy);
        assert_true(policy_start(policy, &board->slots[0], NULL, NULL));
        uint64_t errors = counter(METRICS_DECISION_ERRORS);
        for (int round = 0; round < 2; round++) {
            if (!strstr(ask(policy, "mac=52:54:00:00:00:01"), "denied: contained"))
                fail_msg("%s: %s", hostile[i].what, answer);
            if (!strstr(ask(policy, "mac=52:54:00:00:00:02"), "mark=good"))
                fail_msg("%s: the next machine got: %s", hostile[i].what, answer);
        }
        assert_int_equal(counter(METRICS_DECISION_ERRORS), errors + 2);
        policy_free(policy);
        problems_clear(&problems);
    }
}

static void test_deadlines_are_counted(void **state)
{
    struct problems problems = {0};
    struct policy *policy =
        load("rule 'hang' { boot = function () while true do end end }", &problems);
    (void)state;
    assert_non_null(policy);
    assert_true(policy_start(policy, &board->slots[0], NULL, NULL));
    uint64_t before = counter(METRICS_DECISION_DEADLINES);
    ask(policy, "mac=52:54:00:00:00:01");
    assert_int_equal(counter(METRICS_DECISION_DEADLINES), before + 1);
    policy_free(policy);
}

static void test_refused(void **state)
{
    static const struct {
        const char *text, *problem;
    } cases[] = {
        {"rule 'a' { boot = ", "policy.lua:1: "},
        {"\nrule 'a' { boot = 'nonesuch' }", "policy.lua:2: "},
        {"profile 'compute' { kernel = 'k' }\nrule 'a' { boot = 'compte' }", "\"compute\""},
        {"rule 'a' { mtach = {}, boot = ignore }", "match"},
        {"rule 'a' { match = { uid = 'x' }, boot = ignore }", "uuid"},
        {"io.open('/etc/passwd')", "\"io\""},
        {"os.execute('x')", "\"os\""},
        {"x = 1", "local"},
        {"rule 'a' { boot = function (m) return debug.getregistry() end }", "\"debug\""},
        {"\x1bLJ\x02", "policy.lua"},
        {"error('no')", "policy.lua:1: no"},
        {"error({})", "policy.lua"},
        {"while true do end", "CPU time"},
        {"local t = {} while true do t[#t + 1] = ('x'):rep(1e6) .. #t end", "memory"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct problems problems = {0};
        struct policy *policy = load(cases[i].text, &problems);
        bool said = false;
        for (size_t k = 0; k < problems.n; k++)
            said = said || strstr(problems.lines[k], cases[i].problem);
        if (policy || !said)
            fail_msg("%s: %s", cases[i].text, problems.n ? problems.lines[0] : "accepted");
        problems_clear(&problems);
    }
}

static void test_missing(void **state)
{
    struct problems problems = {0};
    struct policy_options options = {.dir = dir,
                                     .file = "nonesuch.lua",
                                     .display = "x/nonesuch.lua",
                                     .decision_ms = 50,
                                     .memory_mb = 32,
                                     .metrics = &board->slots[0]};
    (void)state;
    assert_null(policy_load(&options, &problems));
    assert_int_equal(problems.n, 1);
    assert_non_null(strstr(problems.lines[0], "x/nonesuch.lua"));
    problems_clear(&problems);
}

static void test_inventory(void **state)
{
    static const char text[] =
        "profile 'p' { kernel = 'k', args = { 'rack={{rack}}' } }\n"
        "local hosts = inventory 'hosts.csv'\n"
        "rule 'hosts' { boot = hosts, on_error = deny 'no rack' }\n"
        "rule 'twice' { match = { serial = inventory { file = 'hosts.csv', key = 'serial' } },\n"
        "               boot = deny 'by serial' }\n"
        "rule 'rest' { boot = deny 'unknown' }\n";
    char before[POLICY_HASH_TEXT];
    struct problems problems = {0};
    (void)state;
    write_file("hosts.csv",
               "mac,boot,rack,serial\n52:54:00:00:00:01,p,7,A\n52:54:00:00:00:02,p,,B\n");
    struct policy *policy = load(text, &problems);
    assert_non_null(policy);
    assert_non_null(strstr(ask(policy, "mac=52-54-00-00-00-01"), "rack=7"));
    assert_non_null(strstr(ask(policy, "mac=52-54-00-00-00-02"), "denied: no rack"));
    assert_non_null(strstr(ask(policy, "mac=52-54-00-00-00-03&serial=B"), "denied: by serial"));
    assert_non_null(strstr(ask(policy, "serial=C"), "denied: unknown"));
    snprintf(before, sizeof before, "%s", policy_hash(policy));
    policy_free(policy);

    /* What it reads is part of what it is. */
    write_file("hosts.csv", "mac,boot,rack,serial\n52:54:00:00:00:01,p,8,A\n");
    policy = load(text, &problems);
    assert_non_null(policy);
    assert_non_null(strstr(ask(policy, "mac=52-54-00-00-00-01"), "rack=8"));
    assert_string_not_equal(policy_hash(policy), before);
    policy_free(policy);

    /* Its problems are told by its own lines, and nothing else is blamed. */
    write_file("hosts.csv", "mac,boot,rack\n52:54:00:00:00:01,p,8\nx,p,\n");
    assert_null(load(text, &problems));
    assert_int_equal(problems.n, 2);
    assert_string_equal(problems.lines[0], "hosts.csv:1: there is no column \"serial\"");
    assert_string_equal(problems.lines[1], "hosts.csv:3: mac: found \"x\", expected a MAC address, "
                                           "such as 52:54:00:12:34:56");
    problems_clear(&problems);
    write_file("hosts.csv",
               "mac,boot,rack,serial\n52:54:00:00:00:01,q,8,A\n52:54:00:00:00:02,,8,B\n");
    assert_null(load(text, &problems));
    assert_int_equal(problems.n, 2);
    assert_string_equal(problems.lines[0],
                        "hosts.csv:2: boot: there is no profile \"q\" (did you mean \"p\"?)");
    assert_string_equal(problems.lines[1],
                        "hosts.csv:3: a host without boot, in an inventory that a rule boots");
    problems_clear(&problems);
    unlinkat(dir, "hosts.csv", 0);
}

static void test_hash(void **state)
{
    struct problems problems = {0};
    char first[POLICY_HASH_TEXT];
    (void)state;
    struct policy *policy = load("rule 'a' { boot = ignore }", &problems);
    snprintf(first, sizeof first, "%s", policy_hash(policy));
    assert_int_equal(strlen(first), POLICY_HASH_TEXT - 1);
    policy_free(policy);
    policy = load("rule 'a' { boot = ignore }", &problems);
    assert_string_equal(first, policy_hash(policy));
    policy_free(policy);
    policy = load("rule 'b' { boot = ignore }", &problems);
    assert_string_not_equal(first, policy_hash(policy));
    policy_free(policy);
}

/* What a policy reads is part of it, and lies beneath its directory. */
static void test_files(void **state)
{
    static const char text[] = "include 'data/more.lua'\n"
                               "local names = table.concat(list 'data', ' ')\n"
                               "assert(names == 'link more.lua out sub/ word/', names)\n"
                               "assert(not read('gone', false) and not list('gone', false))\n"
                               "rule 'all' { boot = deny(require 'data.word') }\n";
    struct problems problems = {0};
    char first[POLICY_HASH_TEXT];
    (void)state;
    assert_int_equal(mkdirat(dir, "data", 0700), 0);
    assert_int_equal(mkdirat(dir, "data/sub", 0700), 0);
    assert_int_equal(mkdirat(dir, "data/word", 0700), 0);
    write_file("data/word/init.lua", "return read 'data/link'");
    write_file("data/more.lua", "rule 'a' { match = { mac = '52:54:00:00:00:02' }, boot = disk }");
    write_file("data/sub/text", "first");
    assert_int_equal(symlinkat("sub/text", dir, "data/link"), 0);
    assert_int_equal(symlinkat("/etc/passwd", dir, "data/out"), 0);

    struct policy *policy = load(text, &problems);
    for (size_t i = 0; i < problems.n; i++)
        print_error("%s\n", problems.lines[i]);
    assert_non_null(policy);
    assert_non_null(strstr(ask(policy, "mac=52:54:00:00:00:01"), "denied: first"));
    assert_null(strstr(ask(policy, "mac=52:54:00:00:00:02"), "denied"));
    snprintf(first, sizeof first, "%s", policy_hash(policy));
    policy_free(policy);
    write_file("data/sub/text", "other");
    policy = load(text, &problems);
    assert_string_not_equal(first, policy_hash(policy));
    policy_free(policy);

    assert_null(load("read 'data/out'\nread '../x'\nread '/etc/passwd'\nlist '..'\nread 'data'\n"
                     "list 'data/more.lua'\ninclude 'data/out'",
                     &problems));
    assert_int_equal(problems.n, 7);
    for (size_t i = 0; i < problems.n; i++)
        assert_non_null(strstr(problems.lines[i], i == 4   ? "Is a directory"
                                                  : i == 5 ? "Not a directory"
                                                           : "leads out"));
    problems_clear(&problems);
    static const char *const made[] = {"data/link", "data/out", "data/sub/text", "data/more.lua",
                                       "data/word/init.lua"};
    for (size_t i = 0; i < sizeof made / sizeof *made; i++)
        unlinkat(dir, made[i], 0);
    unlinkat(dir, "data/sub", AT_REMOVEDIR);
    unlinkat(dir, "data/word", AT_REMOVEDIR);
    unlinkat(dir, "data", AT_REMOVEDIR);
}

/* A page of the policy's own that hangs costs its own client one answer. */
static void test_served(void **state)
{
    struct problems problems = {0};
    struct policy *policy = load("serve '/ipxe' (function (request)\n"
                                 "  if request.query.hang then while true do end end\n"
                                 "  return request.query.mac\nend)",
                                 &problems);
    (void)state;
    assert_non_null(policy);
    assert_true(policy_start(policy, &board->slots[0], NULL, NULL));
    assert_string_equal(ask(policy, "mac=1"), "1");
    ask(policy, "hang=1");
    assert_int_equal(answer_kind, REPLY_ERROR);
    assert_string_equal(ask(policy, "mac=2"), "2");
    assert_string_equal(ask(policy, ""), "not found");
    policy_free(policy);
}

/* Who is told what the service knows is told no secret; a machine is told what its policy says. */
static void test_secrets_are_hidden(void **state)
{
    struct problems problems = {0};
    struct policy *policy = load("serve '/x' (function () return 'is hunter22' end)", &problems);
    struct request request = {.protocol = REQUEST_HTTP, .http = {.method = "GET", .path = "/x"}};
    (void)state;
    assert_non_null(policy);
    assert_true(policy_start(policy, &board->slots[0], NULL, NULL));
    assert_true(mask_add(&policy->mask, "hunter22", 8));
    policy_decide(policy, &request, take, NULL);
    assert_string_equal(answer, "is hunter22");
    request.http.admin = true;
    request.http.path = "/api/v1/machines/hunter22";
    policy_decide(policy, &request, take, NULL);
    assert_non_null(strstr(answer, "is neither a MAC address"));
    assert_null(strstr(answer, "hunter22"));
    policy_free(policy);
}

static int n_settled;

/* In place of stages.settle: the engine fails, the first time. */
static int settle(lua_State *L)
{
    if (n_settled++ == 0)
        return luaL_error(L, "stopped");
    lua_pushboolean(L, 0);
    lua_pushnil(L);
    lua_pushinteger(L, 0);
    return 3;
}

/* What a settling has left that the engine ended is settled by the next one. */
static void test_stages_are_settled_again(void **state)
{
    struct problems problems = {0};
    struct policy *policy = load("rule 'a' { boot = ignore }", &problems);
    struct event_base *base = event_base_new();
    (void)state;
    assert_non_null(policy);
    assert_non_null(base);
    assert_true(policy_start(policy, &board->slots[0], base, NULL));
    lua_State *L = vm_state(policy->vm);
    policy_stages_open(L, policy);
    vm_require(L, "stages");
    lua_pushcfunction(L, settle);
    lua_setfield(L, -2, "settle");
    lua_pop(L, 1);
    lua_rawgeti(L, LUA_REGISTRYINDEX, policy->loaded);
    lua_getfield(L, -1, "seen");
    lua_getfield(L, -1, "wake");
    lua_call(L, 0, 0);
    lua_settop(L, 0);
    struct timeval limit = {.tv_sec = 5};
    event_base_loopexit(base, &limit);
    while (n_settled < 2 && !event_base_got_exit(base))
        event_base_loop(base, EVLOOP_ONCE);
    assert_int_equal(n_settled, 2);
    policy_free(policy);
    event_base_free(base);
}

static int set_up(void **state)
{
    (void)state;
    log_setup(getenv("MOONBOOT_TEST_LOG") ? LOG_LEVEL_DEBUG : LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
    board = metrics_board_alloc();
    if (!board || !mkdtemp(dir_path))
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
    metrics_board_free(board);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_deadlines_are_counted),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_missing),
        cmocka_unit_test(test_inventory),
        cmocka_unit_test(test_hash),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_served),
        cmocka_unit_test(test_secrets_are_hidden),
        cmocka_unit_test(test_stages_are_settled_again),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
