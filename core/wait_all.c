#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#include "wait_kind.h"

#define WAITS_MAX 64

struct all_wait;

struct child {
    struct all_wait *all;
    struct wait *wait; /* NULL: it could not be started, `problem` says why */
    bool done;
    char problem[256];
};

struct all_wait {
    struct wait wait;
    struct event *timer; /* when none could be started */
    int n, pending;
    struct child children[];
};

static void on_done(void *arg)
{
    struct child *child = arg;
    child->done = true;
    if (--child->all->pending == 0)
        child->all->wait.done(child->all->wait.arg);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct all_wait *all = arg;
    (void)fd;
    (void)what;
    all->wait.done(all->wait.arg);
}

static void end(struct wait *wait)
{
    struct all_wait *all = (struct all_wait *)wait;
    for (int i = 0; i < all->n; i++)
        wait_end(all->children[i].wait);
    if (all->timer)
        event_free(all->timer);
    free(all);
}

/* Protected. Arguments: struct wait_service, struct child, the table. */
static int start_child(lua_State *L)
{
    const struct wait_service *service = lua_touserdata(L, 1);
    struct child *child = lua_touserdata(L, 2);
    child->wait = wait_start(service, L, on_done, child);
    return 0;
}

/* What cannot be started has its problem for an answer; the others are asked. */
static void start_each(struct all_wait *all, const struct wait_service *service, lua_State *L,
                       int list)
{
    for (int i = 0; i < all->n; i++) {
        struct child *child = &all->children[i];
        child->all = all;
        lua_pushvalue(L, list + 1); /* start_child */
        lua_pushlightuserdata(L, (void *)service);
        lua_pushlightuserdata(L, child);
        lua_rawgeti(L, list, i + 1);
        if (lua_pcall(L, 3, 0, 0) == 0) {
            all->pending++;
            continue;
        }
        const char *why = lua_tostring(L, -1);
        strncpy(child->problem, why ? why : "it cannot be asked", sizeof child->problem - 1);
        child->done = true;
        lua_pop(L, 1);
    }
}

static struct wait *start(const struct wait_service *service, lua_State *L, int table)
{
    struct timeval now = {0};
    lua_getfield(L, table, "waits");
    int list = lua_gettop(L);
    luaL_checktype(L, list, LUA_TTABLE);
    size_t n = lua_objlen(L, list);
    luaL_argcheck(L, n >= 1 && n <= WAITS_MAX, 1, "too many at once");
    luaL_checkstack(L, 8, "no memory to ask");
    lua_pushcfunction(L, start_child); /* stays at list + 1: nothing below takes memory */
    struct all_wait *all = calloc(1, sizeof *all + n * sizeof *all->children);
    if (!all)
        return NULL;
    all->n = (int)n;
    start_each(all, service, L, list);
    if (all->pending > 0)
        return &all->wait;
    all->timer = evtimer_new(service->base, on_timer, all);
    if (all->timer && evtimer_add(all->timer, &now) == 0)
        return &all->wait;
    end(&all->wait);
    return NULL;
}

static int answer(const struct wait *wait, lua_State *L)
{
    const struct all_wait *all = (const struct all_wait *)wait;
    luaL_checkstack(L, 16, "no memory for the answers");
    lua_createtable(L, all->n, 0);
    int list = lua_gettop(L);
    for (int i = 0; i < all->n; i++) {
        const struct child *child = &all->children[i];
        lua_newtable(L);
        int n = 2;
        if (child->wait) {
            n = wait_answer(child->wait, L);
        } else {
            lua_pushnil(L);
            lua_pushstring(L, child->problem);
        }
        lua_pushinteger(L, n);
        lua_setfield(L, list + 1, "n");
        for (int k = n; k > 0; k--)
            lua_rawseti(L, list + 1, k);
        lua_rawseti(L, list, i + 1);
    }
    return 1;
}

/* When each of them has an answer of some kind. */
static bool late(struct wait *wait)
{
    struct all_wait *all = (struct all_wait *)wait;
    for (int i = 0; i < all->n; i++) {
        if (!all->children[i].done && !wait_late(all->children[i].wait))
            return false;
    }
    return true;
}

const struct wait_kind wait_kind_all = {"all", start, answer, end, late};
