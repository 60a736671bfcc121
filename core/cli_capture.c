#include "cli_capture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bridge.h"
#include "replay.h"

#define TYPE "moonboot capture"

struct cli_capture {
    struct capture *capture;
    struct replay replay;
    uint16_t http_port;
    struct capture_message message;
    struct replay_question question;
    struct reply *reply; /* while it is read: reading may throw */
};

static struct cli_capture *check(lua_State *L)
{
    struct cli_capture *c = luaL_checkudata(L, 1, TYPE);
    if (!c->capture)
        luaL_error(L, "the capture is closed");
    return c;
}

static bool release(struct cli_capture *c)
{
    bool good = capture_write_close(c->replay.writer);
    capture_close(c->capture);
    reply_free(c->reply);
    for (size_t i = 0; i < 2; i++) {
        if (c->replay.files.roots[i] >= 0)
            close(c->replay.files.roots[i]);
        c->replay.files.roots[i] = -1;
    }
    if (c->replay.files.packages >= 0)
        close(c->replay.files.packages);
    c->replay.files.packages = -1;
    c->replay.writer = NULL;
    c->capture = NULL;
    c->reply = NULL;
    return good;
}

static int capture_gc(lua_State *L)
{
    release(luaL_checkudata(L, 1, TYPE));
    return 0;
}

static int capture_end(lua_State *L)
{
    if (release(check(L))) {
        lua_pushboolean(L, 1);
        return 1;
    }
    lua_pushnil(L);
    lua_pushstring(L, "the answers could not be written");
    return 2;
}

/* --- options ------------------------------------------------------------------------------- */

static uint16_t port(lua_State *L, const char *key)
{
    lua_getfield(L, 2, key);
    int value = (int)luaL_checkinteger(L, -1);
    lua_pop(L, 1);
    return (uint16_t)value;
}

/* Of the options; NULL: it is not set. The table keeps the text. */
static const char *text(lua_State *L, const char *key)
{
    lua_getfield(L, 2, key);
    const char *value = lua_tostring(L, -1);
    lua_pop(L, 1);
    return value;
}

static void read_options(lua_State *L, struct cli_capture *c, struct capture_options *options)
{
    lua_getfield(L, 2, "http_ports");
    luaL_checktype(L, -1, LUA_TTABLE);
    for (size_t i = 1; i <= lua_objlen(L, -1) && i <= CAPTURE_PORTS; i++) {
        lua_rawgeti(L, -1, (int)i);
        options->http_ports[options->n_http_ports++] = (uint16_t)lua_tointeger(L, -1);
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
    c->replay.dhcp_port = port(L, "dhcp_port");
    c->replay.boot_port = port(L, "boot_port");
    c->replay.tftp_port = port(L, "tftp_port");
    c->http_port = port(L, "http_port");
    const char *server = text(L, "server"), *interface = text(L, "interface");
    if (server && inet_pton(AF_INET, server, &c->replay.server) != 1)
        luaL_error(L, "server: %s is no IPv4 address", server);
    if (interface)
        snprintf(c->replay.interface, sizeof c->replay.interface, "%s", interface);
}

static bool open_root(lua_State *L, struct cli_capture *c, enum reply_root root, const char *key,
                      char error[CAPTURE_ERROR])
{
    const char *path = text(L, key);
    if (!path)
        return true;
    int fd = files_root_open(path);
    if (fd < 0)
        snprintf(error, CAPTURE_ERROR, "%s: %s", path, strerror(-fd));
    c->replay.files.roots[root] = fd < 0 ? -1 : fd;
    return fd >= 0;
}

static bool open_all(lua_State *L, struct cli_capture *c, const struct capture_options *options,
                     char error[CAPTURE_ERROR])
{
    const char *path = lua_tostring(L, 1), *out = text(L, "write");
    char why[CAPTURE_ERROR];
    c->capture = capture_open(path, options, why);
    if (!c->capture) {
        snprintf(error, CAPTURE_ERROR, "%.200s: %.300s", path, why);
        return false;
    }
    c->replay.files.packages = files_packages_open();
    if (!open_root(L, c, REPLY_ROOT_TFTP, "tftp_root", error) ||
        !open_root(L, c, REPLY_ROOT_ASSETS, "assets", error))
        return false;
    if (!out)
        return true;
    c->replay.writer = capture_write_open(out, why);
    if (!c->replay.writer)
        snprintf(error, CAPTURE_ERROR, "%.200s: %.300s", out, why);
    return c->replay.writer != NULL;
}

static int capture_new(lua_State *L)
{
    struct capture_options options = {.n_http_ports = 0};
    char error[CAPTURE_ERROR];
    luaL_checkstring(L, 1);
    luaL_checktype(L, 2, LUA_TTABLE);
    struct cli_capture *c = lua_newuserdata(L, sizeof *c);
    memset(c, 0, sizeof *c);
    c->replay.files = (struct files){.roots = {-1, -1}, .packages = -1};
    luaL_getmetatable(L, TYPE);
    lua_setmetatable(L, -2);
    read_options(L, c, &options);
    if (open_all(L, c, &options, error))
        return 1;
    release(c);
    lua_pushnil(L);
    lua_pushstring(L, error);
    return 2;
}

/* --- messages ------------------------------------------------------------------------------- */

static void set_text(lua_State *L, const char *key, const char *value)
{
    if (value) {
        lua_pushstring(L, value);
        lua_setfield(L, -2, key);
    }
}

static void set_number(lua_State *L, const char *key, double value)
{
    lua_pushnumber(L, value);
    lua_setfield(L, -2, key);
}

static void set_address(lua_State *L, const char *key, const struct sockaddr_in *address)
{
    char ip[INET_ADDRSTRLEN];
    inet_ntop(AF_INET, &address->sin_addr, ip, sizeof ip);
    lua_pushfstring(L, "%s:%d", ip, (int)ntohs(address->sin_port));
    lua_setfield(L, -2, key);
}

static void push_base(lua_State *L, const struct cli_capture *c)
{
    char server[INET_ADDRSTRLEN];
    inet_ntop(AF_INET, &c->question.request.server, server, sizeof server);
    if (c->http_port == 80)
        lua_pushfstring(L, "http://%s", server);
    else
        lua_pushfstring(L, "http://%s:%d", server, (int)c->http_port);
}

static void describe_dhcp(lua_State *L, const struct cli_capture *c)
{
    static const char *const names[] = {"?",   "discover", "offer",   "request", "decline",
                                        "ack", "nak",      "release", "inform"};
    const struct dhcp_packet *packet = &c->question.packet;
    unsigned message = c->message.cut ? 0 : dhcp_message(packet);
    char mac[ADDR_MAC_TEXT];
    lua_pushfstring(L, "%s%s", names[message < sizeof names / sizeof *names ? message : 0],
                    ntohs(c->message.to.sin_port) == c->replay.boot_port ? " 4011" : "");
    lua_setfield(L, -2, "asked");
    if (message && packet->header.hlen == ADDR_MAC_LEN) {
        addr_mac_text(packet->header.chaddr, mac);
        set_text(L, "mac", mac);
    }
}

static void describe(lua_State *L, const struct cli_capture *c)
{
    static const char *const protocols[] = {"dhcp", "tftp", "http"};
    const struct replay_question *q = &c->question;
    const struct http_head *head = &c->message.head;
    set_text(L, "protocol", protocols[q->request.protocol]);
    switch (q->request.protocol) {
    case REQUEST_DHCP:
        if (q->why && !strcmp(q->why, "malformed"))
            set_text(L, "asked", "?");
        else
            describe_dhcp(L, c);
        break;
    case REQUEST_TFTP:
        lua_pushfstring(L, "%s %s", q->tftp.opcode == TFTP_WRQ ? "WRQ" : "RRQ", q->tftp.file);
        lua_setfield(L, -2, "asked");
        break;
    case REQUEST_HTTP:
        if (c->message.status)
            set_text(L, "asked", "?");
        else if (head->query)
            lua_pushfstring(L, "%s %s?%s", head->method_name, head->path, head->query);
        else
            lua_pushfstring(L, "%s %s", head->method_name, head->path);
        if (!c->message.status)
            lua_setfield(L, -2, "asked");
        break;
    case REQUEST_CONTROL: /* never captured */
        break;
    }
}

static int push_message(lua_State *L, struct cli_capture *c)
{
    const struct capture_message *m = &c->message;
    lua_createtable(L, 0, 10);
    set_number(L, "frame", (double)m->frame);
    set_number(L, "time", (double)m->time.tv_sec + (double)m->time.tv_usec / 1e6);
    set_address(L, "from", &m->from);
    set_address(L, "to", &m->to);
    describe(L, c);
    if (c->question.kind == REPLAY_REQUEST) {
        push_base(L, c);
        bridge_push_request(L, &c->question.request, lua_tostring(L, -1));
        lua_setfield(L, -3, "request");
        lua_pop(L, 1);
    } else {
        set_text(L, "why",
                 c->question.kind == REPLAY_UNDECIDED ? "moonboot's own page" : c->question.why);
    }
    return 1;
}

static int capture_message(lua_State *L)
{
    struct cli_capture *c = check(L);
    int result;
    while ((result = capture_next(c->capture, &c->message)) == 1) {
        replay_ask(&c->replay, &c->message, &c->question);
        if (c->question.kind != REPLAY_NOTHING)
            return push_message(L, c);
    }
    c->question.kind = REPLAY_NOTHING;
    lua_pushnil(L);
    if (result < 0)
        lua_pushstring(L, capture_problem(c->capture));
    return result < 0 ? 2 : 1;
}

/* --- answers --------------------------------------------------------------------------------- */

static int push_answer(lua_State *L, const struct replay_answer *answer)
{
    static const char *const kinds[] = {"silence", "offer", "ack",     "oack",
                                        "data",    "error", "response"};
    lua_createtable(L, 0, 6);
    set_text(L, "kind", kinds[answer->kind]);
    if (answer->kind != REPLAY_SILENCE) {
        set_address(L, "to", &answer->to);
        set_number(L, "length", (double)answer->length);
    }
    if (answer->kind == REPLAY_RESPONSE || answer->kind == REPLAY_ERROR)
        set_number(L, "status", answer->status);
    if (answer->error)
        set_number(L, "error", answer->error);
    set_text(L, "what", *answer->what ? answer->what : NULL);
    return 1;
}

static int capture_answer(lua_State *L)
{
    struct cli_capture *c = check(L);
    struct replay_answer answer;
    char error[512];
    if (c->question.kind != REPLAY_REQUEST)
        return luaL_error(L, "there is no request to answer");
    lua_settop(L, 2);
    reply_free(c->reply);
    c->reply = NULL;
    if (!bridge_read_reply(L, 2, &c->question.request, &c->reply, error, sizeof error)) {
        lua_pushnil(L);
        lua_pushstring(L, error);
        return 2;
    }
    struct reply *reply = c->reply;
    c->reply = NULL;
    replay_answer(&c->replay, &c->message, &c->question, reply, &answer);
    return push_answer(L, &answer);
}

static int capture_refuse(lua_State *L)
{
    struct cli_capture *c = check(L);
    struct replay_answer answer;
    replay_refuse(&c->replay, &c->message, &c->question, &answer);
    return push_answer(L, &answer);
}

static int capture_passed_over(lua_State *L)
{
    const struct capture_counts *counts = capture_counts(check(L)->capture);
    lua_createtable(L, 0, 6);
    set_number(L, "frames", (double)counts->frames);
    set_number(L, "other", (double)counts->other);
    set_number(L, "malformed", (double)counts->malformed);
    set_number(L, "fragments", (double)counts->fragments);
    set_number(L, "lost", (double)counts->lost);
    lua_newtable(L);
    for (int i = 0; i < CAPTURE_PORTS && counts->elsewhere[i].port; i++) {
        lua_createtable(L, 0, 2);
        set_number(L, "port", counts->elsewhere[i].port);
        set_number(L, "requests", (double)counts->elsewhere[i].requests);
        lua_rawseti(L, -2, i + 1);
    }
    lua_setfield(L, -2, "elsewhere");
    return 1;
}

void cli_capture_open(lua_State *L)
{
    static const luaL_Reg methods[] = {{"next", capture_message},  {"answer", capture_answer},
                                       {"refuse", capture_refuse}, {"counts", capture_passed_over},
                                       {"close", capture_end},     {NULL, NULL}};
    luaL_newmetatable(L, TYPE);
    lua_pushcfunction(L, capture_gc);
    lua_setfield(L, -2, "__gc");
    lua_newtable(L);
    luaL_register(L, NULL, methods);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
    lua_pushcfunction(L, capture_new);
    lua_setfield(L, -2, "capture");
}
