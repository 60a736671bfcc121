#ifndef MOONBOOT_LINES_H
#define MOONBOOT_LINES_H

#include <lua.h>

/* The hook that notes lines, and calls `hook` (NULL: none) for what it wants. */
lua_Hook lines_before(lua_Hook hook);

/* In the place of _exit: writes what was counted first. */
_Noreturn void lines_exit(int status);

#endif
