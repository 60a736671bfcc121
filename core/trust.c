#include "trust.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "config_place.h"
#include "secret.h"

#define TOKEN_FILE_MAX 4096
#define SIGN_FILE_MAX  4096

/* A key of this service alone: good on this machine, until it is started anew. */
static struct token_keys *own_token_keys(const struct trust *previous)
{
    if (previous && previous->own_tokens)
        return token_keys_copy(previous->tokens.keys);
    return token_keys_random();
}

static struct token_keys *read_token_keys(const struct config *config, struct problems *problems)
{
    struct token_keys *keys = NULL;
    struct secret file = {0};
    unsigned line = 0;
    char *path = config_path(config, config->tokens.key);
    int error = path ? secret_read(path, TOKEN_FILE_MAX, &file) : -ENOMEM;
    if (error)
        config_place_complain(config, problems, "tokens.key", "`tokens.key: %s`: %s",
                              config->tokens.key, secret_problem(error));
    else if (!(keys = token_keys_parse(file.data, file.len, &line)))
        problems_add(problems, "%s:%u: expected %s", path, line ? line : 1,
                     line ? "a key of 64 hexadecimal digits, of at most 8 (openssl rand -hex 32)"
                          : "a key: openssl rand -hex 32");
    secret_clear(&file);
    free(path);
    return keys;
}

struct seal_keys *trust_seals(const struct config *config, struct problems *problems)
{
    size_t before = problems->n;
    if (!config->secrets.keys.n)
        return NULL;
    struct seal_keys *keys = seal_keys_alloc();
    if (!keys)
        problems_add(problems, "%s: no memory for keys", config->path);
    for (size_t i = 0; keys && i < config->secrets.keys.n; i++) {
        struct secret file = {0};
        char *path = config_path(config, config->secrets.keys.names[i]);
        int error = path ? secret_read(path, SEAL_FILE_MAX, &file) : -ENOMEM;
        const char *problem =
            error ? secret_problem(error) : seal_keys_add(keys, file.data, file.len);
        char place[64];
        snprintf(place, sizeof place, "secrets.key.%zu", i);
        if (problem)
            config_place_complain(config, problems, place, "`secrets.key: %s`: %s",
                                  config->secrets.keys.names[i], problem);
        secret_clear(&file);
        free(path);
    }
    if (problems->n == before)
        return keys;
    seal_keys_free(keys);
    return NULL;
}

static struct minisign_key *read_sign_key(const struct config *config, struct problems *problems)
{
    struct secret file = {0};
    struct minisign_key *key = minisign_key_alloc();
    char *path = config_path(config, config->signing.key);
    int error = path && key ? secret_read(path, SIGN_FILE_MAX, &file) : -ENOMEM;
    const char *problem = error ? secret_problem(error) : NULL;
    if (!problem && minisign_key_is_locked(file.data, file.len))
        problem = "it is under a passphrase, which nobody could be asked for: take one of "
                  "`moonboot keygen --no-passphrase`, or take its passphrase away (minisign -C -W)";
    if (!problem)
        problem = minisign_key_read(file.data, file.len, NULL, key);
    secret_clear(&file);
    free(path);
    if (!problem)
        return key;
    config_place_complain(config, problems, "signing.key", "`signing.key: %s`: %s",
                          config->signing.key, problem);
    minisign_key_free(key);
    return NULL;
}

static struct cms *read_cms(const struct config *config, struct problems *problems)
{
    char problem[512] = "no memory";
    char *cert = config_path(config, config->signing.cms_cert);
    char *key = config_path(config, config->signing.cms_key);
    struct cms *cms = cert && key ? cms_open(cert, key, problem, sizeof problem) : NULL;
    if (!cms)
        config_place_complain(config, problems, "signing.cms_cert", "`signing`: %s", problem);
    free(cert);
    free(key);
    return cms;
}

static struct signer *read_signer(const struct config *config, struct signer_board *board,
                                  struct problems *problems)
{
    size_t before = problems->n;
    struct minisign_key *key = config->signing.key ? read_sign_key(config, problems) : NULL;
    struct cms *cms = config->signing.cms_cert ? read_cms(config, problems) : NULL;
    struct signer *signer = board && problems->n == before ? signer_open(key, cms, board) : NULL;
    if (signer)
        return signer;
    if (problems->n == before)
        problems_add(problems, "%s: `signing`: no memory to sign", config->path);
    minisign_key_free(key);
    cms_close(cms);
    return NULL;
}

static struct tls *read_tls(const struct config *config, struct problems *problems)
{
    char problem[512] = "no memory";
    char *cert = config_path(config, config->http.tls.cert);
    char *key = config_path(config, config->http.tls.key);
    char *clients =
        config->http.tls.client_ca ? config_path(config, config->http.tls.client_ca) : NULL;
    struct tls *tls = NULL;
    if (cert && key && (clients || !config->http.tls.client_ca))
        tls = tls_open(&(struct tls_files){cert, key, clients}, problem, sizeof problem);
    if (!tls)
        config_place_complain(config, problems, "http.tls", "`http.tls`: %s", problem);
    free(cert);
    free(key);
    free(clients);
    return tls;
}

void trust_read(struct trust *trust, const struct config *config, const struct trust *previous,
                struct problems *problems)
{
    trust->tokens.required = config->tokens.required;
    trust->tokens.pin = config->tokens.pin;
    trust->tokens.lifetime = config->tokens.lifetime_s;
    trust->tokens.grace = config->tokens.grace_s;
    trust->own_tokens = !config->tokens.key;
    trust->tokens.keys =
        config->tokens.key ? read_token_keys(config, problems) : own_token_keys(previous);
    if (!trust->tokens.keys && trust->own_tokens)
        problems_add(problems, "%s: no memory for a key", config->path);
    trust->seals = trust_seals(config, problems);
    if (config->http.tls.listen.n)
        trust->tls = read_tls(config, problems);
    trust->board = previous ? previous->board : NULL;
    if (config->signing.key || config->signing.cms_cert) {
        trust->board = trust->board ? trust->board : signer_board_alloc();
        trust->signer = read_signer(config, trust->board, problems);
    }
}

void trust_open(struct trust *trust, const struct config *config, const struct trust *previous,
                struct problems *problems)
{
    trust_read(trust, config, previous, problems);
    state_trust_open(&trust->state, config, problems);
}

void trust_close(struct trust *trust)
{
    token_keys_free(trust->tokens.keys);
    trust->tokens.keys = NULL;
    seal_keys_free(trust->seals);
    trust->seals = NULL;
    tls_close(trust->tls);
    trust->tls = NULL;
    state_trust_close(&trust->state);
    signer_close(trust->signer);
    trust->signer = NULL;
}
