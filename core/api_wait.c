#include <event2/event.h>
#include <lauxlib.h>
#include <stdbool.h>

#include "api.h"
#include "http_cache.h"
#include "wait.h"

/* A wait at the command line, where there is no service: a loop of its own. */
struct asking {
    struct event_base *base;
    struct http_cache *http;
    struct evdns_base *dns;
    struct wait *wait;
    bool done;
};

static void on_done(void *arg)
{
    struct asking *asking = arg;
    asking->done = true;
    event_base_loopbreak(asking->base);
}

static int asking_gc(lua_State *L)
{
    struct asking *asking = lua_touserdata(L, 1);
    wait_end(asking->wait);
    http_cache_close(asking->http);
    wait_dns_close(asking->dns);
    if (asking->base)
        event_base_free(asking->base);
    *asking = (struct asking){0};
    return 0;
}

/* host.cli.wait(wait, seconds, limit) -> the answer's values; when there is none within these
 * seconds host.expired, and `limit`, ms, which is what the decision had. */
static int api_wait(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    double seconds = luaL_checknumber(L, 2);
    unsigned limit = (unsigned)luaL_checkinteger(L, 3);
    seconds = seconds > 0 ? seconds : 0;
    struct timeval most = {.tv_sec = (time_t)seconds,
                           .tv_usec = (suseconds_t)((seconds - (double)(time_t)seconds) * 1e6)};
    struct asking *asking = lua_newuserdata(L, sizeof *asking);
    *asking = (struct asking){0};
    lua_newtable(L);
    lua_pushcfunction(L, asking_gc);
    lua_setfield(L, -2, "__gc");
    lua_setmetatable(L, -2);
    int kept = lua_gettop(L);
    asking->base = event_base_new();
    if (!asking->base)
        return luaL_error(L, "no memory to wait");
    asking->http = http_cache_open(asking->base);
    if (!asking->http)
        return luaL_error(L, "no memory to wait");
    asking->dns = wait_dns_open(asking->base);
    struct wait_service service = {.base = asking->base, .http = asking->http, .dns = asking->dns};
    lua_pushvalue(L, 1);
    asking->wait = wait_start(&service, L, on_done, asking);
    event_base_loopexit(asking->base, &most);
    if (!asking->done)
        event_base_dispatch(asking->base);
    lua_settop(L, kept);
    bool answered = asking->done || wait_late(asking->wait);
    int n = answered ? wait_answer(asking->wait, L) : wait_expire(L, limit);
    wait_end(asking->wait);
    asking->wait = NULL;
    return n;
}

void api_wait_open(lua_State *L)
{
    lua_pushcfunction(L, api_wait);
    lua_setfield(L, -2, "wait");
}
