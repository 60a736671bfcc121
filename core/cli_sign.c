#include "cli_sign.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <libgen.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli_usage.h"
#include "minisign.h"
#include "passphrase.h"
#include "secret.h"

#define KEY_FILE_MAX  4096
#define PIECE         ((size_t)1 << 20)
#define QUIET_SECONDS 2

static const char sign_help[] =
    "Usage: moonboot sign -s KEY [OPTION…] FILE…\n"
    "Writes FILE.minisig beside each file: a signature in minisign's format.\n"
    "\n"
    "  -s, --secret-key FILE  the key, of `moonboot keygen` or `minisign -G`\n"
    "  -t, --comment TEXT     a comment that is signed too (the time and the file's name)\n"
    "  -r, --raw              write FILE.sig: the 64 bytes of Ed25519, and nothing else\n"
    "  -v, --verbose          name each signature that was written\n"
    "  -q, --quiet            print nothing but what is wrong\n"
    "  -h, --help             print this\n"
    "\n"
    "Exit codes: 0 done, 1 it could not be done, 2 bad usage.\n";

static const char verify_help[] =
    "Usage: moonboot verify -p KEY [OPTION…] FILE…\n"
    "Verifies each file by the signature beside it, FILE.minisig, and prints the comment that was\n"
    "signed with it.\n"
    "\n"
    "  -p, --public-key FILE  the key\n"
    "  -P TEXT                the key itself: the second line of its file\n"
    "  -x, --signature FILE   the signature of the one file\n"
    "  -r, --raw              by FILE.sig: the 64 bytes of Ed25519\n"
    "  -q, --quiet            print nothing but what is wrong\n"
    "  -h, --help             print this\n"
    "\n"
    "Exit codes: 0 all are good, 1 one is not, or cannot be read, 2 bad usage.\n";

struct options {
    const char *command, *help;
    const char *key, *key_text, *comment, *signature;
    bool raw, quiet, verbose;
    char **files;
    int n_files;
};

/* -1: go on; else the exit code. */
static int parse(struct options *o, const char *known, int argc, char **argv)
{
    static const struct option options[] = {{"secret-key", required_argument, NULL, 's'},
                                            {"public-key", required_argument, NULL, 'p'},
                                            {"comment", required_argument, NULL, 't'},
                                            {"signature", required_argument, NULL, 'x'},
                                            {"raw", no_argument, NULL, 'r'},
                                            {"quiet", no_argument, NULL, 'q'},
                                            {"verbose", no_argument, NULL, 'v'},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    int option;
    optind = 1;
    while ((option = getopt_long(argc, argv, "s:p:P:t:x:rqvh", options, NULL)) != -1) {
        if (option == 'h') {
            fputs(o->help, stdout);
            return 0;
        }
        if (option != '?' && !strchr(known, option))
            cli_usage_complain(o->command, "there is no option -%c", option);
        if (option == '?' || !strchr(known, option))
            return cli_usage(o->command, NULL);
        o->raw |= option == 'r';
        o->quiet |= option == 'q';
        if (option == 'v' || option == 'q')
            o->verbose = option == 'v';
        if (option == 's' || option == 'p')
            o->key = optarg;
        else if (option == 'P')
            o->key_text = optarg;
        else if (option == 't')
            o->comment = optarg;
        else if (option == 'x')
            o->signature = optarg;
    }
    o->files = argv + optind;
    o->n_files = argc - optind;
    return -1;
}

/* --- files --------------------------------------------------------------------------------- */

static bool write_file(const struct options *o, const char *path, const void *data, size_t len,
                       mode_t mode, bool replace)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | (replace ? O_TRUNC : O_EXCL), mode);
    if (fd < 0 && errno == EEXIST)
        return cli_usage_complain(o->command, "%s is there already: --force replaces it", path);
    if (fd < 0)
        return cli_usage_complain(o->command, "%s: %s", path, strerror(errno));
    bool good = fchmod(fd, mode) == 0 && write(fd, data, len) == (ssize_t)len;
    int error = errno;
    if (close(fd) < 0 && good) {
        error = errno;
        good = false;
    }
    return good || cli_usage_complain(o->command, "%s: %s", path, strerror(error));
}

/* The whole of a file, of at most `max` bytes (0: of any size), for the caller to free. */
static char *read_file(const struct options *o, const char *path, size_t max, size_t *len)
{
    char *data = NULL;
    size_t capacity = 0;
    FILE *file = fopen(path, "re");
    *len = 0;
    while (file && !ferror(file) && !feof(file)) {
        if (*len == capacity) {
            capacity = capacity ? 2 * capacity : KEY_FILE_MAX + 1;
            char *more = realloc(data, capacity);
            if (!more)
                goto fail;
            data = more;
        }
        *len += fread(data + *len, 1, capacity - *len, file);
        if (max && *len > max)
            errno = EFBIG;
        if (max && *len > max)
            goto fail;
    }
    if (file && !ferror(file)) {
        fclose(file);
        return data;
    }
fail:
    cli_usage_complain(o->command, "%s: %s", path, strerror(errno));
    if (file)
        fclose(file);
    free(data);
    return NULL;
}

static void show_progress(const char *path, off_t done, off_t size, time_t started)
{
    static time_t shown;
    time_t now = time(NULL);
    if (now - started < QUIET_SECONDS || now == shown || size <= 0 || !isatty(STDERR_FILENO))
        return;
    shown = now;
    fprintf(stderr, "\r%s: %d%%\033[K", path, (int)(100.0 * (double)done / (double)size));
    if (done >= size)
        fputs("\r\033[K", stderr);
}

static bool hash_file(const struct options *o, const char *path, uint8_t hash[MINISIGN_HASH_LEN])
{
    crypto_generichash_state state;
    struct stat st = {0};
    time_t started = time(NULL);
    off_t done = 0;
    ssize_t n = -1;
    uint8_t *piece = malloc(PIECE);
    int fd = piece ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    crypto_generichash_init(&state, NULL, 0, MINISIGN_HASH_LEN);
    if (fd >= 0 && fstat(fd, &st) == 0) {
        while ((n = read(fd, piece, PIECE)) > 0) {
            crypto_generichash_update(&state, piece, (size_t)n);
            show_progress(path, done += n, st.st_size, started);
        }
    }
    if (n < 0)
        cli_usage_complain(o->command, "%s: %s", path, strerror(errno));
    if (fd >= 0)
        close(fd);
    free(piece);
    crypto_generichash_final(&state, hash, MINISIGN_HASH_LEN);
    return n == 0;
}

static char *beside(const char *path, const char *suffix)
{
    char *name = NULL;
    return asprintf(&name, "%s%s", path, suffix) < 0 ? NULL : name;
}

/* --- sign ----------------------------------------------------------------------------------- */

static struct minisign_key *load_key(const struct options *o)
{
    struct secret file = {0};
    struct passphrase passphrase = {0};
    int error = secret_read(o->key, KEY_FILE_MAX, &file);
    struct minisign_key *key = error ? NULL : minisign_key_alloc();
    const char *problem = error ? secret_problem(error) : key ? NULL : "there is no memory";
    if (error == -EPERM && secret_read_unguarded(o->key, KEY_FILE_MAX, &file) == 0 &&
        minisign_key_problem(file.data, file.len)) /* its mode is no matter */
        problem = minisign_key_problem(file.data, file.len);
    if (!problem && minisign_key_is_locked(file.data, file.len))
        problem = passphrase_read("Passphrase: ", NULL, &passphrase);
    passphrase_say_deriving(&passphrase);
    if (!problem)
        problem = minisign_key_read(file.data, file.len, passphrase.text, key);
    passphrase_clear(&passphrase);
    secret_clear(&file);
    if (!problem)
        return key;
    cli_usage_complain(o->command, "%s: %s", o->key, problem);
    minisign_key_free(key);
    return NULL;
}

static bool sign_raw(const struct options *o, const struct minisign_key *key, const char *path)
{
    uint8_t signature[MINISIGN_LEN];
    size_t len;
    char *data = read_file(o, path, 0, &len);
    char *name = beside(path, ".sig");
    bool good = data && name;
    if (good) {
        minisign_raw(key, data, len, signature);
        good = write_file(o, name, signature, sizeof signature, 0644, true);
        if (good && o->verbose)
            printf("%s\n", name);
    }
    free(data);
    free(name);
    return good;
}

static bool sign_file(const struct options *o, const struct minisign_key *key, const char *path)
{
    static char text[MINISIGN_SIGNATURE_TEXT], comment[MINISIGN_COMMENT_MAX];
    uint8_t hash[MINISIGN_HASH_LEN], signature[MINISIGN_LEN];
    char *copy = strdup(path), *name = beside(path, ".minisig");
    bool good = copy && name && hash_file(o, path, hash);
    if (good) {
        if (o->comment)
            snprintf(comment, sizeof comment, "%s", o->comment);
        else
            snprintf(comment, sizeof comment, "timestamp:%lld\tfile:%s\thashed",
                     (long long)time(NULL), basename(copy));
        for (char *c = comment; *c; c++)
            *c = (unsigned char)*c < ' ' && *c != '\t' ? '?' : *c;
        minisign_raw(key, hash, sizeof hash, signature);
        size_t len = minisign_write(key, signature, comment, text);
        good = write_file(o, name, text, len, 0644, true);
        if (good && o->verbose)
            printf("%s\n", name);
    }
    free(copy);
    free(name);
    return good;
}

int cli_sign(int argc, char **argv)
{
    struct options o = {.command = "sign", .help = sign_help};
    int code = parse(&o, "strqv", argc, argv);
    if (code >= 0)
        return code;
    if (!o.key)
        return cli_usage(o.command, "a secret key is wanted: --secret-key FILE");
    if (o.n_files == 0)
        return cli_usage(o.command, "a file is wanted");
    if (o.comment && strlen(o.comment) >= MINISIGN_COMMENT_MAX)
        return cli_usage(o.command, "the comment is too long");
    struct minisign_key *key = load_key(&o);
    if (!key)
        return 1;
    code = 0;
    for (int i = 0; i < o.n_files; i++) {
        if (!(o.raw ? sign_raw : sign_file)(&o, key, o.files[i]))
            code = 1;
    }
    minisign_key_free(key);
    return code;
}

/* --- verify --------------------------------------------------------------------------------- */

static bool load_public(const struct options *o, struct minisign_public *public)
{
    const char *problem;
    if (o->key_text) {
        problem = minisign_public_read(o->key_text, strlen(o->key_text), public);
        return !problem || cli_usage_complain(o->command, "-P: %s", problem);
    }
    size_t len;
    char *text = read_file(o, o->key, KEY_FILE_MAX, &len);
    if (!text)
        return false;
    problem = minisign_public_read(text, len, public);
    free(text);
    return !problem || cli_usage_complain(o->command, "%s: %s", o->key, problem);
}

static const char *verify_raw(const struct options *o, const struct minisign_public *public,
                              const char *path, const char *signature, size_t signature_len)
{
    size_t len;
    if (signature_len != MINISIGN_LEN)
        return "a raw signature has 64 bytes";
    char *data = read_file(o, path, 0, &len);
    if (!data)
        return "it cannot be read";
    bool good = minisign_raw_verify(public, data, len, (const uint8_t *)signature);
    free(data);
    return good ? NULL : "the signature is not this key's, or not of these bytes";
}

static const char *verify_text(const struct options *o, const struct minisign_public *public,
                               const char *path, const char *text, size_t text_len)
{
    static struct minisign_signature signature;
    uint8_t hash[MINISIGN_HASH_LEN];
    const char *problem = minisign_read(text, text_len, &signature);
    if (problem)
        return problem;
    if (signature.hashed) {
        if (!hash_file(o, path, hash))
            return "it cannot be read";
        problem = minisign_verify(public, &signature, NULL, 0, hash);
    } else {
        size_t len;
        char *data = read_file(o, path, 0, &len);
        if (!data)
            return "it cannot be read";
        problem = minisign_verify(public, &signature, data, len, NULL);
        free(data);
    }
    if (!problem && !o->quiet)
        printf("%s: good: %s\n", path, signature.comment);
    return problem;
}

static bool verify_file(const struct options *o, const struct minisign_public *public,
                        const char *path)
{
    size_t len = 0;
    char *own = o->signature ? NULL : beside(path, o->raw ? ".sig" : ".minisig");
    const char *name = o->signature ? o->signature : own;
    char *text = name ? read_file(o, name, MINISIGN_SIGNATURE_TEXT, &len) : NULL;
    const char *problem = !text ? "there is no signature"
                                : (o->raw ? verify_raw : verify_text)(o, public, path, text, len);
    if (!problem && o->raw && !o->quiet)
        printf("%s: good\n", path);
    if (problem)
        cli_usage_complain(o->command, "%s: %s", path, problem);
    free(own);
    free(text);
    return !problem;
}

int cli_verify(int argc, char **argv)
{
    struct options o = {.command = "verify", .help = verify_help};
    struct minisign_public public;
    int code = parse(&o, "pPxrq", argc, argv);
    if (code >= 0)
        return code;
    if (!o.key == !o.key_text)
        return cli_usage(o.command, "one public key is wanted: --public-key FILE, or -P TEXT");
    if (o.n_files == 0)
        return cli_usage(o.command, "a file is wanted");
    if (o.signature && o.n_files > 1)
        return cli_usage(o.command, "--signature is of one file");
    if (sodium_init() < 0 || !load_public(&o, &public))
        return 1;
    code = 0;
    for (int i = 0; i < o.n_files; i++) {
        if (!verify_file(&o, &public, o.files[i]))
            code = 1;
    }
    return code;
}
