#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "cli_bundle.h"
#include "cli_serve.h"
#include "cli_sign.h"
#include "problems.h"

/* A command is a line here: a function that is given argv from the command's name on, or NULL
 * for one that is written in Lua, as lua/cli/NAME.lua. Each has its own --help. */
struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *does;
};

static const struct command commands[] = {
    {"serve", cli_serve, "answer machines, in the foreground (SIGHUP reloads, SIGTERM stops)"},
    {"check", NULL, "report everything that is wrong with a site's configuration and policy"},
    {"eval", NULL, "decide for one machine, and show what it would get"},
    {"explain", NULL, "say why, rule by rule"},
    {"replay", NULL, "put the packets of a capture to a policy"},
    {"diff", NULL, "which machines another policy would boot otherwise"},
    {"repl", NULL, "a prompt: type a machine, see what is decided"},
    {"test", NULL, "run a policy's tests"},
    {"init", NULL, "write a site to begin with"},
    {"status", NULL, "show a running service: its generation, workers, last refusal"},
    {"reload", NULL, "have it load its site anew, and say what came of it"},
    {"top", NULL, "show what it does just now"},
    {"keygen", cli_keygen, "make a pair of keys"},
    {"sign", cli_sign, "sign files, in minisign's format"},
    {"verify", cli_verify, "verify files by their signatures"},
    {"bundle", cli_bundle, "make one file of a policy's directory, signed"},
    {"event", NULL, "say on a machine's behalf that something has happened"},
    {"machines", NULL, "show what has happened to machines, or which are stuck"},
    {"machine", NULL, "show all that is recorded of one machine"},
    {"state", NULL, "read and write what the service remembers"},
    {"stubs", NULL, "write what editors need to know of the policy language"},
};

#define N_COMMANDS (sizeof commands / sizeof *commands)

static void help(FILE *out)
{
    fputs("Usage: moonboot COMMAND [OPTION…]\n"
          "A network-boot policy engine: proxyDHCP, TFTP and HTTP for firmware, decisions in Lua.\n"
          "\n",
          out);
    int width = 0;
    for (size_t i = 0; i < N_COMMANDS; i++)
        width = (int)strlen(commands[i].name) > width ? (int)strlen(commands[i].name) : width;
    for (size_t i = 0; i < N_COMMANDS; i++)
        fprintf(out, "  %-*s  %s\n", width, commands[i].name, commands[i].does);
    fputs("\n"
          "  moonboot COMMAND --help   a command's options\n"
          "  moonboot --version        the version\n",
          out);
}

static int unknown(const char *name)
{
    const char *names[N_COMMANDS + 1] = {NULL};
    for (size_t i = 0; i < N_COMMANDS; i++)
        names[i] = commands[i].name;
    /* Commands are short, and many: what is further off is another word. */
    size_t most = strlen(name) < 6 ? 1 : strlen(name) / 3;
    const char *nearest = problems_nearest_within(name, names, most);
    fprintf(stderr, "moonboot: there is no command \"%s\"", name);
    if (nearest)
        fprintf(stderr, " (did you mean \"%s\"?)", nearest);
    fputs("\nTry: moonboot --help\n", stderr);
    return 2;
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "";
    if (!strcmp(name, "--help") || !strcmp(name, "-h") || !strcmp(name, "help")) {
        help(stdout);
        return 0;
    }
    if (!strcmp(name, "--version")) {
        puts("moonboot " MOONBOOT_VERSION);
        return 0;
    }
    for (size_t i = 0; i < N_COMMANDS; i++) {
        if (strcmp(name, commands[i].name) != 0)
            continue;
        if (commands[i].run)
            return commands[i].run(argc - 1, argv + 1);
        return cli_run(name, argc - 2, argv + 2);
    }
    if (*name)
        return unknown(name);
    help(stderr);
    return 2;
}
