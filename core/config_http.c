#include "config_http.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "addr.h"
#include "config_place.h"

/* A hash that is checked while machines wait: about 10 ms. */
#define HASH_MEMORY_KB 16384
#define HASH_ROUNDS    4

static bool append(struct config *config, const struct config_listen *more)
{
    if (!more->addresses)
        return true;
    size_t n = config->http.n_listen;
    struct sockaddr_in *list = realloc(config->http.listen, (n + more->n) * sizeof *list);
    if (!list)
        return false;
    memcpy(list + n, more->addresses, more->n * sizeof *list);
    config->http.listen = list;
    config->http.n_listen = n + more->n;
    return true;
}

static const char *check_hash(const char *hash)
{
    unsigned version, memory, rounds, lanes;
    if (sscanf(hash, "$argon2id$v=%u$m=%u,t=%u,p=%u$", &version, &memory, &rounds, &lanes) != 4)
        return "`token` is no argon2id hash: moonboot keygen --bearer NAME makes one";
    if (memory > HASH_MEMORY_KB || rounds > HASH_ROUNDS || lanes > 1)
        return "`token` is a hash that takes too long (m=16384, t=4, p=1 at most): moonboot keygen "
               "--bearer NAME makes one";
    return NULL;
}

/* HTTPS without addresses of its own has those of HTTP, and there is no HTTP. */
static void take_over(struct config *config)
{
    config->http.tls.listen = (struct config_listen){config->http.listen, config->http.n_listen};
    config->http.listen = NULL;
    config->http.n_listen = 0;
}

/* The key of an address, by its place in the list of all; `own`: HTTPS has a list of its own. */
static void name_address(const struct config *config, size_t i, bool own, char *key, size_t size)
{
    size_t plain = config->http.n_plain, secure = plain + config->http.admin.listen.n;
    if (i >= secure)
        snprintf(key, size, "http.%slisten.%zu", own ? "tls." : "", i - secure);
    else if (i >= plain)
        snprintf(key, size, "http.admin.listen.%zu", i - plain);
    else
        snprintf(key, size, "http.listen.%zu", i);
}

/* A port of an address can be had once, and 0.0.0.0 is all of them. What could not be read has
 * none. */
static bool overlap(const struct sockaddr_in *a, const struct sockaddr_in *b)
{
    return a->sin_port && a->sin_port == b->sin_port &&
           (a->sin_addr.s_addr == b->sin_addr.s_addr || a->sin_addr.s_addr == INADDR_ANY ||
            b->sin_addr.s_addr == INADDR_ANY);
}

static void check_twice(const struct config *config, bool own, struct problems *problems)
{
    for (size_t i = 1; i < config->http.n_listen; i++) {
        const struct sockaddr_in *address = &config->http.listen[i];
        char key[64], first[64], text[INET_ADDRSTRLEN];
        size_t j = 0;
        while (j < i && !overlap(&config->http.listen[j], address))
            j++;
        if (j == i)
            continue;
        bool same = config->http.listen[j].sin_addr.s_addr == address->sin_addr.s_addr;
        name_address(config, i, own, key, sizeof key);
        name_address(config, j, own, first, sizeof first);
        *strrchr(first, '.') = '\0';
        config_place_complain(config, problems, key, "`%.*s`: %s:%u is there already, in `%s`%s",
                              (int)(strrchr(key, '.') - key), key,
                              addr_ip_text(address->sin_addr, text), ntohs(address->sin_port),
                              first, same ? "" : " (0.0.0.0 is all addresses)");
    }
}

/* The key that is wrong, and what is; NULL: nothing is. */
static const char *check_keys(const struct config *config, const char **key)
{
    bool tls = config->http.tls.listen.addresses || config->http.tls.cert || config->http.tls.key ||
               config->http.tls.client_ca;
    *key = "http.tls";
    if (tls && !(config->http.tls.cert && config->http.tls.key))
        return "`tls` wants `cert` and `key`";
    *key = "http.admin.client_cert";
    if (config->http.admin.client_cert && !config->http.tls.client_ca)
        return "`admin` wants a `client_cert`, but `tls` has no `client_ca`";
    *key = "http.listen";
    if (config->http.n_listen + config->http.tls.listen.n == 0)
        return "`listen` is an empty list, expected at least one ADDRESS:PORT";
    *key = "http.admin.token";
    return config->http.admin.token ? check_hash(config->http.admin.token) : NULL;
}

void config_http_finish(struct config *config, struct problems *problems)
{
    const char *key, *problem = check_keys(config, &key);
    if (problem)
        config_place_complain(config, problems, key, "%s", problem);
    bool own = config->http.tls.listen.addresses;
    if (config->http.tls.cert && !own)
        take_over(config);
    config->http.n_plain = config->http.n_listen;
    config->http.admin.restricted = config->http.admin.listen.addresses ||
                                    config->http.admin.client_cert || config->http.admin.token;
    if (append(config, &config->http.admin.listen) && append(config, &config->http.tls.listen))
        check_twice(config, own, problems);
    else
        config_place_complain(config, problems, "http", "no memory for `listen`");
}

void config_http_free(struct config *config)
{
    free(config->http.listen);
    free(config->http.assets);
    free(config->http.tls.listen.addresses);
    free(config->http.tls.cert);
    free(config->http.tls.key);
    free(config->http.tls.client_ca);
    free(config->http.admin.listen.addresses);
    free(config->http.admin.token);
}
