#include <errno.h>
#include <lauxlib.h>
#include <math.h>
#include <stdlib.h>

#include "store_writer.h"
#include "wait_kind.h"

struct state_wait {
    struct wait wait;
    struct store_write *write; /* NULL: it is done */
    int64_t result;
};

static void on_written(const struct store_change *change, void *arg)
{
    struct state_wait *state = arg;
    state->result = change->result;
    state->write = NULL;
    state->wait.done(state->wait.arg);
}

static void end(struct wait *wait)
{
    struct state_wait *state = (struct state_wait *)wait;
    if (state->write)
        store_writer_forget(state->write);
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

static struct wait *start(const struct wait_service *service, lua_State *L, int table)
{
    if (!service->writer)
        luaL_error(L, "there is no store: see `state` in site.yaml");
    struct store_change change = {.key = read_text(L, table, "key"),
                                  .text = read_text(L, table, "text")};
    change.deletes = change.text.data == NULL;
    change.ttl_ms = (int64_t)ceil(read_number(L, table, "ttl", 0) * 1000);
    change.version = (int64_t)read_number(L, table, "version", STORE_ANY);
    struct state_wait *state = calloc(1, sizeof *state);
    if (!state)
        return NULL;
    state->write = store_writer_add(service->writer, &change, on_written, state);
    if (state->write)
        return &state->wait;
    free(state);
    luaL_error(L, "too much waits to be written");
    return NULL;
}

static int answer(const struct wait *wait, lua_State *L)
{
    int64_t result = ((const struct state_wait *)wait)->result;
    if (result >= 0) {
        lua_pushnumber(L, (lua_Number)result);
        return 1;
    }
    if (result == -EAGAIN) {
        lua_pushboolean(L, 0);
        return 1;
    }
    lua_pushnil(L);
    lua_pushstring(L, store_problem(result));
    return 2;
}

const struct wait_kind wait_kind_state = {"state", start, answer, end, NULL};
