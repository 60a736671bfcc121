#include "wait.h"

#include <lauxlib.h>
#include <string.h>

#include "wait_kind.h"

static const char expired_key; /* its address says so */

static const struct wait_kind *const kinds[] = {&wait_kind_all, &wait_kind_dns, &wait_kind_http,
                                                &wait_kind_sleep, &wait_kind_state};

static const struct wait_kind *kind_of(lua_State *L, int table)
{
    lua_getfield(L, table, "kind");
    const char *name = luaL_checkstring(L, -1);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (!strcmp(kinds[i]->name, name))
            return kinds[i];
    }
    luaL_error(L, "nothing waits for \"%s\"", name);
    return NULL;
}

struct wait *wait_start(const struct wait_service *service, lua_State *L, wait_done *done,
                        void *arg)
{
    int table = lua_gettop(L);
    luaL_checktype(L, table, LUA_TTABLE);
    if (!service->base)
        luaL_error(L, "there is no event loop to wait in");
    const struct wait_kind *kind = kind_of(L, table);
    struct wait *wait = kind->start(service, L, table);
    if (!wait) {
        luaL_error(L, "no memory to wait for %s", kind->name);
        return NULL;
    }
    wait->kind = kind;
    wait->done = done;
    wait->arg = arg;
    return wait;
}

int wait_answer(const struct wait *wait, lua_State *L)
{
    return wait->kind->answer(wait, L);
}

void wait_end(struct wait *wait)
{
    if (wait)
        wait->kind->end(wait);
}

bool wait_late(struct wait *wait)
{
    return wait->kind->late && wait->kind->late(wait);
}

int wait_expire(lua_State *L, unsigned ms)
{
    lua_pushlightuserdata(L, (void *)&expired_key);
    lua_pushinteger(L, (lua_Integer)ms);
    return 2;
}

void wait_open(lua_State *L)
{
    lua_pushlightuserdata(L, (void *)&expired_key);
    lua_setfield(L, -2, "expired");
}
