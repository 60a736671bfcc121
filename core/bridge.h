/* Between the structs of C and the tables of Lua; core/README.md has their shapes. */
#ifndef MOONBOOT_BRIDGE_H
#define MOONBOOT_BRIDGE_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>

#include "reply.h"
#include "request.h"

/* Pushes the request as a table. May throw for want of memory: call it protected. */
void bridge_push_request(lua_State *L, const struct request *request, const char *base_url);

/* Reads the reply at `index` into *reply (NULL before), checked field by field. False
 * with a message in `error` when it is malformed; *reply may then be half filled, and is
 * the caller's to free, as it is when this throws (for want of memory). */
bool bridge_read_reply(lua_State *L, int index, const struct request *request, struct reply **reply,
                       char *error, size_t error_size);

#endif
