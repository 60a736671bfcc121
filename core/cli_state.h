/* Lua, for the command line: the store of a site. */
#ifndef MOONBOOT_CLI_STATE_H
#define MOONBOOT_CLI_STATE_H

#include <lua.h>

/* Adds to the table on top, host.cli: store. */
void cli_state_open(lua_State *L);

#endif
