#include <errno.h>
#include <lauxlib.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "api.h"

#define ANSWER_MAX ((size_t)16 << 20)

static int failed(lua_State *L, const char *message)
{
    lua_pushnil(L);
    lua_pushstring(L, message);
    return 2;
}

static int connect_to(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path)
        return -ENAMETOOLONG;
    memcpy(address.sun_path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    int error = errno;
    close(fd);
    return -error;
}

static bool send_all(int fd, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, text, len, MSG_NOSIGNAL);
        if (n < 0 && errno != EINTR)
            return false;
        text += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
    return true;
}

static time_t seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

/* Reads to the end into a buffer on the stack; a message when that fails. */
static const char *read_answer(lua_State *L, int fd, int seconds)
{
    luaL_Buffer buffer;
    size_t total = 0;
    time_t end = seconds_now() + seconds;
    luaL_buffinit(L, &buffer);
    for (;;) {
        struct pollfd in = {.fd = fd, .events = POLLIN};
        time_t left = end - seconds_now();
        int ready = left > 0 ? poll(&in, 1, (int)left * 1000) : 0;
        if (ready == 0)
            return "no answer came in time";
        ssize_t n = ready < 0 ? -1 : recv(fd, luaL_prepbuffer(&buffer), LUAL_BUFFERSIZE, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return strerror(errno);
        if (n == 0)
            break;
        luaL_addsize(&buffer, (size_t)n);
        total += (size_t)n;
        if (total > ANSWER_MAX)
            return "the answer is too long";
    }
    luaL_pushresult(&buffer);
    return NULL;
}

/* host.cli.ask(path, line, seconds) -> answer | nil, message, "absent": nobody is there, or
 * "denied": not for who asks, or nil. A command on a control socket. */
static int api_ask(lua_State *L)
{
    size_t len;
    const char *path = luaL_checkstring(L, 1);
    const char *line = luaL_checklstring(L, 2, &len);
    int seconds = (int)luaL_checkinteger(L, 3);
    int fd = connect_to(path);
    if (fd < 0) {
        failed(L, strerror(-fd));
        lua_pushstring(L, fd == -ENOENT || fd == -ECONNREFUSED ? "absent"
                          : fd == -EACCES                      ? "denied"
                                                               : NULL);
        return 3;
    }
    const char *problem = NULL;
    if (!send_all(fd, line, len) || !send_all(fd, "\n", 1))
        problem = strerror(errno);
    else
        problem = read_answer(L, fd, seconds);
    close(fd);
    return problem ? failed(L, problem) : 1;
}

/* host.cli.sleep(seconds): until then, or until a signal */
static int api_sleep(lua_State *L)
{
    double seconds = luaL_checknumber(L, 1);
    struct timespec time = {.tv_sec = (time_t)seconds,
                            .tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9)};
    nanosleep(&time, NULL);
    return 0;
}

/* host.cli.date(seconds since the epoch) -> local time as text */
static int api_date(lua_State *L)
{
    time_t at = (time_t)luaL_checknumber(L, 1);
    struct tm tm = {0};
    char text[32];
    localtime_r(&at, &tm);
    lua_pushlstring(L, text, strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &tm));
    return 1;
}

void api_control_open(lua_State *L)
{
    lua_getfield(L, -1, "cli");
    lua_pushcfunction(L, api_ask);
    lua_setfield(L, -2, "ask");
    lua_pushcfunction(L, api_sleep);
    lua_setfield(L, -2, "sleep");
    lua_pushcfunction(L, api_date);
    lua_setfield(L, -2, "date");
    lua_pop(L, 1);
}
