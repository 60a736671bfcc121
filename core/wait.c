#include "wait.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#define SLEEP_SECONDS_MAX 3600

/* Each kind has a struct of its own, which begins with this. */
struct wait {
    const struct kind *kind;
    wait_done *done;
    void *arg;
};

struct kind {
    const char *name;
    struct wait *(*start)(const struct wait_service *service, lua_State *L, int table);
    int (*answer)(const struct wait *wait, lua_State *L);
    void (*end)(struct wait *wait);
};

static const char expired_key; /* its address says so */

/* --- sleep ------------------------------------------------------------------------------ */

struct sleep {
    struct wait wait;
    struct event *timer;
};

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct sleep *sleep = arg;
    (void)fd;
    (void)what;
    sleep->wait.done(sleep->wait.arg);
}

static void end_sleep(struct wait *wait)
{
    struct sleep *sleep = (struct sleep *)wait;
    if (sleep->timer)
        event_free(sleep->timer);
    free(sleep);
}

static struct wait *start_sleep(const struct wait_service *service, lua_State *L, int table)
{
    lua_getfield(L, table, "seconds");
    double seconds = luaL_checknumber(L, -1);
    if (!(seconds >= 0 && seconds <= SLEEP_SECONDS_MAX))
        luaL_error(L, "sleep: %f seconds", seconds);
    struct timeval after = {.tv_sec = (time_t)seconds,
                            .tv_usec = (suseconds_t)((seconds - (double)(time_t)seconds) * 1e6)};
    struct sleep *sleep = calloc(1, sizeof *sleep);
    if (!sleep)
        return NULL;
    sleep->timer = evtimer_new(service->base, on_timer, sleep);
    if (sleep->timer && event_add(sleep->timer, &after) == 0)
        return &sleep->wait;
    end_sleep(&sleep->wait);
    return NULL;
}

static int answer_sleep(const struct wait *wait, lua_State *L)
{
    (void)wait;
    lua_pushboolean(L, 1);
    return 1;
}

/* --- all ---------------------------------------------------------------------------------- */

static const struct kind kinds[] = {
    {"sleep", start_sleep, answer_sleep, end_sleep},
};

static const struct kind *kind_of(lua_State *L, int table)
{
    lua_getfield(L, table, "kind");
    const char *name = luaL_checkstring(L, -1);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (!strcmp(kinds[i].name, name))
            return &kinds[i];
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
    const struct kind *kind = kind_of(L, table);
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
