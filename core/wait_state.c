#include <lauxlib.h>
#include <math.h>
#include <stdlib.h>

#include "api.h"
#include "metrics.h"
#include "store.h"
#include "wait_kind.h"

struct state_wait {
    struct wait wait;
    struct store_ask *ask;
    enum store_verb verb;
};

static void on_answer(void *arg)
{
    struct state_wait *state = arg;
    state->wait.done(state->wait.arg);
}

static void end(struct wait *wait)
{
    struct state_wait *state = (struct state_wait *)wait;
    store_end(state->ask);
    free(state);
}

/* Leaves the text on the stack, which keeps it. */
static struct bytes read_text(lua_State *L, int table, const char *key)
{
    size_t len = 0;
    lua_getfield(L, table, key);
    const char *data = lua_isnil(L, -1) ? NULL : luaL_checklstring(L, -1, &len);
    return (struct bytes){(const uint8_t *)data, len};
}

static double read_number(lua_State *L, int table, const char *key, double otherwise)
{
    lua_getfield(L, table, key);
    return luaL_optnumber(L, -1, otherwise);
}

static struct store_request read_request(lua_State *L, int table)
{
    struct store_request request = {.verb = STORE_GET, .key = read_text(L, table, "get")};
    if (request.key.data)
        return request;
    request.key = read_text(L, table, "list");
    if (request.key.data) {
        request.verb = STORE_LIST;
        request.after = read_text(L, table, "after");
        return request;
    }
    request.verb = STORE_WRITE;
    request.change.key = read_text(L, table, "key");
    request.change.text = read_text(L, table, "text");
    request.change.deletes = request.change.text.data == NULL;
    request.change.ttl_ms = (int64_t)ceil(read_number(L, table, "ttl", 0) * 1000);
    request.change.version = (int64_t)read_number(L, table, "version", STORE_ANY);
    return request;
}

static struct wait *start(const struct wait_service *service, lua_State *L, int table)
{
    if (!service->store)
        luaL_error(L, "there is no store: see `state` in site.yaml");
    const struct store_request request = read_request(L, table);
    struct state_wait *state = calloc(1, sizeof *state);
    if (!state)
        return NULL;
    state->verb = request.verb;
    state->ask = store_ask(service->store, &request, on_answer, state);
    if (state->ask)
        return &state->wait;
    free(state);
    metrics_inc(service->metrics, METRICS_WAITS_REFUSED_STATE);
    luaL_error(L, "too much waits for the store");
    return NULL;
}

static int answer(const struct wait *wait, lua_State *L)
{
    const struct state_wait *state = (const struct state_wait *)wait;
    return api_store_answer(L, state->verb, store_answer(state->ask));
}

const struct wait_kind wait_kind_state = {"state", start, answer, end, NULL};
