#include "cli_seal.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli_usage.h"
#include "passphrase.h"
#include "seal.h"

#define COMMAND "seal"

static const char help[] =
    "Usage: moonboot seal -p KEY [OPTION…] [FILE]\n"
    "Prints a value as one line that only the server with the secret key can open: for `sealed` "
    "in\n"
    "a policy and `!sealed` in an inventory. The value is that of FILE, or of standard input; at "
    "a\n"
    "terminal it is asked for, and not shown.\n"
    "\n"
    "  -p, --public-key FILE  the server's key, of `moonboot keygen --seal`\n"
    "  -P TEXT                the key itself: the second line of its file\n"
    "  -n, --name NAME        what people and tests call it: letters, digits, - and _\n"
    "  -k, --keep-newline     seal the newline at the end of the value, too\n"
    "  -v, --verbose          say on standard error what was sealed, and for which key\n"
    "  -q, --quiet            say nothing but what is wrong\n"
    "  -h, --help             print this\n"
    "\n"
    "Exit codes: 0 done, 1 it could not be done, 2 bad usage.\n";

struct options {
    const char *key, *key_text, *name, *file;
    bool keep_newline, verbose;
};

/* -1: go on; else the exit code. */
static int parse(struct options *o, int argc, char **argv)
{
    static const struct option options[] = {{"public-key", required_argument, NULL, 'p'},
                                            {"name", required_argument, NULL, 'n'},
                                            {"keep-newline", no_argument, NULL, 'k'},
                                            {"verbose", no_argument, NULL, 'v'},
                                            {"quiet", no_argument, NULL, 'q'},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    int option;
    optind = 1;
    while ((option = getopt_long(argc, argv, "p:P:n:kvqh", options, NULL)) != -1) {
        if (option == 'h') {
            fputs(help, stdout);
            return 0;
        }
        if (option == '?')
            return cli_usage(COMMAND, NULL);
        if (option == 'p')
            o->key = optarg;
        else if (option == 'P')
            o->key_text = optarg;
        else if (option == 'n')
            o->name = optarg;
        o->keep_newline |= option == 'k';
        if (option == 'v' || option == 'q')
            o->verbose = option == 'v';
    }
    o->file = argv[optind];
    if (!o->key == !o->key_text)
        return cli_usage(COMMAND, "one public key is wanted: --public-key FILE, or -P TEXT");
    if (o->file && argv[optind + 1])
        return cli_usage(COMMAND, "one file is wanted, or none");
    if (o->name && !seal_is_name(o->name, strlen(o->name)))
        return cli_usage(COMMAND, "a name is letters, digits, - and _, at most 64 of them");
    return -1;
}

static bool load_public(const struct options *o, struct seal_public *public)
{
    struct secret file = {0};
    const char *name = o->key ? o->key : "-P", *problem;
    int error = o->key ? secret_read_unguarded(o->key, SEAL_FILE_MAX, &file) : 0;
    if (error)
        problem = secret_problem(error);
    else if (o->key)
        problem = seal_public_read(file.data, file.len, public);
    else
        problem = seal_public_read(o->key_text, strlen(o->key_text), public);
    secret_clear(&file);
    return !problem || cli_usage_complain(COMMAND, "%s: %s", name, problem);
}

/* All that there is, into locked memory, of at most SEAL_VALUE_MAX bytes and a newline. */
static bool read_all(int fd, const char *name, struct secret *value)
{
    const size_t room = SEAL_VALUE_MAX + 2;
    ssize_t n = -1;
    *value = (struct secret){.data = sodium_malloc(room)};
    if (!value->data)
        return cli_usage_complain(COMMAND, "there is not enough memory");
    while (value->len < room && ((n = read(fd, value->data + value->len, room - value->len)) > 0 ||
                                 (n < 0 && errno == EINTR)))
        value->len += n > 0 ? (size_t)n : 0;
    return n >= 0 || cli_usage_complain(COMMAND, "%s: %s", name, strerror(errno));
}

/* From a terminal: twice, as it is not shown. */
static bool ask(struct secret *value)
{
    struct passphrase first = {0}, second = {0};
    const char *problem = passphrase_read("Value: ", NULL, &first);
    if (!problem)
        problem = passphrase_read("Once more: ", NULL, &second);
    bool good = !problem && !strcmp(first.text, second.text);
    if (problem)
        cli_usage_complain(COMMAND, "nothing was typed, or more than a line can have");
    else if (!good)
        cli_usage_complain(COMMAND, "the second value is not the first");
    passphrase_clear(&second);
    if (good)
        *value = (struct secret){first.text, strlen(first.text)};
    else
        passphrase_clear(&first);
    return good;
}

static bool read_value(const struct options *o, struct secret *value)
{
    if (!o->file && isatty(STDIN_FILENO))
        return ask(value);
    int fd = o->file ? open(o->file, O_RDONLY | O_CLOEXEC) : STDIN_FILENO;
    if (fd < 0)
        return cli_usage_complain(COMMAND, "%s: %s", o->file, strerror(errno));
    bool good = read_all(fd, o->file ? o->file : "standard input", value);
    if (o->file)
        close(fd);
    if (good && !o->keep_newline && value->len && value->data[value->len - 1] == '\n')
        value->len--;
    return good;
}

static bool seal(const struct options *o, const struct seal_public *public,
                 const struct secret *value)
{
    if (value->len < SEAL_VALUE_MIN)
        return cli_usage_complain(COMMAND,
                                  "a value of %zu bytes is no secret: at least %d are wanted",
                                  value->len, SEAL_VALUE_MIN);
    if (value->len > SEAL_VALUE_MAX)
        return cli_usage_complain(COMMAND, "the value has more than %d bytes", SEAL_VALUE_MAX);
    char *line = seal_make(public, o->name, value->data, value->len);
    if (!line)
        return cli_usage_complain(COMMAND, "there is not enough memory");
    bool good = printf("%s\n", line) > 0 && fflush(stdout) == 0;
    if (!good)
        cli_usage_complain(COMMAND, "cannot write: %s", strerror(errno));
    else if (o->verbose)
        fprintf(stderr, "moonboot seal: %zu bytes, for key %s\n", value->len, public->id);
    free(line);
    return good;
}

int cli_seal(int argc, char **argv)
{
    struct options o = {0};
    struct seal_public public;
    struct secret value = {0};
    int code = parse(&o, argc, argv);
    if (code >= 0)
        return code;
    bool good = load_public(&o, &public) && read_value(&o, &value) && seal(&o, &public, &value);
    secret_clear(&value);
    return good ? 0 : 1;
}
