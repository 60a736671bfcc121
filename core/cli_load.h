/* Loading a policy as the service does, for the commands that are written in Lua. */
#ifndef MOONBOOT_CLI_LOAD_H
#define MOONBOOT_CLI_LOAD_H

#include <lua.h>

/* Adds host.cli.refused and host.cli.hushed to the table on top. */
void cli_load_open(lua_State *L);

#endif
