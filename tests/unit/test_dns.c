/* Names and addresses, asked of a name server of our own; and several waits as one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <event2/dns.h>
#include <event2/dns_struct.h>
#include <event2/event.h>
#include <lauxlib.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vm.h"
#include "wait.h"

static struct event_base *base;
static struct evdns_server_port *server;
static struct wait_service service;
static struct vm *vm;
static unsigned n_done;

static void on_request(struct evdns_server_request *request, void *arg)
{
    const struct evdns_server_question *question = request->questions[0];
    struct in_addr addresses[2] = {{htonl(0x0a000001)}, {htonl(0x0a000002)}};
    (void)arg;
    int result = DNS_ERR_NONE;
    if (!strcasecmp(question->name, "two.lab"))
        evdns_server_request_add_a_reply(request, question->name, 2, addresses, 60);
    else if (!strcasecmp(question->name, "9.0.0.10.in-addr.arpa"))
        evdns_server_request_add_ptr_reply(request, NULL, question->name, "nine.lab", 60);
    else
        result = DNS_ERR_NOTEXIST;
    evdns_server_request_respond(request, result);
}

static void on_done(void *arg)
{
    n_done++;
    *(bool *)arg = true;
}

/* Starts what a Lua expression describes. */
static struct wait *start(const char *table, bool *done)
{
    lua_State *L = vm_state(vm);
    char chunk[512];
    snprintf(chunk, sizeof chunk, "return %s", table);
    assert_int_equal(luaL_loadstring(L, chunk), 0);
    assert_int_equal(lua_pcall(L, 0, 1, 0), 0);
    *done = false;
    struct wait *wait = wait_start(&service, L, on_done, done);
    lua_settop(L, 0);
    return wait;
}

/* The answer, as an expression of Lua makes a text of its values `a, b`. */
static void expect(struct wait *wait, const bool *done, const char *expression, const char *wanted)
{
    lua_State *L = vm_state(vm);
    char chunk[512];
    while (!*done)
        event_base_loop(base, EVLOOP_ONCE);
    snprintf(chunk, sizeof chunk, "local a, b = ... return %s", expression);
    assert_int_equal(luaL_loadstring(L, chunk), 0);
    int n = wait_answer(wait, L);
    wait_end(wait);
    if (lua_pcall(L, n, 1, 0) != 0)
        fail_msg("%s", lua_tostring(L, -1));
    assert_string_equal(lua_tostring(L, -1), wanted);
    lua_settop(L, 0);
}

static void test_lookups(void **state)
{
    bool done;
    (void)state;
    expect(start("{ kind = 'dns', query = 'lookup', name = 'two.lab' }", &done), &done,
           "table.concat(a, ' ')", "10.0.0.1 10.0.0.2");
    expect(start("{ kind = 'dns', query = 'ptr', name = '10.0.0.9' }", &done), &done, "a",
           "nine.lab");
    expect(start("{ kind = 'dns', query = 'lookup', name = 'none.lab' }", &done), &done,
           "tostring(a) .. ': ' .. b", "nil: name does not exist");
    expect(start("{ kind = 'dns', query = 'ptr', name = '10.0.0.8' }", &done), &done,
           "tostring(a) .. ': ' .. b", "nil: name does not exist");
}

static void test_all(void **state)
{
    bool done;
    (void)state;
    expect(start("{ kind = 'all', waits = { { kind = 'dns', query = 'lookup', name = 'two.lab' },"
                 " { kind = 'sleep', seconds = 0.01 }, { kind = 'nonsense' },"
                 " { kind = 'dns', query = 'lookup', name = 'none.lab' } } }",
                 &done),
           &done,
           "a[1][1][2] .. ' ' .. tostring(a[2][1]) .. ' ' .. a[3][2] .. ' ' .. a[4][2] .. ' ' .. "
           "a[4].n",
           "10.0.0.2 true nothing waits for \"nonsense\" name does not exist 2");
    expect(start("{ kind = 'all', waits = { { kind = 'nonsense' }, { kind = 'sleep' } } }", &done),
           &done, "#a .. ' ' .. a[1].n", "2 2");
}

/* Who does not wait any longer is not told. */
static void test_ended_early(void **state)
{
    bool done;
    (void)state;
    unsigned before = n_done;
    wait_end(start("{ kind = 'dns', query = 'lookup', name = 'two.lab' }", &done));
    wait_end(start("{ kind = 'all', waits = { { kind = 'sleep', seconds = 60 },"
                   " { kind = 'dns', query = 'lookup', name = 'two.lab' } } }",
                   &done));
    struct timeval after = {.tv_usec = 50000};
    event_base_loopexit(base, &after);
    event_base_dispatch(base);
    assert_int_equal(n_done, before);
    struct wait *wait =
        start("{ kind = 'all', waits = { { kind = 'sleep', seconds = 60 } } }", &done);
    assert_false(wait_late(wait));
    wait_end(wait);
}

static int set_up(void **state)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof at;
    (void)state;
    base = event_base_new();
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof at) < 0 ||
        getsockname(fd, (struct sockaddr *)&at, &len) < 0)
        return -1;
    server = evdns_add_server_port_with_base(base, fd, 0, on_request, NULL);
    service.base = base;
    service.dns = evdns_base_new(base, EVDNS_BASE_DISABLE_WHEN_INACTIVE);
    vm = vm_alloc(&(struct vm_options){.memory = (size_t)32 << 20, .decision_ms = 1000});
    return server && vm && service.dns &&
                   evdns_base_nameserver_sockaddr_add(service.dns, (struct sockaddr *)&at, len,
                                                      0) == 0
               ? 0
               : -1;
}

static int tear_down(void **state)
{
    (void)state;
    wait_dns_close(service.dns);
    evdns_close_server_port(server);
    vm_free(vm);
    event_base_free(base);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lookups),
        cmocka_unit_test(test_all),
        cmocka_unit_test(test_ended_early),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
