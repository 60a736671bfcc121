/* C functions that Lua calls: the engine's table `host`, a global that no policy sees.
 * Each function checks its arguments before it takes anything that a throw would leak. */
#ifndef MOONBOOT_API_H
#define MOONBOOT_API_H

#include <lua.h>

#include "store.h"

/* Makes `host` in the state's globals. */
void api_open(lua_State *L);

/* The parts, each adding functions to the table on top of the stack. */
void api_address_open(lua_State *L);   /* mac uuid ip subnet normal */
void api_source_open(lua_State *L);    /* read list policy load names where */
void api_yaml_open(lua_State *L);      /* yaml */
void api_index_open(lua_State *L);     /* index */
void api_inventory_open(lua_State *L); /* inventory */
void api_token_open(lua_State *L);     /* token: where URLs carry them */
void api_seal_open(lua_State *L);      /* seal_problem mask hide; unseal: in a server */
void api_pattern_open(lua_State *L);   /* pattern */
void api_query_open(lua_State *L);     /* query only */
void api_cli_open(lua_State *L);       /* host.cli: for the command line only */
void api_control_open(lua_State *L);   /* host.cli: ask sleep date */
void api_cover_open(lua_State *L);     /* host.cli: cover lines usage */
void api_jobs_open(lua_State *L);      /* host.cli: jobs cores */
void api_watch_open(lua_State *L);     /* host.cli: watch */
void api_prompt_open(lua_State *L);    /* host.cli: editor */
void api_wait_open(lua_State *L);      /* host.cli: wait */
void api_process_open(lua_State *L);   /* host.cli: run temporary hash */
void api_bundle_open(lua_State *L);    /* host.cli: bundle */

/* Lua: what host.cli.opendir returns where `path` is in a bundle. */
int api_bundle_opendir(lua_State *L, const char *path);

/* Reads a chunk's bytecode with the Lua module of that name ("names", "lines"), in a state of
 * its own that the caller closes; what it returned is at 1 and 2: nil and a message when the
 * chunk is none. NULL: no memory. */
lua_State *api_source_read(const char *module, const char *text, size_t len, const char *chunk);

/* host.store: the state that outlives the service. */
void api_store_open(lua_State *L, struct store *store);

/* Pushes an answer of the store -> how many values: of a read its text and version, or false when
 * there is none; of a list the entries, as host.store.list has them, and the last key when there
 * may be more; of a change the version, or false when another came first; nil and why there is
 * none. */
int api_store_answer(lua_State *L, enum store_verb verb, const struct store_answer *answer);

#endif
