#include <dirent.h>
#include <errno.h>
#include <lauxlib.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "api.h"
#include "embedded.h"
#include "files.h"

#define FIND_DEPTH 32

/* host.cli.opendir(path) -> handle | nil, message. Open until the program ends. A bundle is a
 * directory, too. */
static int api_opendir(lua_State *L)
{
    int fd = files_root_open(luaL_checkstring(L, 1));
    if (fd == -ENOTDIR)
        return api_bundle_opendir(L, lua_tostring(L, 1));
    if (fd < 0) {
        lua_pushnil(L);
        lua_pushstring(L, strerror(-fd));
        return 2;
    }
    lua_pushinteger(L, fd);
    return 1;
}

/* Adds the regular files at and below `path` to the table on top; a message when the
 * path itself cannot be read. Hidden directories and links to directories are left out. */
static const char *find(lua_State *L, const char *path, int depth)
{
    struct stat st;
    if ((depth ? lstat(path, &st) : stat(path, &st)) < 0)
        return depth ? NULL : strerror(errno);
    if (S_ISREG(st.st_mode)) {
        lua_pushstring(L, path);
        lua_rawseti(L, -2, (int)lua_objlen(L, -2) + 1);
    }
    if (!S_ISDIR(st.st_mode) || depth > FIND_DEPTH)
        return NULL;
    struct dirent **entries;
    int n = scandir(path, &entries, NULL, alphasort);
    if (n < 0)
        return depth ? NULL : strerror(errno);
    for (int i = 0; i < n; i++) {
        char *child = NULL;
        if (entries[i]->d_name[0] != '.' &&
            asprintf(&child, "%s%s%s", strcmp(path, ".") ? path : "", strcmp(path, ".") ? "/" : "",
                     entries[i]->d_name) >= 0) {
            find(L, child, depth + 1);
            free(child);
        }
        free(entries[i]);
    }
    free(entries);
    return NULL;
}

/* host.cli.find(path) -> list of files, sorted by directory | nil, message */
static int api_find(lua_State *L)
{
    const char *path = luaL_checkstring(L, 1);
    lua_newtable(L);
    const char *error = find(L, path, 0);
    if (!error)
        return 1;
    lua_pushnil(L);
    lua_pushstring(L, error);
    return 2;
}

static int write_to(lua_State *L, FILE *out)
{
    size_t len;
    const char *text = luaL_checklstring(L, 1, &len);
    lua_getglobal(L, "host");
    lua_getfield(L, -1, "hide");
    if (lua_isfunction(L, -1)) { /* what stands for a secret is shown as one */
        lua_pushvalue(L, 1);
        lua_call(L, 1, 1);
        text = luaL_checklstring(L, -1, &len);
    }
    bool good = fwrite(text, 1, len, out) == len && fflush(out) == 0;
    if (!good && errno == EPIPE) { /* whoever reads has enough: ends quietly, as commands do */
        signal(SIGPIPE, SIG_DFL);
        raise(SIGPIPE);
    }
    if (!good)
        return luaL_error(L, "cannot write: %s", strerror(errno));
    return 0;
}

/* host.cli.write(text): to standard output; throws when that fails (a full disk) */
static int api_write(lua_State *L)
{
    return write_to(L, stdout);
}

/* host.cli.warn(text): to standard error */
static int api_warn(lua_State *L)
{
    return write_to(L, stderr);
}

/* Makes the directories that a file's name leads through. 0 or a negative errno. */
static int make_parents(const char *path)
{
    char *copy = strdup(path);
    int error = copy ? 0 : -ENOMEM;
    for (char *slash = copy; !error && *slash && (slash = strchr(slash + 1, '/'));) {
        *slash = '\0';
        if (mkdir(copy, 0777) < 0 && errno != EEXIST)
            error = -errno;
        *slash = '/';
    }
    free(copy);
    return error;
}

/* Writes a whole file, and makes the directories that it is in. 0 or a negative errno; -EEXIST
 * when there is one and it is not to be replaced. */
static int save(const char *path, const char *text, size_t len, bool replace)
{
    int made = make_parents(path);
    if (made < 0)
        return made;
    FILE *out = fopen(path, replace ? "we" : "wxe");
    if (!out)
        return -errno;
    bool good = fwrite(text, 1, len, out) == len;
    int error = errno;
    if (fclose(out) != 0 && good)
        return -errno;
    return good ? 0 : -error;
}

/* host.cli.save(path, text, replace) -> true; false: it is there, and stays | nil, message */
static int api_save(lua_State *L)
{
    size_t len;
    const char *path = luaL_checkstring(L, 1);
    const char *text = luaL_checklstring(L, 2, &len);
    int error = save(path, text, len, lua_toboolean(L, 3));
    if (error == 0 || error == -EEXIST) {
        lua_pushboolean(L, error == 0);
        return 1;
    }
    lua_pushnil(L);
    lua_pushstring(L, strerror(-error));
    return 2;
}

/* A stream that is read line by line: closed when it is collected. */
static int lines_gc(lua_State *L)
{
    FILE **file = lua_touserdata(L, 1);
    if (*file && *file != stdin)
        fclose(*file);
    *file = NULL;
    return 0;
}

/* The iterator: its upvalue is the stream. The line is without its end; nil after the last. */
static int lines_next(lua_State *L)
{
    FILE **file = lua_touserdata(L, lua_upvalueindex(1));
    luaL_Buffer line;
    char piece[4096];
    bool any = false, whole = false;
    luaL_buffinit(L, &line);
    while (*file && !whole && fgets(piece, sizeof piece, *file)) {
        size_t len = strlen(piece); /* what follows a NUL on its line is no text of ours */
        whole = len > 0 && piece[len - 1] == '\n';
        luaL_addlstring(&line, piece, len - (whole ? 1 : 0));
        any = true;
    }
    luaL_pushresult(&line);
    return any ? 1 : 0;
}

/* host.cli.each_line(path) -> iterator over the lines of a file, or with "-" of standard input
 * | nil, message */
static int api_each_line(lua_State *L)
{
    const char *path = luaL_checkstring(L, 1);
    FILE **file = lua_newuserdata(L, sizeof *file);
    *file = NULL;
    lua_newtable(L);
    lua_pushcfunction(L, lines_gc);
    lua_setfield(L, -2, "__gc");
    lua_setmetatable(L, -2);
    struct stat st;
    *file = strcmp(path, "-") != 0 ? fopen(path, "re") : stdin;
    int error = errno;
    if (*file && fstat(fileno(*file), &st) == 0 && S_ISDIR(st.st_mode)) {
        if (*file != stdin)
            fclose(*file);
        *file = NULL;
        error = EISDIR;
    }
    if (!*file) {
        lua_pushnil(L);
        lua_pushstring(L, strerror(error));
        return 2;
    }
    lua_pushcclosure(L, lines_next, 1);
    return 1;
}

/* host.cli.clock() -> seconds, of a clock that only runs forward */
static int api_clock(lua_State *L)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    lua_pushnumber(L, (double)now.tv_sec + (double)now.tv_nsec / 1e9);
    return 1;
}

/* host.cli.starter() -> the files of the site that `moonboot init` writes, sorted: a list of
 * { name =, text = } */
static int api_starter(lua_State *L)
{
    static const char under[] = "starter/";
    lua_newtable(L);
    for (const struct embedded *each = embedded; each->name; each++) {
        if (strncmp(each->name, under, sizeof under - 1) != 0)
            continue;
        lua_createtable(L, 0, 2);
        lua_pushstring(L, each->name + sizeof under - 1);
        lua_setfield(L, -2, "name");
        lua_pushlstring(L, each->start, (size_t)(each->end - each->start));
        lua_setfield(L, -2, "text");
        lua_rawseti(L, -2, (int)lua_objlen(L, -2) + 1);
    }
    return 1;
}

/* host.cli.served(directory or nil, name) -> whether a server that has this directory finds a file
 * of that name, boot programs of Debian's packages included | nil, message */
static int api_served(lua_State *L)
{
    const char *directory = lua_isnoneornil(L, 1) ? NULL : luaL_checkstring(L, 1);
    const char *name = luaL_checkstring(L, 2);
    int dir = directory ? files_root_open(directory) : -1;
    if (directory && dir < 0) {
        lua_pushnil(L);
        lua_pushstring(L, strerror(-dir));
        return 2;
    }
    struct files files = {.roots = {dir, dir}, .packages = files_packages_open()};
    struct file file;
    int error = files_open(&files, REPLY_ROOT_ASSETS, name, &file);
    if (error == 0)
        close(file.fd);
    if (dir >= 0)
        close(dir);
    if (files.packages >= 0)
        close(files.packages);
    /* Any other error is no reason for a server that has other rights. */
    lua_pushboolean(L, error != -ENOENT && error != -EXDEV && error != -ENAMETOOLONG);
    return 1;
}

/* host.cli.scratch(name, text, f, …) -> what f(handle, name, …) returns: a directory of its own,
 * with that file alone in it, which is gone thereafter. */
static int api_scratch(lua_State *L)
{
    size_t len;
    const char *name = luaL_checkstring(L, 1);
    const char *text = luaL_checklstring(L, 2, &len);
    luaL_checktype(L, 3, LUA_TFUNCTION);
    luaL_argcheck(L, *name && !strchr(name, '/'), 1, "no file's name");
    char dir[] = "/tmp/moonboot-test-XXXXXX";
    if (!mkdtemp(dir))
        return luaL_error(L, "%s: %s", dir, strerror(errno));
    char *path = NULL;
    int error = asprintf(&path, "%s/%s", dir, name) < 0 ? -ENOMEM : save(path, text, len, true);
    int fd = error ? error : files_root_open(dir);
    int status = 0;
    if (fd >= 0) {
        lua_pushvalue(L, 1);
        lua_replace(L, 2);
        lua_pushinteger(L, fd);
        lua_replace(L, 1); /* handle, name, f, … */
        lua_pushvalue(L, 3);
        lua_remove(L, 3);
        lua_insert(L, 1);
        status = lua_pcall(L, lua_gettop(L) - 1, LUA_MULTRET, 0);
        close(fd);
    }
    if (path)
        unlink(path);
    free(path);
    rmdir(dir);
    if (fd < 0)
        return luaL_error(L, "a test's file cannot be written: %s", strerror(-fd));
    return status ? lua_error(L) : lua_gettop(L);
}

void api_cli_open(lua_State *L)
{
    static const luaL_Reg functions[] = {{"opendir", api_opendir}, {"find", api_find},
                                         {"write", api_write},     {"warn", api_warn},
                                         {"save", api_save},       {"served", api_served},
                                         {"starter", api_starter}, {"each_line", api_each_line},
                                         {"clock", api_clock},     {NULL, NULL}};
    lua_newtable(L);
    luaL_register(L, NULL, functions);
    api_cover_open(L);
    api_jobs_open(L);
    api_process_open(L);
    api_watch_open(L);
    lua_pushcfunction(L, api_scratch);
    lua_setfield(L, -2, "scratch");
    lua_pushboolean(L, isatty(STDOUT_FILENO));
    lua_setfield(L, -2, "tty");
    lua_pushboolean(L, isatty(STDERR_FILENO));
    lua_setfield(L, -2, "tty_err");
    api_prompt_open(L);
    api_bundle_open(L);
    api_wait_open(L);
    lua_setfield(L, -2, "cli");
}
