#include <errno.h>
#include <lauxlib.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "inventory.h"
#include "source.h"

#define INVENTORY_METATABLE "moonboot.inventory"
#define FILE_MAX            ((size_t)2 << 30)
#define FIELDS_MAX          64
#define HASH_BYTES          16

struct lua_inventory {
    struct inventory *inventory;
    char hash[2 * HASH_BYTES + 1];
};

static struct lua_inventory *check_self(lua_State *L)
{
    return luaL_checkudata(L, 1, INVENTORY_METATABLE);
}

static const struct inventory *check_inventory(lua_State *L)
{
    return check_self(L)->inventory;
}

static int inventory_gc(lua_State *L)
{
    struct lua_inventory *self = lua_touserdata(L, 1);
    inventory_free(self->inventory);
    self->inventory = NULL;
    return 0;
}

/* How a field of that type is compared; -1: it cannot be a key. */
static int key_type(const char *type)
{
    static const struct {
        const char *name;
        enum inventory_type type;
    } types[] = {{"mac", INVENTORY_MAC},       {"uuid", INVENTORY_UUID},
                 {"ip", INVENTORY_IP},         {"text", INVENTORY_TEXT},
                 {"number", INVENTORY_NUMBER}, {"lower", INVENTORY_LOWER}};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (!strcmp(type, types[i].name))
            return (int)types[i].type;
    }
    return -1;
}

/* The machine's fields, a table { mac = "mac", … }; the names are Lua's. */
static size_t read_fields(lua_State *L, int table, struct inventory_field fields[FIELDS_MAX])
{
    size_t n = 0;
    for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1)) {
        int type = key_type(luaL_checkstring(L, -1));
        if (type >= 0 && n < FIELDS_MAX)
            fields[n++] = (struct inventory_field){lua_tostring(L, -2), (enum inventory_type)type};
    }
    return n;
}

static void push_problems(lua_State *L, struct problems *problems)
{
    lua_createtable(L, (int)problems->n, 0);
    for (size_t i = 0; i < problems->n; i++) {
        lua_pushstring(L, problems->lines[i]);
        lua_rawseti(L, -2, (int)i + 1);
    }
}

/* The profiles that hosts name: a list of { name, line, uses }. */
static void push_profiles(lua_State *L, const struct inventory *inventory)
{
    const struct inventory_name *name;
    lua_newtable(L);
    for (size_t i = 0; inventory && (name = inventory_profile(inventory, i)); i++) {
        lua_createtable(L, 3, 0);
        lua_pushstring(L, name->text);
        lua_rawseti(L, -2, 1);
        lua_pushnumber(L, name->line);
        lua_rawseti(L, -2, 2);
        lua_pushnumber(L, name->uses);
        lua_rawseti(L, -2, 3);
        lua_rawseti(L, -2, (int)i + 1);
    }
}

/* host.inventory(dir, path, display, fields, key) -> inventory | nil, list of problems, the
 * profiles that it names all the same | nil, message, whether there is no such file. `fields`: the
 * types of the machine's fields by name; `key`: the field that hosts are keyed by, nil: as the file
 * says. */
static int api_inventory(lua_State *L)
{
    int dir = (int)luaL_checkinteger(L, 1);
    const char *path = luaL_checkstring(L, 2);
    struct inventory_field fields[FIELDS_MAX];
    struct inventory_options options = {
        .display = luaL_checkstring(L, 3), .key = luaL_optstring(L, 5, NULL), .fields = fields};
    luaL_checktype(L, 4, LUA_TTABLE);
    options.n_fields = read_fields(L, 4, fields);
    struct lua_inventory *self = lua_newuserdata(L, sizeof *self);
    memset(self, 0, sizeof *self);
    luaL_getmetatable(L, INVENTORY_METATABLE);
    lua_setmetatable(L, -2);

    struct problems problems = {0};
    unsigned char hash[HASH_BYTES];
    char *text;
    size_t len;
    int error = source_read(dir, path, FILE_MAX, &text, &len);
    if (error) {
        lua_pushnil(L);
        lua_pushstring(L, error == -EXDEV ? "the name leads out of the policy's directory"
                                          : strerror(-error));
        lua_pushboolean(L, error == -ENOENT || error == -ENOTDIR);
        return 3;
    }
    options.remains = &self->inventory; /* the collector's, whatever comes of it */
    struct inventory *inventory = inventory_load(text, len, &options, &problems);
    crypto_generichash(hash, sizeof hash, (unsigned char *)text, len, NULL, 0);
    sodium_bin2hex(self->hash, sizeof self->hash, hash, sizeof hash);
    free(text);
    if (inventory) {
        self->inventory = inventory;
        return 1;
    }
    lua_pushnil(L);
    push_problems(L, &problems);
    problems_clear(&problems);
    push_profiles(L, self->inventory);
    return 3;
}

/* inventory:key() -> the field that hosts are keyed by */
static int inventory_key_of(lua_State *L)
{
    lua_pushstring(L, inventory_key(check_inventory(L))->name);
    return 1;
}

/* inventory:hash() -> a short name for what was read */
static int inventory_hash(lua_State *L)
{
    lua_pushstring(L, check_self(L)->hash);
    return 1;
}

/* inventory:size() -> hosts, bytes */
static int inventory_size(lua_State *L)
{
    lua_pushnumber(L, (double)inventory_count(check_inventory(L)));
    lua_pushnumber(L, (double)inventory_memory(check_inventory(L)));
    return 2;
}

/* inventory:profile(i) -> name, line, uses | nil behind the last one */
static int inventory_profile_of(lua_State *L)
{
    size_t i = (size_t)luaL_checkinteger(L, 2);
    const struct inventory_name *name = inventory_profile(check_inventory(L), i - 1);
    if (!name)
        return 0;
    lua_pushstring(L, name->text);
    lua_pushnumber(L, name->line);
    lua_pushnumber(L, name->uses);
    return 3;
}

/* inventory:var(i) -> name | nil behind the last one */
static int inventory_var_of(lua_State *L)
{
    size_t i = (size_t)luaL_checkinteger(L, 2);
    const struct inventory_name *name = inventory_var(check_inventory(L), i - 1);
    if (name)
        lua_pushstring(L, name->text);
    return name != NULL;
}

/* inventory:sealed(i) -> text, line of the i-th sealed value | nil behind the last one */
static int inventory_sealed_of(lua_State *L)
{
    size_t i = (size_t)luaL_checkinteger(L, 2);
    const struct inventory_sealed *sealed = inventory_sealed(check_inventory(L), i - 1);
    if (!sealed)
        return 0;
    lua_pushstring(L, sealed->text);
    lua_pushnumber(L, sealed->line);
    return 2;
}

/* inventory:bootless() -> line of the first host that says nothing of boot | nil */
static int inventory_bootless_of(lua_State *L)
{
    unsigned line = inventory_bootless(check_inventory(L));
    lua_pushnumber(L, line);
    return line > 0;
}

/* What `open`, a function at stack index 3 of `extras`, makes of a sealed text. */
static void push_opened(lua_State *L, const char *text, size_t len)
{
    luaL_checktype(L, 3, LUA_TFUNCTION);
    lua_pushvalue(L, 3);
    lua_pushlstring(L, text, len);
    lua_call(L, 1, 1);
}

static void push_args(lua_State *L, struct inventory_host *host)
{
    const char *text;
    size_t len;
    bool sealed;
    if (!host->n_args) {
        lua_pushnil(L);
        return;
    }
    lua_createtable(L, (int)host->n_args, 0);
    for (int i = 1; inventory_take_arg(host, &text, &len, &sealed); i++) {
        if (sealed)
            push_opened(L, text, len);
        else
            lua_pushlstring(L, text, len);
        lua_rawseti(L, -2, i);
    }
}

static void push_value(lua_State *L, struct inventory_host *host,
                       const struct inventory_value *value);

/* The values up to the end, as a table. */
static void push_values(lua_State *L, struct inventory_host *host)
{
    struct inventory_value item;
    luaL_checkstack(L, 10, "nested too deeply");
    lua_newtable(L);
    for (int i = 1;; i++) {
        inventory_take_value(host, &item);
        if (item.kind == INVENTORY_END)
            return;
        if (item.name)
            lua_pushlstring(L, item.name, item.name_len);
        else
            lua_pushinteger(L, i);
        push_value(L, host, &item);
        lua_rawset(L, -3);
    }
}

static void push_value(lua_State *L, struct inventory_host *host,
                       const struct inventory_value *value)
{
    switch (value->kind) {
    case INVENTORY_STRING:
        lua_pushlstring(L, value->text, value->len);
        break;
    case INVENTORY_SEALED:
        push_opened(L, value->text, value->len);
        break;
    case INVENTORY_DOUBLE:
        lua_pushnumber(L, value->number);
        break;
    case INVENTORY_BOOLEAN:
        lua_pushboolean(L, value->boolean);
        break;
    default:
        push_values(L, host);
        break;
    }
}

static void push_vars(lua_State *L, const struct inventory *inventory, struct inventory_host *host)
{
    struct inventory_value value;
    if (!host->n_vars) {
        lua_pushnil(L);
        return;
    }
    lua_createtable(L, 0, (int)host->n_vars);
    while (inventory_take_var(inventory, host, &value)) {
        lua_pushlstring(L, value.name, value.name_len);
        push_value(L, host, &value);
        lua_rawset(L, -3);
    }
}

/* The host of the key in argument 2. */
static bool find_host(lua_State *L, struct inventory_host *host)
{
    const struct inventory *inventory = check_inventory(L);
    size_t len;
    luaL_checkstring(L, 2);
    lua_pushvalue(L, 2); /* a number becomes text there, not in the caller's table */
    const char *key = lua_tolstring(L, -1, &len);
    return inventory_find(inventory, key, len, host);
}

/* inventory:find(key) -> verdict, text, more, line | nil. verdict: "nothing", "boot" (text: the
 * profile), "disk", "ignore", "shell", "deny" (why), "chain" (the URL); more: it has extras. */
static int inventory_find_host(lua_State *L)
{
    static const char *const verdicts[] = {"nothing", "boot", "disk", "ignore",
                                           "shell",   "deny", "chain"};
    struct inventory_host host;
    if (!find_host(L, &host))
        return 0;
    lua_pushstring(L, verdicts[host.verdict]);
    if (host.text)
        lua_pushlstring(L, host.text, host.len);
    else
        lua_pushnil(L);
    lua_pushboolean(L, host.n_args || host.n_vars);
    lua_pushnumber(L, host.line);
    return 4;
}

/* inventory:extras(key, open) -> args, vars: a list and a table, nil when there are none.
 * open(text) -> value is called for what is sealed. */
static int inventory_extras_of(lua_State *L)
{
    struct inventory_host host;
    lua_settop(L, 3);
    if (!find_host(L, &host))
        return 0;
    push_args(L, &host);
    push_vars(L, check_inventory(L), &host);
    return 2;
}

/* inventory:has(key) -> boolean */
static int inventory_has(lua_State *L)
{
    struct inventory_host host;
    lua_pushboolean(L, find_host(L, &host));
    return 1;
}

void api_inventory_open(lua_State *L)
{
    static const luaL_Reg methods[] = {{"key", inventory_key_of},
                                       {"hash", inventory_hash},
                                       {"size", inventory_size},
                                       {"profile", inventory_profile_of},
                                       {"var", inventory_var_of},
                                       {"sealed", inventory_sealed_of},
                                       {"bootless", inventory_bootless_of},
                                       {"find", inventory_find_host},
                                       {"extras", inventory_extras_of},
                                       {"has", inventory_has},
                                       {NULL, NULL}};
    luaL_newmetatable(L, INVENTORY_METATABLE);
    luaL_register(L, NULL, methods);
    lua_pushvalue(L, -1);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, inventory_gc);
    lua_setfield(L, -2, "__gc");
    lua_pop(L, 1);
    lua_pushcfunction(L, api_inventory);
    lua_setfield(L, -2, "inventory");
}
