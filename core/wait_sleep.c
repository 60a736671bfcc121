#include <lauxlib.h>
#include <stdlib.h>

#include "wait_kind.h"

#define SECONDS_MAX 3600

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

static void end(struct wait *wait)
{
    struct sleep *sleep = (struct sleep *)wait;
    if (sleep->timer)
        event_free(sleep->timer);
    free(sleep);
}

static struct wait *start(const struct wait_service *service, lua_State *L, int table)
{
    lua_getfield(L, table, "seconds");
    double seconds = luaL_checknumber(L, -1);
    if (!(seconds >= 0 && seconds <= SECONDS_MAX))
        luaL_error(L, "sleep: %f seconds", seconds);
    struct timeval after = {.tv_sec = (time_t)seconds,
                            .tv_usec = (suseconds_t)((seconds - (double)(time_t)seconds) * 1e6)};
    struct sleep *sleep = calloc(1, sizeof *sleep);
    if (!sleep)
        return NULL;
    sleep->timer = evtimer_new(service->base, on_timer, sleep);
    if (sleep->timer && event_add(sleep->timer, &after) == 0)
        return &sleep->wait;
    end(&sleep->wait);
    return NULL;
}

static int answer(const struct wait *wait, lua_State *L)
{
    (void)wait;
    lua_pushboolean(L, 1);
    return 1;
}

const struct wait_kind wait_kind_sleep = {"sleep", start, answer, end, NULL};
