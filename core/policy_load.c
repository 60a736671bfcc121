#include "policy.h"

#include <lauxlib.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "policy_state.h"
#include "task.h"

#define MEGABYTE ((size_t)1 << 20)

struct loading {
    struct policy *policy;
    const struct policy_options *options;
    struct problems *problems;
};

static void set_field(lua_State *L, const char *key, const char *value)
{
    lua_pushstring(L, value);
    lua_setfield(L, -2, key);
}

static void add_problems(lua_State *L, int list, struct problems *problems)
{
    size_t n = lua_istable(L, list) ? lua_objlen(L, list) : 0;
    for (size_t i = 1; i <= n; i++) {
        lua_rawgeti(L, list, (int)i);
        const char *line = lua_tostring(L, -1);
        problems_add(problems, "%s", line ? line : "?");
        lua_pop(L, 1);
    }
    if (n == 0)
        problems_add(problems, "the policy did not load, and nothing says why");
}

/* What was read, as one short name: BLAKE2b over names and texts in the order read. The texts
 * are let go of. */
static void hash_files(lua_State *L, int loaded, struct policy *policy)
{
    crypto_generichash_state state;
    unsigned char hash[POLICY_HASH_BYTES];
    crypto_generichash_init(&state, NULL, 0, sizeof hash);
    lua_getfield(L, loaded, "files");
    for (size_t i = 1; lua_istable(L, -1) && i <= lua_objlen(L, -1); i++) {
        lua_rawgeti(L, -1, (int)i);
        for (const char *const *key = (const char *const[]){"name", "text", NULL}; *key; key++) {
            size_t len = 0;
            lua_getfield(L, -1, *key);
            const char *text = lua_tolstring(L, -1, &len);
            uint64_t framed = len;
            crypto_generichash_update(&state, (unsigned char *)&framed, sizeof framed);
            crypto_generichash_update(&state, (const unsigned char *)text, len);
            lua_pop(L, 1);
        }
        lua_getfield(L, -1, "name");
        problems_add(&policy->files, "%s", lua_tostring(L, -1));
        lua_pushnil(L);
        lua_setfield(L, -3, "text");
        lua_pop(L, 2);
    }
    lua_pop(L, 1);
    crypto_generichash_final(&state, hash, sizeof hash);
    sodium_bin2hex(policy->hash, POLICY_HASH_TEXT, hash, sizeof hash);
}

/* The names of a machine's fields: a reference. */
static int read_field_names(lua_State *L)
{
    vm_require(L, "machine");
    lua_getfield(L, -1, "fields");
    int n = (int)lua_objlen(L, -1);
    lua_createtable(L, n, 0);
    for (int i = 1; i <= n; i++) {
        lua_rawgeti(L, -2, i);
        lua_getfield(L, -1, "name");
        lua_rawseti(L, -3, i);
        lua_pop(L, 1);
    }
    return luaL_ref(L, LUA_REGISTRYINDEX);
}

/* What the policy keeps sealed, for the logs to leave out. */
static void read_secrets(lua_State *L, int policy, struct mask *mask)
{
    lua_getfield(L, policy, "secrets");
    for (size_t i = 1; lua_istable(L, -1) && i <= lua_objlen(L, -1); i++) {
        size_t len;
        lua_rawgeti(L, -1, (int)i);
        const char *text = lua_tolstring(L, -1, &len);
        if (text && !mask_add(mask, text, len))
            luaL_error(L, "no memory for secrets");
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
}

/* Protected. Argument: struct loading. */
static int load(lua_State *L)
{
    struct loading *loading = lua_touserdata(L, 1);
    struct policy *policy = loading->policy;
    vm_require(L, "engine");
    int engine = lua_gettop(L);
    lua_getfield(L, engine, "load");
    lua_newtable(L);
    lua_pushinteger(L, loading->options->dir);
    lua_setfield(L, -2, "dir");
    set_field(L, "file", loading->options->file);
    set_field(L, "display", loading->options->display);
    lua_pushboolean(L, loading->options->static_tftp);
    lua_setfield(L, -2, "static_tftp");
    lua_pushboolean(L, loading->options->unsigned_assets);
    lua_setfield(L, -2, "unsigned");
    lua_pushboolean(L, !loading->options->state);
    lua_setfield(L, -2, "stateless");
    lua_call(L, 1, 2);
    if (!lua_istable(L, -2)) {
        add_problems(L, lua_gettop(L), loading->problems);
        return 0;
    }
    lua_pop(L, 1);
    hash_files(L, lua_gettop(L), policy);
    read_secrets(L, lua_gettop(L), &policy->mask);
    policy->loaded = luaL_ref(L, LUA_REGISTRYINDEX);
    vm_require(L, "waits");
    lua_getfield(L, -1, "decider");
    vm_require(L, "routes");
    lua_getfield(L, -1, "handle");
    lua_remove(L, -2);
    lua_pushcfunction(L, policy_take);
    lua_pushcfunction(L, policy_give);
    lua_call(L, 3, 1);
    policy->decide = luaL_ref(L, LUA_REGISTRYINDEX);
    policy->field_names = read_field_names(L);
    return 0;
}

/* What is told of a policy that failed is told without what it had opened. */
static void hide_problems(struct problems *problems, const struct mask *mask)
{
    for (size_t i = 0; mask && i < problems->n; i++) {
        size_t len = strlen(problems->lines[i]);
        char *copy = mask_has(mask, problems->lines[i], len)
                         ? mask_copy(mask, problems->lines[i], len)
                         : NULL;
        if (copy) {
            free(problems->lines[i]);
            problems->lines[i] = copy;
        }
    }
}

struct policy *policy_load(const struct policy_options *options, struct problems *problems)
{
    struct policy *policy = calloc(1, sizeof *policy);
    struct vm_options vm = {.memory = options->memory_mb * MEGABYTE,
                            .decision_ms = options->decision_ms,
                            .tokens = options->tokens,
                            .seals = options->seals,
                            .mask = policy ? &policy->mask : NULL,
                            .serving = true};
    if (!policy || sodium_init() < 0 || !(policy->vm = vm_alloc(&vm)))
        goto out_of_memory;
    log_hide(&policy->mask);
    policy->decide = LUA_NOREF;
    policy->wait_ms = options->wait_ms;
    policy->stages.wanted = options->stages;
    policy->log =
        (struct decision_log){.fd = -1, .generation = options->generation, .policy = policy->hash};
    if (options->base_url && !(policy->fixed_url = strdup(options->base_url)))
        goto out_of_memory;
    policy->base_url = (struct base_url){.fixed = policy->fixed_url,
                                         .http_port = options->http_port,
                                         .https_port = options->https_port,
                                         .only_tls = options->only_tls};
    lua_State *L = vm_state(policy->vm);
    policy->courses = (struct course_owner){
        .L = L, .metrics = options->metrics, .max_suspended = options->waiting};
    struct loading loading = {policy, options, problems};
    lua_pushcfunction(L, load);
    lua_pushlightuserdata(L, &loading);
    if (!task_load(L, 1, 0)) {
        problems_add(problems, "%s: %s", options->display, lua_tostring(L, -1));
        goto fail;
    }
    if (policy->decide == LUA_NOREF)
        goto fail;
    vm_settle(policy->vm);
    return policy;
out_of_memory:
    problems_add(problems, "%s: no memory to load it", options->display);
fail:
    hide_problems(problems, policy ? &policy->mask : NULL);
    policy_free(policy);
    return NULL;
}

/* --- trying --------------------------------------------------------------------------- */

struct trial {
    const struct policy *policy;
    void (*report)(const char *warning, void *arg);
    void *arg;
};

static void report_one(const struct trial *trial, const char *warning)
{
    char *copy = mask_copy(&trial->policy->mask, warning, strlen(warning));
    trial->report(copy ? copy : MASK_MARK, trial->arg);
    free(copy);
}

/* Protected. Argument: struct trial. */
static int try(lua_State *L)
{
    const struct trial *trial = lua_touserdata(L, 1);
    vm_require(L, "selfcheck");
    lua_getfield(L, -1, "run");
    lua_rawgeti(L, LUA_REGISTRYINDEX, trial->policy->loaded);
    lua_call(L, 1, 1);
    for (int i = 1; i <= (int)lua_objlen(L, -1); i++) {
        lua_rawgeti(L, -1, i);
        report_one(trial, lua_tostring(L, -1));
        lua_pop(L, 1);
    }
    return 0;
}

void policy_try(struct policy *policy, void (*report)(const char *warning, void *arg), void *arg)
{
    struct trial trial = {policy, report, arg};
    lua_State *L = vm_state(policy->vm);
    if (lua_cpcall(L, try, &trial) != 0) {
        const char *message = lua_tostring(L, -1);
        report_one(&trial, message ? message : "a trial ended with an error");
        lua_pop(L, 1);
    }
}
