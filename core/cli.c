#include "cli.h"

#include <arpa/inet.h>
#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "absent.h"
#include "api.h"
#include "cli_capture.h"
#include "cli_load.h"
#include "cli_state.h"
#include "config.h"
#include "config_policy.h"
#include "config_state.h"
#include "control_path.h"
#include "fetch_cache.h"
#include "files.h"
#include "mask.h"
#include "problems.h"
#include "release.h"
#include "task.h"
#include "tftp_hpa.h"
#include "trust.h"
#include "vm.h"

#define MEMORY      ((size_t)4 << 30)
#define DECISION_MS 250

#define SITE_HERE   "site.yaml"
#define SITE_SYSTEM "/etc/moonboot/site.yaml"

struct command {
    const char *name;
    int argc;
    char **argv;
    int exit_code;
};

const char *cli_site(void)
{
    return access(SITE_HERE, F_OK) == 0 ? SITE_HERE : SITE_SYSTEM;
}

/* host.cli.control_path([site]) -> the path of a site's control socket | nil: it has none | nil,
 * what is wrong with the file that is named. Where none is, what cannot be read is as if it were
 * not there. */
static int control_path_of_site(lua_State *L)
{
    const char *site = luaL_optstring(L, 1, NULL);
    char *path;
    int error = control_path_of(site ? site : cli_site(), &path);
    lua_pushstring(L, site && error < 0 ? NULL : path);
    free(path);
    if (!site || error == 0)
        return 1;
    lua_pushfstring(L, "%s: %s", site, strerror(-error));
    return 2;
}

/* A site's configuration while it is read: a userdata, so that it is freed whatever throws. */
struct site {
    struct config *config;
    struct problems problems;
};

static int site_free(lua_State *L)
{
    struct site *site = lua_touserdata(L, 1);
    config_free(site->config);
    problems_clear(&site->problems);
    *site = (struct site){0};
    return 0;
}

/* Sets field `key` of the table on top to the file's name, as seen from here. */
static void set_path(lua_State *L, const char *key, const struct config *config, const char *name)
{
    char *path = name ? config_path(config, name) : NULL;
    if (path)
        lua_pushstring(L, path);
    else
        lua_pushnil(L);
    free(path);
    lua_setfield(L, -2, key);
}

/* What was fetched last, where the policy is fetched: nil before. */
static void set_policy(lua_State *L, const struct config *config)
{
    char *cache, *name = NULL;
    if (!config_policy_is_fetched(config)) {
        set_path(L, "policy", config, config->policy);
        return;
    }
    lua_pushstring(L, config->policy);
    lua_setfield(L, -2, "fetched_from");
    cache = config_path(config, config->policy_cache);
    if (cache && fetch_cache_has(cache, FETCH_CACHE_RAN, config->policy, NULL) &&
        asprintf(&name, "%s/" FETCH_CACHE_RAN "/" FETCH_CACHE_BUNDLE, cache) >= 0) {
        lua_pushstring(L, name);
        lua_setfield(L, -2, "policy");
        free(name);
    }
    free(cache);
}

/* What site.yaml has chosen tftp-hpa for will not be served what its root lacks. */
static void set_hpa(lua_State *L, const struct config *config)
{
    char names[64];
    char *path = config_path(config, config->tftp.root);
    int root = path ? files_root_open(path) : -1;
    free(path);
    lua_pushboolean(L, true);
    lua_setfield(L, -2, "static_tftp");
    if (root < 0)
        return;
    if (tftp_hpa_missing(root, names, sizeof names)) {
        lua_pushstring(L, names);
        lua_setfield(L, -2, "tftp_missing");
    }
    close(root);
}

static void set_number(lua_State *L, const char *key, int value)
{
    lua_pushinteger(L, value);
    lua_setfield(L, -2, key);
}

static void set_network(lua_State *L, const struct config *config)
{
    char address[INET_ADDRSTRLEN];
    if (config->advertise.s_addr != INADDR_ANY) {
        lua_pushstring(L, inet_ntop(AF_INET, &config->advertise, address, sizeof address));
        lua_setfield(L, -2, "advertise");
    }
    if (config->http.n_listen > 0 && config->http.listen[0].sin_addr.s_addr != INADDR_ANY) {
        lua_pushstring(
            L, inet_ntop(AF_INET, &config->http.listen[0].sin_addr, address, sizeof address));
        lua_setfield(L, -2, "listen");
    }
    lua_pushboolean(L, config->http.n_plain == 0);
    lua_setfield(L, -2, "only_tls");
    set_number(L, "dhcp_port", config->dhcp.port);
    set_number(L, "boot_port", config->dhcp.boot_port);
    set_number(L, "tftp_port", config->tftp.port);
    lua_createtable(L, (int)config->http.n_listen, 0);
    for (size_t i = 0; i < config->http.n_listen; i++) {
        lua_pushinteger(L, ntohs(config->http.listen[i].sin_port));
        lua_rawseti(L, -2, (int)i + 1);
    }
    lua_setfield(L, -2, "http_ports");
}

/* A list of problems, from this one on; nil when there are no more. */
static void set_problems(lua_State *L, const char *key, const struct problems *problems,
                         size_t from)
{
    if (from == problems->n)
        return;
    lua_newtable(L);
    for (size_t i = from; i < problems->n; i++) {
        lua_pushstring(L, problems->lines[i]);
        lua_rawseti(L, -2, (int)(i - from) + 1);
    }
    lua_setfield(L, -2, key);
}

/* Why the bundle that `policy` names would not be loaded, a list; nil: it would. */
static void set_refused(lua_State *L, struct site *site)
{
    struct release release;
    release_open(&release, site->config, RELEASE_TO_CHECK, &site->problems);
    bool is_bundle = release.bundled;
    release_close(&release);
    if (is_bundle)
        set_problems(L, "refused", &site->problems, 0);
}

/* Why the store that `state` names would not be opened, as far as files say; nil: it would. */
static void set_state(lua_State *L, struct site *site)
{
    struct state_trust trust = {0};
    size_t before = site->problems.n;
    if (site->config->state.backend == CONFIG_STATE_REDIS)
        state_trust_open(&trust, site->config, &site->problems);
    state_trust_close(&trust);
    set_problems(L, "state", &site->problems, before);
}

/* Adds what `find` finds to the list on top, as { kind =, text = }. */
static void add_warnings(lua_State *L, struct site *site, const char *kind,
                         void (*find)(const struct config *config, struct problems *problems))
{
    size_t before = site->problems.n;
    find(site->config, &site->problems);
    for (size_t i = before; i < site->problems.n; i++) {
        lua_createtable(L, 0, 2);
        lua_pushstring(L, kind);
        lua_setfield(L, -2, "kind");
        lua_pushstring(L, site->problems.lines[i]);
        lua_setfield(L, -2, "text");
        lua_rawseti(L, -2, (int)lua_objlen(L, -2) + 1);
    }
}

static void find_keys(const struct config *config, struct problems *problems)
{
    struct trust trust = {0};
    trust_read(&trust, config, NULL, problems);
    trust_close(&trust);
    absent_refresh(config, problems);
}

/* What the service would miss on this host, as far as this user can tell. */
static void set_warnings(lua_State *L, struct site *site)
{
    lua_newtable(L);
    add_warnings(L, site, "missing-interface", absent_interfaces);
    add_warnings(L, site, "missing-account", absent_accounts);
    add_warnings(L, site, "missing-directory", absent_directory);
    add_warnings(L, site, "key-file", find_keys);
    lua_setfield(L, -2, "warnings");
}

/* host.cli.site_name() -> the site.yaml that is meant when none is named */
static int site_name(lua_State *L)
{
    lua_pushstring(L, cli_site());
    return 1;
}

/* host.cli.site(path) -> { policy =, assets =, tftp_root = (names of files; all but the first
 * are nil when there are none), advertise = (nil: none), listen = (the first address of HTTP; nil:
 * all), only_tls = (it is of HTTPS, as are all others), dhcp_port =, boot_port =, tftp_port =,
 * http_ports = (a list), unsigned = (there are no CMS signatures), fetched_from = (the URL where
 * `policy` is one; `policy` is then what was fetched last), refused = (why the bundle that `policy`
 * names is not good, a list), state = (what is wrong with the files of `state`, a list), warnings =
 * (what else this host lacks, a list of { kind =, text = }), stateless = (nothing is remembered),
 * memory_mb = (of a policy) }, beside tftp-hpa static_tftp = true and tftp_missing = the boot
 * programs that it does not find (nil: none) | nil, list of problems */
static int read_site(lua_State *L)
{
    const char *path = luaL_checkstring(L, 1);
    struct site *site = lua_newuserdata(L, sizeof *site);
    *site = (struct site){0};
    lua_newtable(L);
    lua_pushcfunction(L, site_free);
    lua_setfield(L, -2, "__gc");
    lua_setmetatable(L, -2);
    site->config = config_load(path, &site->problems);
    if (!site->config) {
        lua_pushnil(L);
        lua_newtable(L);
        for (size_t i = 0; i < site->problems.n; i++) {
            lua_pushstring(L, site->problems.lines[i]);
            lua_rawseti(L, -2, (int)i + 1);
        }
        return 2;
    }
    lua_newtable(L);
    set_policy(L, site->config);
    set_path(L, "assets", site->config, site->config->http.assets);
    set_path(L, "tftp_root", site->config, site->config->tftp.root);
    if (site->config->tftp.backend == CONFIG_TFTP_HPA)
        set_hpa(L, site->config);
    lua_pushboolean(L, !site->config->signing.cms_cert);
    lua_setfield(L, -2, "unsigned");
    set_network(L, site->config);
    set_refused(L, site);
    set_state(L, site);
    set_warnings(L, site);
    lua_pushboolean(L, !config_state_kept(site->config));
    lua_setfield(L, -2, "stateless");
    set_number(L, "memory_mb", (int)site->config->limits.memory_mb);
    return 1;
}

/* A site's keys for what is sealed: a userdata, so that they are wiped whatever throws. */
static int seals_free(lua_State *L)
{
    struct seal_keys **keys = lua_touserdata(L, 1);
    seal_keys_free(*keys);
    *keys = NULL;
    return 0;
}

/* The function that read_seals gives; its upvalue is the userdata. */
static int try_seal(lua_State *L)
{
    size_t len;
    const char *text = luaL_checklstring(L, 1, &len);
    struct seal_keys **keys = lua_touserdata(L, lua_upvalueindex(1));
    struct secret value;
    const char *problem = seal_open(*keys, text, len, &value);
    secret_clear(&value);
    lua_pushstring(L, problem);
    return 1;
}

/* host.cli.seals(path) -> a function: text -> nil if the keys of that site.yaml open it, or what
 * is wrong; the value is shown to nobody | nil, why there are no keys */
static int read_seals(lua_State *L)
{
    struct problems problems = {0};
    struct config *config = config_load(luaL_checkstring(L, 1), &problems);
    bool named = config && config->secrets.keys.n;
    struct seal_keys **keys = lua_newuserdata(L, sizeof(struct seal_keys *));
    *keys = config ? trust_seals(config, &problems) : NULL;
    config_free(config);
    if (*keys) {
        lua_newtable(L);
        lua_pushcfunction(L, seals_free);
        lua_setfield(L, -2, "__gc");
        lua_setmetatable(L, -2);
        lua_pushcclosure(L, try_seal, 1);
        return 1;
    }
    char why[512];
    snprintf(why, sizeof why, "%s", problems.n ? problems.lines[0] : "");
    problems_clear(&problems);
    lua_pushnil(L);
    lua_pushstring(L, named ? why : "site.yaml names no key for it");
    return 2;
}

/* Protected. Argument: struct command. */
static int run(lua_State *L)
{
    struct command *command = lua_touserdata(L, 1);
    lua_getglobal(L, "host");
    api_cli_open(L);
    api_control_open(L);
    lua_getfield(L, -1, "cli");
    lua_pushcfunction(L, read_site);
    lua_setfield(L, -2, "site");
    lua_pushcfunction(L, site_name);
    lua_setfield(L, -2, "site_name");
    lua_pushcfunction(L, read_seals);
    lua_setfield(L, -2, "seals");
    lua_pushcfunction(L, control_path_of_site);
    lua_setfield(L, -2, "control_path");
    cli_capture_open(L);
    cli_load_open(L);
    cli_state_open(L);
    lua_pop(L, 2);
    vm_require(L, lua_pushfstring(L, "cli.%s", command->name));
    lua_newtable(L);
    for (int i = 0; i < command->argc; i++) {
        lua_pushstring(L, command->argv[i]);
        lua_rawseti(L, -2, i + 1);
    }
    lua_call(L, 1, 1);
    command->exit_code = (int)luaL_checkinteger(L, -1);
    return 0;
}

int cli_run(const char *name, int argc, char **argv)
{
    struct command command = {name, argc, argv, 2};
    struct mask mask = {0};
    struct vm *vm =
        vm_alloc(&(struct vm_options){.memory = MEMORY, .decision_ms = DECISION_MS, .mask = &mask});
    if (!vm || !task_clock_start()) {
        fprintf(stderr, "moonboot: no memory to start\n");
        vm_free(vm);
        return 2;
    }
    lua_State *L = vm_state(vm);
    lua_pushcfunction(L, run);
    lua_pushlightuserdata(L, &command);
    if (lua_pcall(L, 1, 0, 0) != 0) {
        fprintf(stderr, "moonboot %s: %s\n", name, lua_tostring(L, -1));
        command.exit_code = 2;
    }
    vm_free(vm);
    mask_clear(&mask);
    return command.exit_code;
}
