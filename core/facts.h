/* A machine of Lua's (lua/machine.lua) as facts of the decision log. */
#ifndef MOONBOOT_FACTS_H
#define MOONBOOT_FACTS_H

#include <lua.h>

#include "json_line.h"
#include "mask.h"

/* Writes down the machine at `index`: of its fields those that are listed in the table at
 * `names`, in that order. Bytes that are no text stand under NAME-hex, such labels, names and
 * values, in "label-hex"; a field that is known to be absent is false. What is masked, or does
 * not fit, is not to be decided again: the latter marks the line as cut. */
void facts_write(lua_State *L, int index, int names, const struct mask *mask,
                 struct json_line *line);

#endif
