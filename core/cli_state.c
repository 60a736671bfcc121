#include "cli_state.h"

#include <errno.h>
#include <event2/event.h>
#include <lauxlib.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "api.h"
#include "config.h"
#include "config_state.h"
#include "privileges.h"
#include "problems.h"
#include "state.h"

/* A site's store while the command runs. */
struct opened {
    struct config *config;
    struct state_trust trust;
    struct event_base *base;
    struct store *store;
    struct problems problems;
    bool done; /* what was asked last is answered */
};

static int opened_gc(lua_State *L)
{
    struct opened *opened = lua_touserdata(L, 1);
    store_close(opened->store);
    if (opened->base)
        event_base_free(opened->base);
    state_trust_close(&opened->trust);
    config_free(opened->config);
    problems_clear(&opened->problems);
    *opened = (struct opened){0};
    return 0;
}

static void on_answer(void *arg)
{
    ((struct opened *)arg)->done = true;
}

/* Asks, and waits for the answer -> how many values (api.h). */
static int ask(lua_State *L, struct opened *opened, const struct store_request *request)
{
    opened->done = false;
    struct store_ask *ask = store_ask(opened->store, request, on_answer, opened);
    if (!ask)
        return luaL_error(L, "no memory to ask the store");
    while (!opened->done && event_base_loop(opened->base, EVLOOP_ONCE) == 0)
        continue;
    int n = api_store_answer(L, request->verb, store_answer(ask));
    store_end(ask);
    return n;
}

static struct opened *opened_of(lua_State *L)
{
    return lua_touserdata(L, lua_upvalueindex(1));
}

static struct bytes check_bytes(lua_State *L, int index)
{
    size_t len;
    const char *data = luaL_optlstring(L, index, "", &len);
    return (struct bytes){(const uint8_t *)data, len};
}

static int push_problem(lua_State *L, int64_t error)
{
    lua_pushnil(L);
    lua_pushstring(L, store_problem(error));
    return 2;
}

/* store.get(key) -> text, version | false: there is none | nil, why not */
static int get(lua_State *L)
{
    struct opened *opened = opened_of(L);
    struct store_request request = {.verb = STORE_GET, .key = check_bytes(L, 1)};
    struct store_entry entry;
    int error = store_get(opened->store, request.key, &entry);
    if (error == -EINPROGRESS)
        return ask(L, opened, &request);
    const struct store_answer answer = {.result = error, .entries = &entry, .n = 1};
    return api_store_answer(L, STORE_GET, &answer);
}

/* store.next(prefix, after) -> list of one or more entries, key to go on after | list that is empty
 * | nil, why not */
static int list(lua_State *L)
{
    struct opened *opened = opened_of(L);
    struct store_request request = {
        .verb = STORE_LIST, .key = check_bytes(L, 1), .after = check_bytes(L, 2)};
    struct store_entry entry;
    int error = store_next(opened->store, request.key, request.after, &entry);
    if (error == -EINPROGRESS)
        return ask(L, opened, &request);
    if (error && error != -ENOENT)
        return push_problem(L, error);
    const struct store_answer answer = {
        .entries = &entry, .n = error ? 0 : 1, .last = error ? (struct bytes){NULL, 0} : entry.key};
    return api_store_answer(L, STORE_LIST, &answer);
}

/* store.write(key, text, ttl) -> true | nil, why not; text nil: delete */
static int write_one(lua_State *L)
{
    struct store_request request = {.verb = STORE_WRITE};
    request.change.key = check_bytes(L, 1);
    request.change.text = check_bytes(L, 2);
    request.change.deletes = lua_isnoneornil(L, 2);
    request.change.ttl_ms = (int64_t)(luaL_optnumber(L, 3, 0) * 1000);
    request.change.version = STORE_ANY;
    return ask(L, opened_of(L), &request);
}

static int fail(lua_State *L, const char *why)
{
    lua_pushnil(L);
    lua_pushstring(L, why);
    return 2;
}

static int fail_at(lua_State *L, const struct opened *opened, const char *why)
{
    char name[512];
    state_name(opened->config, name, sizeof name);
    lua_pushnil(L);
    lua_pushfstring(L, "%s: %s", name, why);
    return 2;
}

/* Whether there is no directory yet: what is not there remembers nothing. */
static bool absent(const struct config *config)
{
    struct stat st;
    char *path = config->state.path ? config_path(config, config->state.path) : NULL;
    bool is = path && stat(path, &st) < 0 && errno == ENOENT;
    free(path);
    return is;
}

static int push_store(lua_State *L, int opened)
{
    static const luaL_Reg functions[] = {{"get", get}, {"list", list}, {"write", write_one}};
    lua_createtable(L, 0, 3);
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        lua_pushvalue(L, opened);
        lua_pushcclosure(L, functions[i].func, 1);
        lua_setfield(L, -2, functions[i].name);
    }
    return 1;
}

/* host.cli.store(site, writes) -> { get =, list =, write = } | false: there is none yet | nil, why
 * it cannot be opened. For what `writes`, a store that is not there is made. */
static int open_store(lua_State *L)
{
    const char *path = luaL_checkstring(L, 1);
    const char *purpose = luaL_checkstring(L, 2);
    signal(SIGPIPE, SIG_IGN); /* a Redis that hangs up is an answer */
    struct opened *opened = lua_newuserdata(L, sizeof *opened);
    int index = lua_gettop(L);
    *opened = (struct opened){0};
    lua_newtable(L);
    lua_pushcfunction(L, opened_gc);
    lua_setfield(L, -2, "__gc");
    lua_setmetatable(L, -2);
    opened->config = config_load(path, &opened->problems);
    if (!opened->config)
        return fail(L, opened->problems.n ? opened->problems.lines[0] : "no memory to read it");
    if (!config_state_kept(opened->config)) {
        lua_pushnil(L);
        lua_pushfstring(L, "%s names no store: state: { path: … }", path);
        return 2;
    }
    state_trust_open(&opened->trust, opened->config, &opened->problems);
    if (opened->problems.n)
        return fail(L, opened->problems.lines[0]);
    if (absent(opened->config) && !strcmp(purpose, "read")) {
        lua_pushboolean(L, 0);
        return 1;
    }
    int error = state_prepare(opened->config, privileges_user(opened->config->user));
    if (error)
        return fail_at(L, opened,
                       error == -EINVAL ? "there is no user to make it for" : store_problem(error));
    opened->config->state.redis.create = !strcmp(purpose, "make");
    opened->base = event_base_new();
    error = opened->base
                ? state_open(&opened->store, opened->config, &opened->trust, opened->base, NULL)
                : -ENOMEM;
    return error ? fail_at(L, opened, store_problem(error)) : push_store(L, index);
}

void cli_state_open(lua_State *L)
{
    lua_pushcfunction(L, open_store);
    lua_setfield(L, -2, "store");
}
