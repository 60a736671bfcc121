/* What Lua hands back is checked field by field: good replies come out whole, bad ones are
 * refused with a reason, and nothing leaks or crashes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <lauxlib.h>
#include <lualib.h>
#include <string.h>

#include "bridge.h"

static lua_State *L;

static struct request dhcp_request(void)
{
    return (struct request){.protocol = REQUEST_DHCP, .server.s_addr = htonl(0x0a000002)};
}

/* The reply that a Lua expression makes; NULL and `error` when it is refused. */
static struct reply *read_reply(const char *expression, char error[256])
{
    struct request request = dhcp_request();
    struct reply *reply = NULL;
    char chunk[512];
    snprintf(chunk, sizeof chunk, "return %s", expression);
    assert_int_equal(luaL_dostring(L, chunk), 0);
    *error = '\0';
    if (!bridge_read_reply(L, -1, &request, &reply, error, 256)) {
        reply_free(reply);
        reply = NULL;
        assert_true(*error != '\0');
    }
    lua_settop(L, 0);
    return reply;
}

static void test_good(void **state)
{
    char error[256];
    struct reply *r;
    (void)state;

    r = read_reply("nil", error);
    assert_int_equal(r->kind, REPLY_SILENCE);
    reply_free(r);
    r = read_reply("{ silence = true }", error);
    assert_int_equal(r->kind, REPLY_SILENCE);
    reply_free(r);

    r = read_reply("{ dhcp = { file = 'f', server = '10.0.0.9', vendor_class = 'PXEClient',"
                   " options = { [210] = 'b', [43] = '\\6\\1\\8\\0' } } }",
                   error);
    assert_int_equal(r->kind, REPLY_DHCP);
    assert_string_equal(r->dhcp.file, "f");
    assert_int_equal(r->dhcp.server.s_addr, inet_addr("10.0.0.9"));
    assert_int_equal(r->dhcp.n_options, 2);
    assert_int_equal(r->dhcp.options[0].code, 43);
    assert_int_equal(r->dhcp.options[0].len, 4);
    assert_int_equal(r->dhcp.options[1].code, 210);
    reply_free(r);

    r = read_reply("{ dhcp = {} }", error);
    assert_int_equal(r->dhcp.server.s_addr, htonl(0x0a000002));
    assert_null(r->dhcp.file);
    reply_free(r);

    r = read_reply("{ path = 'a/b', root = 'assets' }", error);
    assert_int_equal(r->kind, REPLY_FILE);
    assert_int_equal(r->file.root, REPLY_ROOT_ASSETS);
    reply_free(r);

    r = read_reply("{ path = 'a', otherwise = { body = 'b', status = 200 } }", error);
    assert_int_equal(r->kind, REPLY_FILE);
    assert_int_equal(r->file.otherwise->kind, REPLY_BODY);
    assert_int_equal(r->file.otherwise->body.len, 1);
    reply_free(r);

    r = read_reply("{ path = 'a', otherwise = { error = 'no', reason = 'denied' } }", error);
    r = reply_otherwise(r);
    assert_int_equal(r->error.reason, REPLY_DENIED);
    reply_free(r);
    r = read_reply("{ path = 'a' }", error);
    assert_null(reply_otherwise(r));
    reply_free(r);

    r = read_reply("{ body = 'a\\0b', status = 404, type = 'text/plain' }", error);
    assert_int_equal(r->kind, REPLY_BODY);
    assert_int_equal(r->body.len, 3);
    assert_int_equal(r->body.status, 404);
    reply_free(r);

    r = read_reply("{ error = 'no', reason = 'denied' }", error);
    assert_int_equal(r->kind, REPLY_ERROR);
    assert_int_equal(r->error.reason, REPLY_DENIED);
    reply_free(r);
}

static void test_bad(void **state)
{
    static const struct {
        const char *expression, *error;
    } cases[] = {
        {"42", "the reply is a number"},
        {"'text'", "the reply is a string"},
        {"function () end", "the reply is a function"},
        {"{}", "the reply says nothing"},
        {"{ dhcp = 1 }", "the reply's `dhcp` is no table"},
        {"{ path = 'a', otherwise = 1 }", "the reply's `otherwise` is no table"},
        {"{ path = 'a', otherwise = { path = 'b' } }",
         "the reply's `otherwise` has neither body nor error"},
        {"{ path = 'a', otherwise = { body = 1 } }",
         "the reply's `body` is a number, not a string"},
        {"{ dhcp = { file = 1 } }", "the reply's `file` is a number, not a string"},
        {"{ dhcp = { file = 'a\\0b' } }", "the reply's `file` has a NUL byte in it"},
        {"{ dhcp = { server = 'moonboot.lab' } }",
         "the boot server \"moonboot.lab\" is no IPv4 address"},
        {"{ dhcp = { server = '0.0.0.0' } }", "the boot server \"0.0.0.0\" is no IPv4 address"},
        {"{ dhcp = { options = { [53] = 'x' } } }", "DHCP option 53 can not be set"},
        {"{ dhcp = { options = { [0] = 'x' } } }", "DHCP option 0 can not be set"},
        {"{ dhcp = { options = { [256] = 'x' } } }", "DHCP option 256 can not be set"},
        {"{ dhcp = { options = { [43.5] = 'x' } } }", "DHCP option 43.5 can not be set"},
        {"{ dhcp = { options = { x = 'x' } } }", "DHCP option 0 can not be set"},
        {"{ dhcp = { options = { [43] = {} } } }",
         "DHCP option 43 wants a string of at most 4096 bytes"},
        {"{ dhcp = { options = { [43] = ('x'):rep(5000) } } }",
         "DHCP option 43 wants a string of at most 4096 bytes"},
        {"{ dhcp = { options = 'x' } }", "the reply's `options` is no table"},
        {"{ path = 'a', root = 'etc' }", "the reply's `root` is \"etc\""},
        {"{ path = {} }", "the reply's `path` is a table, not a string"},
        {"{ body = 'x', status = 42 }", "the reply's `status` is 42"},
        {"{ body = 'x', status = -(0/0) }", "the reply's `status` is nan"},
        {"{ body = 'x', type = 'a\\r\\nSet-Cookie: b' }",
         "the reply's `type` has control characters in it"},
        {"{ error = 'x', reason = 'whim' }", "the reply's `reason` is \"whim\""},
        /* What a table says through metamethods is not heard, and cannot throw. */
        {"setmetatable({}, { __index = function () error 'x' end })", "the reply says nothing"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char error[256];
        assert_null(read_reply(cases[i].expression, error));
        assert_string_equal(error, cases[i].error);
    }
}

static void test_dhcp_reply_elsewhere(void **state)
{
    struct request request = {.protocol = REQUEST_HTTP};
    struct reply *reply = NULL;
    char error[256];
    (void)state;
    assert_int_equal(luaL_dostring(L, "return { dhcp = {} }"), 0);
    assert_false(bridge_read_reply(L, -1, &request, &reply, error, sizeof error));
    assert_string_equal(error, "a DHCP reply to a request that was not DHCP");
    reply_free(reply);
    lua_settop(L, 0);
}

/* A field of the request table as text. */
static const char *field(const char *expression)
{
    static char text[256];
    lua_setglobal(L, "r");
    char chunk[128];
    snprintf(chunk, sizeof chunk, "return tostring(%s)", expression);
    assert_int_equal(luaL_dostring(L, chunk), 0);
    snprintf(text, sizeof text, "%s", lua_tostring(L, -1));
    lua_settop(L, 0);
    return text;
}

static void test_dhcp_request(void **state)
{
    struct request request = dhcp_request();
    (void)state;
    request.dhcp = (struct request_dhcp){
        .message = REQUEST_INFORM,
        .boot_server_port = true,
        .has_mac = true,
        .mac = {0x52, 0x54, 0, 0x99, 0x0a, 0x1f},
        .has_uuid = true,
        .uuid = {0x33, 0x22, 0x11, 0x00, 0x55, 0x44, 0x77, 0x66, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd,
                 0xee, 0xff},
        .arch = 7,
        .has_boot_item = true,
        .boot_item_type = 3,
        .vendor_class = {(const uint8_t *)"PXE\0C", 5},
        .giaddr.s_addr = inet_addr("10.1.0.1"),
    };
    static const struct {
        const char *expression, *value;
    } fields[] = {
        {"r.protocol", "dhcp"},
        {"r.message", "inform"},
        {"r.port", "4011"},
        {"r.mac", "52:54:00:99:0a:1f"},
        {"r.uuid", "00112233-4455-6677-8899-aabbccddeeff"},
        {"r.arch_id", "7"},
        {"r.boot_item.type", "3"},
        {"#r.vendor_class", "5"},
        {"r.user_class", "nil"},
        {"r.relay", "10.1.0.1"},
        {"r.ip", "nil"},
        {"r.client", "nil"},
        {"r.server", "10.0.0.2"},
        {"r.interface", "nil"},
        {"r.base", "http://x"},
        {"r.is_ipxe", "false"},
    };
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        bridge_push_request(L, &request, "http://x");
        assert_string_equal(field(fields[i].expression), fields[i].value);
    }
    request.dhcp.arch = REQUEST_NO_ARCH;
    request.dhcp.has_uuid = false;
    bridge_push_request(L, &request, "http://x");
    assert_string_equal(field("r.arch_id"), "nil");
    bridge_push_request(L, &request, "http://x");
    assert_string_equal(field("r.uuid"), "nil");
}

static void test_http_request(void **state)
{
    struct request request = {
        .protocol = REQUEST_HTTP,
        .client.s_addr = inet_addr("10.0.0.50"),
        .interface = "eth0",
        .http = {.method = "POST", .path = "/ipxe", .body = {(const uint8_t *)"a\0b", 3}}};
    (void)state;
    bridge_push_request(L, &request, "http://x");
    assert_string_equal(field("r.path .. r.method .. #r.body .. r.client .. r.interface"),
                        "/ipxePOST310.0.0.50eth0");
    bridge_push_request(L, &request, "http://x");
    assert_string_equal(field("r.query"), "nil");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_dhcp_reply_elsewhere),
        cmocka_unit_test(test_dhcp_request),
        cmocka_unit_test(test_http_request),
    };
    L = luaL_newstate();
    luaL_openlibs(L);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    lua_close(L);
    return failed;
}
