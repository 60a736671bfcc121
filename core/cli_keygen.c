#include "cli_keygen.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli_usage.h"
#include "minisign.h"
#include "passphrase.h"
#include "seal.h"

#define COMMAND       "keygen"
#define BEARER_ROUNDS 2
#define BEARER_MEMORY ((size_t)8 << 20)

static const char keygen_help[] =
    "Usage: moonboot keygen [OPTION…] NAME\n"
    "Makes a pair of keys in minisign's format: NAME.key, the secret one, signs; NAME.pub,\n"
    "which may be known to all, verifies. The passphrase is asked for, or read from standard\n"
    "input when that is no terminal.\n"
    "\n"
    "  -W, --no-passphrase  leave the secret key in the clear, as `moonboot serve` wants it\n"
    "      --seal           make a pair that seals values instead: NAME.pub is for `moonboot "
    "seal`,\n"
    "                       NAME.key for `secrets.key` of the server's site.yaml\n"
    "      --bearer         make NAME.token instead, a token for `http.admin` of site.yaml, and\n"
    "                       print its argon2id hash, which belongs there\n"
    "  -f, --force          replace files of these names\n"
    "  -q, --quiet          do not print the public key\n"
    "  -h, --help           print this\n"
    "\n"
    "Exit codes: 0 done, 1 it could not be done, 2 bad usage.\n";

struct options {
    bool no_passphrase, bearer, seal, force, quiet;
    const char *name;
};

/* -1: go on; else the exit code. */
static int parse(struct options *o, int argc, char **argv)
{
    static const struct option options[] = {{"no-passphrase", no_argument, NULL, 'W'},
                                            {"bearer", no_argument, NULL, 'b'},
                                            {"seal", no_argument, NULL, 'S'},
                                            {"force", no_argument, NULL, 'f'},
                                            {"quiet", no_argument, NULL, 'q'},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    int option;
    optind = 1;
    while ((option = getopt_long(argc, argv, "Wfqh", options, NULL)) != -1) {
        if (option == 'h') {
            fputs(keygen_help, stdout);
            return 0;
        }
        if (option == '?')
            return cli_usage(COMMAND, NULL);
        o->no_passphrase |= option == 'W';
        o->bearer |= option == 'b';
        o->seal |= option == 'S';
        o->force |= option == 'f';
        o->quiet |= option == 'q';
    }
    if (argc - optind != 1)
        return cli_usage(COMMAND, "one name is wanted");
    if (o->bearer && o->seal)
        return cli_usage(COMMAND, "--bearer and --seal make different things");
    o->name = argv[optind];
    return -1;
}

static char *with_suffix(const struct options *o, const char *suffix)
{
    char *path = NULL;
    return asprintf(&path, "%s%s", o->name, suffix) < 0 ? NULL : path;
}

static bool write_file(const struct options *o, const char *path, const char *text, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | (o->force ? O_TRUNC : O_EXCL), mode);
    size_t len = strlen(text);
    if (fd < 0 && errno == EEXIST)
        return cli_usage_complain(COMMAND, "%s is there already: --force replaces it", path);
    if (fd < 0)
        return cli_usage_complain(COMMAND, "%s: %s", path, strerror(errno));
    bool good = fchmod(fd, mode) == 0 && write(fd, text, len) == (ssize_t)len;
    int error = errno;
    if (close(fd) < 0 && good) {
        error = errno;
        good = false;
    }
    return good || cli_usage_complain(COMMAND, "%s: %s", path, strerror(error));
}

/* NAME.key and NAME.pub, each a remark and a line, the latter of which is printed. */
static bool save_pair(const struct options *o, const char *secret, const char *public)
{
    char *secret_path = with_suffix(o, ".key"), *public_path = with_suffix(o, ".pub");
    bool good = secret_path && public_path;
    if (!good)
        cli_usage_complain(COMMAND, "there is not enough memory");
    good = good && write_file(o, secret_path, secret, 0600) &&
           write_file(o, public_path, public, 0644);
    if (good && !o->quiet)
        printf("%s: %s", public_path, strchr(public, '\n') + 1);
    free(secret_path);
    free(public_path);
    return good;
}

static bool save_keys(const struct options *o, const struct minisign_key *key,
                      const char *passphrase)
{
    char secret[MINISIGN_SECRET_TEXT], public_text[MINISIGN_PUBLIC_TEXT];
    struct minisign_public public;
    bool good = minisign_key_write(key, passphrase, secret);
    if (!good)
        cli_usage_complain(COMMAND, "there is not enough memory");
    minisign_key_public(key, &public);
    minisign_public_write(&public, public_text);
    good = good && save_pair(o, secret, public_text);
    sodium_memzero(secret, sizeof secret);
    return good;
}

static bool make_signing(const struct options *o)
{
    struct minisign_key *key = minisign_key_alloc();
    struct passphrase passphrase = {0};
    const char *problem = key ? NULL : "there is not enough memory";
    if (!problem && !o->no_passphrase)
        problem = passphrase_read("Passphrase: ", "Once more: ", &passphrase);
    bool good = !problem;
    if (problem) {
        cli_usage_complain(COMMAND, "%s", problem);
    } else {
        minisign_key_make(key);
        passphrase_say_deriving(&passphrase);
        good = save_keys(o, key, passphrase.text);
    }
    passphrase_clear(&passphrase);
    minisign_key_free(key);
    return good;
}

static bool make_seal(const struct options *o)
{
    struct seal_pair pair;
    if (!seal_pair_make(&pair))
        return cli_usage_complain(COMMAND, "there is not enough memory");
    bool good = save_pair(o, pair.secret, pair.public);
    seal_pair_clear(&pair);
    return good;
}

/* A token that nobody could guess, and a hash that is quick to check (config_http.c). */
static bool make_bearer(const struct options *o)
{
    unsigned char bytes[24];
    char token[sodium_base64_ENCODED_LEN(sizeof bytes, sodium_base64_VARIANT_URLSAFE_NO_PADDING)];
    char hash[crypto_pwhash_STRBYTES];
    char *path = sodium_init() < 0 ? NULL : with_suffix(o, ".token");
    if (!path)
        return cli_usage_complain(COMMAND, "there is not enough memory");
    randombytes_buf(bytes, sizeof bytes);
    sodium_bin2base64(token, sizeof token, bytes, sizeof bytes,
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    bool good = crypto_pwhash_str(hash, token, strlen(token), BEARER_ROUNDS, BEARER_MEMORY) == 0;
    good = good ? write_file(o, path, token, 0600)
                : cli_usage_complain(COMMAND, "there is not enough memory");
    if (good)
        printf("%s\n", hash);
    sodium_memzero(token, sizeof token);
    sodium_memzero(bytes, sizeof bytes);
    free(path);
    return good;
}

int cli_keygen(int argc, char **argv)
{
    struct options o = {0};
    int code = parse(&o, argc, argv);
    if (code >= 0)
        return code;
    return (o.bearer ? make_bearer : o.seal ? make_seal : make_signing)(&o) ? 0 : 1;
}
