#include <errno.h>
#include <lauxlib.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "api.h"

#define WATCH_METATABLE "moonboot.watch"
#define EVENTS                                                                                     \
    (IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE | IN_ATTRIB |            \
     IN_DELETE_SELF | IN_ONLYDIR)
/* Editors write a file in several steps: what comes so shortly after belongs to it. */
#define SETTLE_MS 60

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
    (void)number;
    interrupted = 1;
}

struct watch {
    int fd;
};

static int watch_gc(lua_State *L)
{
    struct watch *watch = lua_touserdata(L, 1);
    if (watch->fd >= 0)
        close(watch->fd);
    watch->fd = -1;
    return 0;
}

/* host.cli.watch() -> watch | nil, message. SIGINT and SIGTERM end its waiting from now on. */
static int api_watch(lua_State *L)
{
    struct watch *watch = lua_newuserdata(L, sizeof *watch);
    watch->fd = -1;
    luaL_getmetatable(L, WATCH_METATABLE);
    lua_setmetatable(L, -2);
    lua_newtable(L); /* the names of directories, by number */
    lua_setfenv(L, -2);
    watch->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    struct sigaction action = {.sa_handler = on_signal};
    sigemptyset(&action.sa_mask);
    if (watch->fd < 0 || sigaction(SIGINT, &action, NULL) < 0 ||
        sigaction(SIGTERM, &action, NULL) < 0) {
        lua_pushnil(L);
        lua_pushstring(L, strerror(errno));
        return 2;
    }
    return 1;
}

/* watch:add(directory) -> true | nil, message. Adding one again is no mistake. */
static int watch_add(lua_State *L)
{
    struct watch *watch = luaL_checkudata(L, 1, WATCH_METATABLE);
    const char *path = luaL_checkstring(L, 2);
    int number = inotify_add_watch(watch->fd, path, EVENTS);
    if (number < 0) {
        lua_pushnil(L);
        lua_pushstring(L, strerror(errno));
        return 2;
    }
    lua_getfenv(L, 1);
    lua_pushvalue(L, 2);
    lua_rawseti(L, -2, number);
    lua_pushboolean(L, true);
    return 1;
}

/* Adds "directory/name" of each event that waits to the table on top. */
static void take_events(lua_State *L, int fd)
{
    union {
        struct inotify_event event;
        char bytes[16 * (sizeof(struct inotify_event) + NAME_MAX + 1)];
    } buffer;
    ssize_t n;
    while ((n = read(fd, buffer.bytes, sizeof buffer.bytes)) > 0) {
        for (ssize_t at = 0; at < n;) {
            struct inotify_event event;
            memcpy(&event, buffer.bytes + at, sizeof event);
            const char *name = buffer.bytes + at + sizeof event;
            at += (ssize_t)(sizeof event + event.len);
            lua_getfenv(L, 1);
            lua_rawgeti(L, -1, event.wd);
            lua_remove(L, -2);
            if (lua_isnil(L, -1)) {
                lua_pop(L, 1);
                continue;
            }
            if (event.len > 0)
                lua_pushfstring(L, "%s/%s", lua_tostring(L, -1), name);
            else
                lua_pushvalue(L, -1);
            lua_rawseti(L, -3, (int)lua_objlen(L, -3) + 1);
            lua_pop(L, 1);
        }
    }
}

/* watch:wait() -> list of paths of which something changed | nil: a signal wants the end */
static int watch_wait(lua_State *L)
{
    struct watch *watch = luaL_checkudata(L, 1, WATCH_METATABLE);
    sigset_t ending, before;
    sigemptyset(&ending);
    sigaddset(&ending, SIGINT);
    sigaddset(&ending, SIGTERM);
    sigprocmask(SIG_BLOCK, &ending, &before);
    struct pollfd fd = {.fd = watch->fd, .events = POLLIN};
    int ready = 0;
    while (!interrupted && ready <= 0) /* the clock's signal comes in between */
        ready = ppoll(&fd, 1, NULL, &before);
    sigprocmask(SIG_SETMASK, &before, NULL);
    if (interrupted)
        return 0;
    lua_newtable(L);
    do
        take_events(L, watch->fd);
    while (poll(&fd, 1, SETTLE_MS) > 0);
    return 1;
}

/* watch:interrupted() -> whether a signal wants the end */
static int watch_interrupted(lua_State *L)
{
    lua_pushboolean(L, interrupted);
    return 1;
}

void api_watch_open(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"add", watch_add}, {"wait", watch_wait}, {"interrupted", watch_interrupted}, {NULL, NULL}};
    luaL_newmetatable(L, WATCH_METATABLE);
    lua_pushcfunction(L, watch_gc);
    lua_setfield(L, -2, "__gc");
    lua_newtable(L);
    luaL_register(L, NULL, methods);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
    lua_pushcfunction(L, api_watch);
    lua_setfield(L, -2, "watch");
}
