/* A Lua state for policies: LuaJIT with its compiler off (a hook must be able to stop
 * every loop, and running out of memory must be survivable), a memory ceiling, the
 * safe libraries, and the engine's modules behind `require`.
 *
 * The state's globals are the engine's. Policies never see them: they run in
 * environments that lua/sandbox.lua makes. */
#ifndef MOONBOOT_VM_H
#define MOONBOOT_VM_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>

struct mask;
struct seal_keys;
struct token_rules;
struct vm;

struct vm_options {
    size_t memory;                    /* ceiling in bytes */
    unsigned decision_ms;             /* CPU time that a decision may use */
    const struct token_rules *tokens; /* NULL: URLs carry none. Outlives the state */
    const struct seal_keys *seals;    /* NULL: nothing sealed can be opened. Outlives the state */
    struct mask *mask; /* what logs, or the command line, hide; NULL: nothing is hidden */
    bool serving;      /* what is sealed is opened; else it stays shut */
};

/* NULL when memory is out. */
struct vm *vm_alloc(const struct vm_options *options);
void vm_free(struct vm *vm);

lua_State *vm_state(struct vm *vm);
struct vm *vm_of(lua_State *L);
const struct vm_options *vm_options(const struct vm *vm);

/* Bytes in use, and how often memory was asked for since the state was made. */
size_t vm_memory(const struct vm *vm);
unsigned long long vm_allocations(const struct vm *vm);

/* What is to stay has been loaded: frees the rest, and paces the collector by what stays and
 * by the room that is left. A cycle costs as much as there is, however little is garbage. */
void vm_settle(struct vm *vm);

/* Frees what is garbage if memory was refused since the last call: LuaJIT does not by itself,
 * and a policy that caught the error leaves the next one short. */
void vm_recover(struct vm *vm);

/* Pushes the engine module of that name, loading it on first use; throws when there is
 * none or it fails. */
void vm_require(lua_State *L, const char *name);

/* Pushes that module's chunk without running it, in any state; throws as above. */
void vm_load_module(lua_State *L, const char *name);

#endif
