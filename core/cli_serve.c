#include "cli_serve.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "cli.h"
#include "log.h"
#include "supervisor.h"

static const char help[] =
    "Usage: moonboot serve [-c SITE.YAML]\n"
    "Serves proxyDHCP, TFTP and HTTP by a site's policy, in the foreground; logs to standard\n"
    "error. SIGHUP reloads the configuration and the policy, SIGUSR1 opens the decision log\n"
    "anew, SIGTERM ends the service when transfers in flight have ended (30 s at most; at\n"
    "once when it comes a second time).\n"
    "\n"
    "  -c, --config FILE  the site's configuration (site.yaml here, else\n"
    "                     /etc/moonboot/site.yaml)\n"
    "  -v, --verbose      log everything until the configuration says otherwise\n"
    "  -q, --quiet        log warnings and errors alone, whatever the configuration says\n"
    "  -h, --help         print this\n"
    "\n"
    "Exit codes: 0 stopped by a signal, 1 could not start, 2 bad usage.\n";

#define FILES_WANTED 65536

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

/* No kind of memory is left in a dump, should somebody lift the limit. False: it may be. */
static bool empty_dumps(void)
{
    int fd = open("/proc/self/coredump_filter", O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT; /* a kernel that leaves no dumps */
    bool good = write(fd, "0\n", 2) == 2;
    int error = errno;
    close(fd);
    errno = error;
    return good;
}

/* Its processes hold keys, and machines' secrets: none of them leaves its memory in a file. Where
 * it does not run as root, who may look into it is the same user anyway. */
static void leave_no_dumps(void)
{
    struct rlimit none = {0};
    if (!empty_dumps() || setrlimit(RLIMIT_CORE, &none) < 0 ||
        (geteuid() == 0 && prctl(PR_SET_DUMPABLE, 0) < 0))
        log_warn("cannot forbid core dumps: %s", strerror(errno));
}

int cli_serve(int argc, char **argv)
{
    static const struct option options[] = {{"config", required_argument, NULL, 'c'},
                                            {"verbose", no_argument, NULL, 'v'},
                                            {"quiet", no_argument, NULL, 'q'},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    const char *site = cli_site();
    int option;
    log_unblock();
    optind = 1;
    while ((option = getopt_long(argc, argv, "c:vqh", options, NULL)) != -1) {
        switch (option) {
        case 'c':
            site = optarg;
            break;
        case 'v':
            log_setup(LOG_LEVEL_DEBUG, LOG_FORMAT_TEXT);
            break;
        case 'q':
            log_limit(LOG_LEVEL_WARN);
            break;
        case 'h':
            fputs(help, stdout);
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
    leave_no_dumps();
    return supervisor_run(site);
}
