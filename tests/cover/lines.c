/* In the coverage build alone: which lines of the Lua half have run in this process, and what is
 * counted is written where a process ends without its exit handlers. */
#include "lines.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FILES_MAX 256
#define LINES_MAX 1024

void __gcov_dump(void); /* of libgcov */

static struct file {
    char name[64];
    unsigned char ran[LINES_MAX];
} files[FILES_MAX];
static size_t n_files;
static lua_Hook next_hook;

static struct file *find(const char *name)
{
    static struct file *last;
    if (last && !strcmp(last->name, name))
        return last;
    for (size_t i = 0; i < n_files; i++) {
        if (!strcmp(files[i].name, name))
            return last = &files[i];
    }
    if (n_files == FILES_MAX || strlen(name) >= sizeof files->name)
        return NULL;
    last = &files[n_files++];
    strcpy(last->name, name);
    return last;
}

/* One line a file: its name, and the numbers of its lines. */
static void dump(void)
{
    const char *directory = getenv("MOONBOOT_COVER_LUA");
    char path[256];
    if (!directory || n_files == 0)
        return;
    snprintf(path, sizeof path, "%s/%d", directory, (int)getpid());
    FILE *out = fopen(path, "ae");
    if (!out)
        return;
    for (size_t i = 0; i < n_files; i++) {
        fputs(files[i].name, out);
        for (unsigned line = 0; line < LINES_MAX; line++) {
            if (files[i].ran[line])
                fprintf(out, " %u", line);
        }
        fputs("\n", out);
    }
    fclose(out);
}

static void on_line(lua_State *L, lua_Debug *ar)
{
    if (ar->event == LUA_HOOKLINE && lua_getinfo(L, "S", ar) && !strncmp(ar->source, "@lua/", 5)) {
        struct file *file = find(ar->source + 1);
        if (file && ar->currentline < LINES_MAX)
            file->ran[ar->currentline] = 1;
    }
    if (next_hook)
        next_hook(L, ar);
}

lua_Hook lines_before(lua_Hook hook)
{
    static int registered;
    if (!registered++)
        atexit(dump);
    next_hook = hook;
    return on_line;
}

_Noreturn void lines_exit(int status)
{
    dump();
    __gcov_dump();
    syscall(SYS_exit_group, status);
    __builtin_unreachable();
}
