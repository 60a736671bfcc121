#include "cli.h"

#include <getopt.h>
#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "config.h"
#include "problems.h"
#include "task.h"
#include "vm.h"

#define MEMORY      ((size_t)4 << 30)
#define DECISION_MS 250

struct command {
    const char *name;
    int argc;
    char **argv;
    int exit_code;
};

/* Protected. Argument: struct command. */
static int run(lua_State *L)
{
    struct command *command = lua_touserdata(L, 1);
    lua_getglobal(L, "host");
    api_cli_open(L);
    lua_pop(L, 1);
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
    struct vm *vm = vm_alloc(&(struct vm_options){.memory = MEMORY, .decision_ms = DECISION_MS});
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
    return command.exit_code;
}

static const char check_help[] =
    "Usage: moonboot check [-c SITE.YAML] [POLICY.LUA…]\n"
    "Loads a site's configuration and policies and reports everything that is wrong with\n"
    "them, as FILE:LINE: MESSAGE. Without arguments it checks ./site.yaml.\n"
    "\n"
    "  -c, --config FILE  check this site.yaml and the policy that it names\n"
    "  -h, --help         print this\n"
    "\n"
    "Exit codes: 0 all is well, 1 there are problems, 2 bad usage.\n";

/* Checks site.yaml; on success *policy is the policy it names, to be freed. */
static bool check_site(const char *site, char **policy)
{
    struct problems problems = {0};
    struct config *config = config_load(site, &problems);
    *policy = config ? config_path(config, config->policy) : NULL;
    for (size_t i = 0; i < problems.n; i++)
        fprintf(stderr, "%s\n", problems.lines[i]);
    if (config)
        printf("%s: ok\n", site);
    problems_clear(&problems);
    config_free(config);
    return *policy != NULL;
}

int cli_check(int argc, char **argv)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'}, {"help", no_argument, NULL, 'h'}, {0}};
    const char *site = NULL;
    char *policies[64] = {NULL};
    int n = 0, option;
    optind = 1;
    while ((option = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
        if (option == 'h') {
            fputs(check_help, stdout);
            return 0;
        }
        if (option != 'c') {
            fputs("Try: moonboot check --help\n", stderr);
            return 2;
        }
        site = optarg;
    }
    if (argc - optind >= (int)(sizeof policies / sizeof *policies)) {
        fputs("moonboot check: too many policies\n", stderr);
        return 2;
    }
    bool good = true;
    char *of_site = NULL;
    if (!site && optind == argc)
        site = "site.yaml";
    if (site) {
        good = check_site(site, &of_site);
        if (of_site)
            policies[n++] = of_site;
    }
    while (optind < argc)
        policies[n++] = argv[optind++];
    fflush(stdout);
    int code = n ? cli_run("check", n, policies) : 0;
    free(of_site);
    return code ? code : good ? 0 : 1;
}
