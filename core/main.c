#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "cli.h"
#include "log.h"
#include "supervisor.h"

static const char help[] =
    "Usage: moonboot COMMAND [OPTION…]\n"
    "A network-boot policy engine: proxyDHCP, TFTP and HTTP for firmware, decisions in Lua.\n"
    "\n"
    "  serve   answer machines, in the foreground (SIGHUP reloads, SIGTERM stops)\n"
    "  check   report everything that is wrong with a site's configuration and policy\n"
    "  eval    decide for one machine, and show what it would get\n"
    "  test    run a policy's tests\n"
    "  stubs   write what editors need to know of the policy language\n"
    "\n"
    "  moonboot COMMAND --help   a command's options\n"
    "  moonboot --version        the version\n";

static const char serve_help[] =
    "Usage: moonboot serve [-c SITE.YAML]\n"
    "Serves proxyDHCP, TFTP and HTTP by a site's policy, in the foreground; logs to standard\n"
    "error. SIGHUP reloads the configuration and the policy, SIGTERM ends the service when\n"
    "transfers in flight have ended (30 s at most; at once when it comes a second time).\n"
    "\n"
    "  -c, --config FILE  the site's configuration (site.yaml here, else\n"
    "                     /etc/moonboot/site.yaml)\n"
    "  -v, --verbose      log everything until the configuration says otherwise\n"
    "  -h, --help         print this\n"
    "\n"
    "Exit codes: 0 stopped by a signal, 1 could not start, 2 bad usage.\n";

#define FILES_WANTED 65536
#define SITE_HERE    "site.yaml"
#define SITE_SYSTEM  "/etc/moonboot/site.yaml"

/* A transfer takes two descriptors, and the usual soft limit is 1,024: takes what it may. */
static void raise_file_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return;
    struct rlimit more = {.rlim_cur = FILES_WANTED, .rlim_max = FILES_WANTED};
    if (limit.rlim_max < FILES_WANTED && setrlimit(RLIMIT_NOFILE, &more) == 0)
        return;
    limit.rlim_cur = limit.rlim_max; /* no more than that without the privilege */
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
        log_warn("cannot raise the limit of open files: %s", strerror(errno));
}

static int serve(int argc, char **argv)
{
    static const struct option options[] = {{"config", required_argument, NULL, 'c'},
                                            {"verbose", no_argument, NULL, 'v'},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    const char *site = access(SITE_HERE, F_OK) == 0 ? SITE_HERE : SITE_SYSTEM;
    int option;
    optind = 1;
    while ((option = getopt_long(argc, argv, "c:vh", options, NULL)) != -1) {
        switch (option) {
        case 'c':
            site = optarg;
            break;
        case 'v':
            log_setup(LOG_LEVEL_DEBUG, LOG_FORMAT_TEXT);
            break;
        case 'h':
            fputs(serve_help, stdout);
            return 0;
        default:
            fputs("Try: moonboot serve --help\n", stderr);
            return 2;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "moonboot serve: unexpected \"%s\"\n", argv[optind]);
        return 2;
    }
    raise_file_limit();
    return supervisor_run(site);
}

int main(int argc, char **argv)
{
    const char *command = argc > 1 ? argv[1] : "";
    if (!strcmp(command, "--help") || !strcmp(command, "-h") || !strcmp(command, "help")) {
        fputs(help, stdout);
        return 0;
    }
    if (!strcmp(command, "--version")) {
        puts("moonboot " MOONBOOT_VERSION);
        return 0;
    }
    if (!strcmp(command, "serve"))
        return serve(argc - 1, argv + 1);
    if (!strcmp(command, "check"))
        return cli_check(argc - 1, argv + 1);
    if (!strcmp(command, "eval") || !strcmp(command, "test") || !strcmp(command, "stubs"))
        return cli_run(command, argc - 2, argv + 2);
    if (*command)
        fprintf(stderr, "moonboot: no command \"%s\"\n", command);
    fputs(help, stderr);
    return 2;
}
