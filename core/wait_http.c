#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#include "http_cache.h"
#include "metrics.h"
#include "wait_kind.h"

#define HEADERS_MAX 64

struct http_wait {
    struct wait wait;
    struct http_waiter *waiter; /* NULL: it has the answer */
    struct http_answer answer;  /* status 0 and no problem: none yet */
    char *data;                 /* its texts */
};

/* A copy: who has asked several waits for the others. */
static void keep(struct http_wait *http, const struct http_answer *answer)
{
    const char *text = answer->problem ? answer->problem : answer->type;
    size_t len = strlen(text) + 1;
    http->answer = (struct http_answer){.problem = "no memory for the answer"};
    http->data = malloc(len + answer->body.len);
    if (!http->data)
        return;
    memcpy(http->data, text, len);
    if (answer->body.len)
        memcpy(http->data + len, answer->body.data, answer->body.len);
    http->answer = (struct http_answer){
        .status = answer->status,
        .problem = answer->problem ? http->data : NULL,
        .type = http->data,
        .body = {(const uint8_t *)http->data + len, answer->body.len},
    };
}

static void on_answer(const struct http_answer *answer, void *arg)
{
    struct http_wait *http = arg;
    http->waiter = NULL;
    keep(http, answer);
    http->wait.done(http->wait.arg);
}

static void end(struct wait *wait)
{
    struct http_wait *http = (struct http_wait *)wait;
    if (http->waiter)
        http_cache_leave(http->waiter);
    free(http->data);
    free(http);
}

/* These leave their value on the stack, which keeps it. */
static struct bytes read_bytes(lua_State *L, int table, const char *key)
{
    size_t len = 0;
    lua_getfield(L, table, key);
    const char *data = lua_isnil(L, -1) ? NULL : luaL_checklstring(L, -1, &len);
    return (struct bytes){(const uint8_t *)data, len};
}

static const char *read_text(lua_State *L, int table, const char *key)
{
    return (const char *)read_bytes(L, table, key).data;
}

static double read_number(lua_State *L, int table, const char *key)
{
    lua_getfield(L, table, key);
    return luaL_checknumber(L, -1);
}

static void read_headers(lua_State *L, int table, const char *headers[HEADERS_MAX + 1])
{
    int n = 0;
    lua_getfield(L, table, "headers");
    if (lua_isnil(L, -1))
        return;
    int list = lua_gettop(L);
    luaL_checktype(L, list, LUA_TTABLE);
    luaL_checkstack(L, HEADERS_MAX + 4, "too many headers");
    for (; n < HEADERS_MAX; n++) {
        lua_rawgeti(L, list, n + 1);
        if (lua_isnil(L, -1))
            break;
        headers[n] = luaL_checkstring(L, -1);
    }
}

static struct wait *start(const struct wait_service *service, lua_State *L, int table)
{
    const char *headers[HEADERS_MAX + 1] = {NULL};
    if (!service->http)
        luaL_error(L, "nobody is asked by HTTP here");
    luaL_checkstack(L, 24, "no memory to ask");
    struct http_question question = {
        .method = read_text(L, table, "method"),
        .url = read_text(L, table, "url"),
        .proxy = read_text(L, table, "proxy"),
        .unix_socket = read_text(L, table, "unix"),
        .ca = read_bytes(L, table, "ca"),
        .cert = read_bytes(L, table, "cert"),
        .key = read_bytes(L, table, "private"),
        .body = read_bytes(L, table, "body"),
        .timeout_ms = (unsigned)(read_number(L, table, "timeout") * 1000),
        .max_bytes = (size_t)read_number(L, table, "max"),
        .redirects = (unsigned)read_number(L, table, "redirects"),
        .headers = headers,
    };
    struct http_cache_rules rules = {.key = read_bytes(L, table, "key")};
    luaL_argcheck(L, question.method && question.url, 1, "no method or url");
    question.has_body = question.body.data != NULL;
    if (rules.key.len) {
        rules.ttl_ms = (int64_t)(read_number(L, table, "ttl") * 1000);
        rules.stale_ms = (int64_t)(read_number(L, table, "stale") * 1000);
    }
    lua_getfield(L, table, "insecure");
    question.insecure = lua_toboolean(L, -1);
    read_headers(L, table, headers);
    struct http_wait *http = calloc(1, sizeof *http);
    if (!http)
        return NULL;
    http->waiter = http_cache_ask(service->http, &question, &rules, on_answer, http);
    if (http->waiter)
        return &http->wait;
    free(http);
    metrics_inc(service->metrics, METRICS_WAITS_REFUSED_HTTP);
    luaL_error(L, "too much is asked by HTTP at once");
    return NULL;
}

static int answer(const struct wait *wait, lua_State *L)
{
    const struct http_answer *answer = &((const struct http_wait *)wait)->answer;
    if (answer->problem) {
        lua_pushnil(L);
        lua_pushstring(L, answer->problem);
        return 2;
    }
    lua_createtable(L, 0, 3);
    lua_pushinteger(L, answer->status);
    lua_setfield(L, -2, "status");
    lua_pushstring(L, answer->type);
    lua_setfield(L, -2, "type");
    lua_pushlstring(L, (const char *)answer->body.data, answer->body.len);
    lua_setfield(L, -2, "body");
    return 1;
}

/* An old answer, if there is one that will do. */
static bool late(struct wait *wait)
{
    struct http_wait *http = (struct http_wait *)wait;
    const struct http_answer *old = http->waiter ? http_cache_late(http->waiter) : NULL;
    if (old)
        keep(http, old);
    return old || !http->waiter;
}

const struct wait_kind wait_kind_http = {"http", start, answer, end, late};
