/* Programs that commands run, and a place for what these write. */
#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <sodium.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "api.h"

#define ARGS_MAX   32
#define OUTPUT_MAX 4096

/* host.cli.hash(text) -> 16 bytes that stand for it */
static int api_hash(lua_State *L)
{
    size_t len;
    const char *text = luaL_checklstring(L, 1, &len);
    unsigned char hash[crypto_generichash_BYTES_MIN];
    crypto_generichash(hash, sizeof hash, (const unsigned char *)text, len, NULL, 0);
    lua_pushlstring(L, (char *)hash, sizeof hash);
    return 1;
}

/* --- programs ----------------------------------------------------------------------------------
 */

static pid_t start_program(char *const argv[], int out, int *error)
{
    posix_spawn_file_actions_t actions;
    pid_t pid = -1;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, out, STDERR_FILENO);
    *error = posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    return *error ? -1 : pid;
}

/* host.cli.run { "git", … } -> whether it went well, what it printed (either way) | nil, message */
static int api_run(lua_State *L)
{
    char *argv[ARGS_MAX + 1] = {NULL};
    int ends[2], error, status = 0;
    luaL_checktype(L, 1, LUA_TTABLE);
    size_t n = lua_objlen(L, 1);
    if (n < 1 || n > ARGS_MAX)
        return luaL_argerror(L, 1, "1 to 32 words");
    for (size_t i = 0; i < n; i++) {
        lua_rawgeti(L, 1, (int)i + 1);
        argv[i] = (char *)luaL_checkstring(L, -1); /* on the stack, and in the table */
    }
    if (pipe2(ends, O_CLOEXEC) < 0)
        return luaL_error(L, "cannot make a pipe: %s", strerror(errno));
    pid_t pid = start_program(argv, ends[1], &error);
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        lua_pushnil(L);
        lua_pushfstring(L, "%s: %s", argv[0], strerror(error));
        return 2;
    }
    char text[OUTPUT_MAX];
    size_t len = 0;
    ssize_t got;
    char rest[OUTPUT_MAX]; /* more than is kept: read, so that the program ends */
    while ((got = len < sizeof text ? read(ends[0], text + len, sizeof text - len)
                                    : read(ends[0], rest, sizeof rest)) > 0) {
        if (len < sizeof text)
            len += (size_t)got;
    }
    close(ends[0]);
    waitpid(pid, &status, 0);
    lua_pushboolean(L, WIFEXITED(status) && WEXITSTATUS(status) == 0);
    lua_pushlstring(L, text, len);
    return 2;
}

/* host.cli.temporary() -> a new directory, for the caller to remove | nil, message */
static int api_temporary(lua_State *L)
{
    const char *root = getenv("TMPDIR");
    char path[512];
    snprintf(path, sizeof path, "%s/moonboot-XXXXXX", root && *root ? root : "/tmp");
    if (!mkdtemp(path)) {
        lua_pushnil(L);
        lua_pushfstring(L, "%s: %s", path, strerror(errno));
        return 2;
    }
    lua_pushstring(L, path);
    return 1;
}

void api_process_open(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"run", api_run}, {"temporary", api_temporary}, {"hash", api_hash}, {NULL, NULL}};
    luaL_register(L, NULL, functions);
}
