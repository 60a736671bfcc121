#include "vm.h"

#include <lauxlib.h>
#include <luajit.h>
#include <lualib.h>
#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "embedded.h"
#include "sanitized.h"
#include "task.h"

/* At least so much may be garbage before it is collected. */
#define GARBAGE_MIN ((size_t)8 << 20)

struct vm {
    struct vm_options options;
    lua_Alloc inner; /* where memory comes from (new_state) */
    void *inner_arg;
    size_t memory;
    unsigned long long allocations;
    bool short_of_memory; /* since vm_recover */
    bool collecting;      /* by `collect` */
    lua_State *L;
};

static const char loaded_key; /* its address: the registry's table of loaded modules */

/* lua_Alloc. Shrinking always succeeds, as Lua demands. */
static void *vm_realloc(void *arg, void *block, size_t old, size_t new)
{
    struct vm *vm = arg;
    if (new == 0) {
        vm->inner(vm->inner_arg, block, old, 0);
        vm->memory -= old;
        return NULL;
    }
    void *moved = NULL;
    if (new <= old || vm->collecting || vm->memory + (new - old) <= vm->options.memory)
        moved = vm->inner(vm->inner_arg, block, old, new);
    vm->allocations++;
    if (!moved) {
        vm->short_of_memory = true;
        return NULL;
    }
    vm->memory = vm->memory - old + new;
    return moved;
}

#ifdef SANITIZED
static void *by_malloc(void *arg, void *block, size_t old, size_t new)
{
    (void)arg;
    (void)old;
    if (new > 0)
        return realloc(block, new);
    free(block);
    return NULL;
}
#endif

/* LuaJIT's own allocator costs less than malloc; but what it has given is not watched, and what
 * only Lua's values lead to would be taken for lost. */
static lua_State *new_state(void)
{
#ifdef SANITIZED
    return lua_newstate(by_malloc, NULL);
#else
    return luaL_newstate();
#endif
}

static void open_library(lua_State *L, const char *name, lua_CFunction open)
{
    lua_pushcfunction(L, open);
    lua_pushstring(L, name);
    lua_call(L, 1, 0);
}

static int require(lua_State *L)
{
    vm_require(L, luaL_checkstring(L, 1));
    return 1;
}

/* Runs protected: everything here may throw for want of memory. */
static int vm_prepare(lua_State *L)
{
    open_library(L, "", luaopen_base);
    open_library(L, LUA_TABLIBNAME, luaopen_table);
    open_library(L, LUA_STRLIBNAME, luaopen_string);
    open_library(L, LUA_MATHLIBNAME, luaopen_math);
    open_library(L, LUA_BITLIBNAME, luaopen_bit);
    lua_pushlightuserdata(L, (void *)&loaded_key);
    lua_newtable(L);
    lua_rawset(L, LUA_REGISTRYINDEX);
    lua_pushcfunction(L, require);
    lua_setglobal(L, "require");
    api_open(L);
    return 0;
}

struct vm *vm_alloc(const struct vm_options *options)
{
    struct vm *vm = calloc(1, sizeof *vm);
    if (!vm)
        return NULL;
    vm->options = *options;
    vm->L = new_state();
    if (!vm->L)
        goto fail;
    vm->inner = lua_getallocf(vm->L, &vm->inner_arg);
    lua_setallocf(vm->L, vm_realloc, vm);
    vm->memory =
        (size_t)lua_gc(vm->L, LUA_GCCOUNT, 0) * 1024 + (size_t)lua_gc(vm->L, LUA_GCCOUNTB, 0);
    luaJIT_setmode(vm->L, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_OFF);
    if (lua_cpcall(vm->L, vm_prepare, NULL) != 0)
        goto fail;
#ifdef TASK_HOOK_BEFORE
    task_set_hook(vm->L, NULL, 0);
#endif
    return vm;
fail:
    vm_free(vm);
    return NULL;
}

void vm_free(struct vm *vm)
{
    if (!vm)
        return;
    if (vm->L) {
        lua_setallocf(vm->L, vm->inner, vm->inner_arg);
        lua_close(vm->L);
    }
    free(vm);
}

lua_State *vm_state(struct vm *vm)
{
    return vm->L;
}

struct vm *vm_of(lua_State *L)
{
    void *vm;
    lua_getallocf(L, &vm);
    return vm;
}

const struct vm_options *vm_options(const struct vm *vm)
{
    return &vm->options;
}

size_t vm_memory(const struct vm *vm)
{
    return vm->memory;
}

unsigned long long vm_allocations(const struct vm *vm)
{
    return vm->allocations;
}

/* The collector takes memory to free some (a smaller table of strings, say), and no pcall is
 * around it: it is not refused. */
static void collect(struct vm *vm)
{
    vm->collecting = true;
    lua_gc(vm->L, LUA_GCCOLLECT, 0);
    vm->collecting = false;
}

void vm_settle(struct vm *vm)
{
    collect(vm);
    size_t live = vm->memory, room = vm->options.memory - live;
    size_t garbage = live > GARBAGE_MIN ? live : GARBAGE_MIN;
    if (garbage > room / 4)
        garbage = room / 4;
    lua_gc(vm->L, LUA_GCSETPAUSE, 100 + (int)(garbage * 100 / live));
    /* While a cycle runs, garbage grows on. It takes a step for each live byte, and one for each
     * eight that it looks through for garbage; it is spread over so many new ones that no decision
     * has to wait for it long. */
    size_t spread = 2 * garbage + 1;
    size_t percent = 100 * (live + (live + garbage + spread) / 8) / spread;
    lua_gc(vm->L, LUA_GCSETSTEPMUL, (int)(percent < 10 ? 10 : percent > 4000 ? 4000 : percent));
    lua_gc(vm->L, LUA_GCRESTART, -1); /* from here, by these figures */
}

void vm_recover(struct vm *vm)
{
    if (vm->short_of_memory)
        collect(vm);
    vm->short_of_memory = false;
}

void vm_load_module(lua_State *L, const char *name)
{
    const struct embedded *module = embedded;
    while (module->name && strcmp(module->name, name) != 0)
        module++;
    if (!module->name)
        luaL_error(L, "no module \"%s\" in the engine", name);
    const char *chunk = lua_pushfstring(L, "@lua/%s.lua", name);
    if (luaL_loadbufferx(L, module->start, (size_t)(module->end - module->start), chunk, "t") != 0)
        lua_error(L);
    lua_remove(L, -2);
}

void vm_require(lua_State *L, const char *name)
{
    lua_pushlightuserdata(L, (void *)&loaded_key);
    lua_rawget(L, LUA_REGISTRYINDEX);
    lua_getfield(L, -1, name);
    if (!lua_isnil(L, -1)) {
        lua_remove(L, -2);
        return;
    }
    lua_pop(L, 1);
    vm_load_module(L, name);
    lua_pushstring(L, name);
    lua_call(L, 1, 1);
    lua_pushvalue(L, -1);
    lua_setfield(L, -3, name);
    lua_remove(L, -2);
}
