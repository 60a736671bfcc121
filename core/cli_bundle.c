#include "cli_bundle.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "bundle_make.h"
#include "cli_sign.h"

static const char help[] =
    "Usage: moonboot bundle [OPTION…] DIR\n"
    "Makes one file of a policy's directory: DIR.bundle, which `policy` of site.yaml may name. "
    "The\n"
    "same files give the same bytes. What is in it: `tar tf DIR.bundle`. Files and directories\n"
    "whose names begin with a dot are left out; symbolic links are errors.\n"
    "\n"
    "  -o, --output FILE   the bundle's name\n"
    "  -p, --policy NAME   the file of DIR that is the policy (policy.lua)\n"
    "      --version N     of this release, greater than that of the last one: a service that has\n"
    "                      `policy_keys` goes back to no older one. Needed with --key\n"
    "  -k, --key FILE      sign it by this secret key, as FILE.minisig\n"
    "  -h, --help          print this\n"
    "\n"
    "Exit codes: 0 done, 1 it could not be done, 2 bad usage.\n";

struct options {
    const char *key, *policy;
    char *output;
    bool has_version;
    uint64_t version;
    const char *directory;
};

static int usage(const char *what, const char *value)
{
    fprintf(stderr, "moonboot bundle: %s%s%s\nTry: moonboot bundle --help\n", what,
            value ? ": " : "", value ? value : "");
    return 2;
}

static bool read_version(const char *text, uint64_t *version)
{
    char *end;
    errno = 0;
    *version = strtoull(text, &end, 10);
    return *text >= '0' && *text <= '9' && !errno && !*end && *version <= BUNDLE_VERSION_MAX;
}

/* -1: go on; else the exit code. */
static int parse(struct options *o, int argc, char **argv)
{
    static const struct option options[] = {
        {"output", required_argument, NULL, 'o'},  {"policy", required_argument, NULL, 'p'},
        {"version", required_argument, NULL, 'V'}, {"key", required_argument, NULL, 'k'},
        {"help", no_argument, NULL, 'h'},          {0}};
    int option;
    optind = 1;
    while ((option = getopt_long(argc, argv, "o:p:k:h", options, NULL)) != -1) {
        if (option == 'h') {
            fputs(help, stdout);
            return 0;
        }
        if (option == 'V' && !read_version(optarg, &o->version))
            return usage("--version is a number from 0 to 999999999999999, found", optarg);
        if (option == '?')
            return usage("bad usage", NULL);
        o->has_version |= option == 'V';
        if (option == 'o') {
            free(o->output);
            o->output = strdup(optarg);
        } else if (option == 'p')
            o->policy = optarg;
        else if (option == 'k')
            o->key = optarg;
    }
    if (optind + 1 != argc)
        return usage("one directory is wanted", NULL);
    if (o->key && !o->has_version)
        return usage("a release that is signed wants its --version", NULL);
    o->directory = argv[optind];
    return -1;
}

/* DIR.bundle beside the directory, whatever way it is named. */
static char *own_name(const char *directory)
{
    char *real = realpath(directory, NULL), *name = NULL;
    size_t len = strlen(directory);
    while (len > 1 && directory[len - 1] == '/')
        len--;
    const char *last = len > 0 ? directory + len : directory;
    while (last > directory && last[-1] != '/')
        last--;
    if (*last == '.' && real && strcmp(real, "/") != 0) { /* ".", "..": not "..bundle" */
        if (asprintf(&name, "%s.bundle", real) < 0)
            name = NULL;
    } else if (asprintf(&name, "%.*s.bundle", (int)len, directory) < 0)
        name = NULL;
    free(real);
    return name;
}

/* In the place of what was there, in one step: it may be in use. */
static bool save(const char *path, const uint8_t *data, size_t len)
{
    char *part = NULL;
    int fd = asprintf(&part, "%s.part", path) < 0
                 ? -1
                 : open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
    bool good = fd >= 0;
    while (good && len > 0) {
        ssize_t n = write(fd, data, len);
        good = n > 0 || errno == EINTR;
        data += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
    good = good && fsync(fd) == 0;
    good = fd >= 0 && close(fd) == 0 && good && rename(part, path) == 0;
    if (!good) {
        fprintf(stderr, "moonboot bundle: %s: %s\n", path, strerror(errno));
        if (fd >= 0)
            unlink(part);
    }
    free(part);
    return good;
}

static int sign(const struct options *o)
{
    char comment[512], *copy = strdup(o->output);
    snprintf(comment, sizeof comment, "timestamp:%lld\tfile:%.256s\thashed\tversion:%" PRIu64,
             (long long)time(NULL), copy ? basename(copy) : "", o->version);
    const char *arguments[] = {"sign", "-s", o->key, "-t", comment, "--", o->output, NULL};
    int code = cli_sign(sizeof arguments / sizeof *arguments - 1, (char **)arguments);
    free(copy);
    return code;
}

int cli_bundle(int argc, char **argv)
{
    struct options o = {.policy = "policy.lua"};
    struct bundle_writer writer = {0};
    struct problems problems = {0};
    int code = parse(&o, argc, argv);
    if (code < 0) {
        o.output = o.output ? o.output : own_name(o.directory);
        bool good = o.output && bundle_make(o.directory, o.version, o.policy, &writer, &problems) &&
                    save(o.output, writer.data, writer.len);
        code = !good ? 1 : o.key ? sign(&o) : 0;
        for (size_t i = 0; i < problems.n; i++)
            fprintf(stderr, "%s\n", problems.lines[i]);
        if (code == 0)
            printf("%s: version %" PRIu64 ", %zu file%s, %zu bytes\n", o.output, o.version,
                   writer.files, writer.files == 1 ? "" : "s", writer.len);
    }
    problems_clear(&problems);
    free(writer.data);
    free(o.output);
    return code;
}
