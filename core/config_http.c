#include "config_http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

const char *config_http_finish(struct config *config)
{
    bool tls = config->http.tls.listen.addresses || config->http.tls.cert || config->http.tls.key ||
               config->http.tls.client_ca;
    if (tls && !(config->http.tls.cert && config->http.tls.key))
        return "`tls` wants `cert` and `key`";
    if (tls && !config->http.tls.listen.addresses)
        take_over(config);
    config->http.n_plain = config->http.n_listen;
    config->http.admin.restricted = config->http.admin.listen.addresses ||
                                    config->http.admin.client_cert || config->http.admin.token;
    if (config->http.admin.client_cert && !config->http.tls.client_ca)
        return "`admin` wants a `client_cert`, but `tls` has no `client_ca`";
    if (!append(config, &config->http.admin.listen) || !append(config, &config->http.tls.listen))
        return "no memory for `listen`";
    if (config->http.n_plain + config->http.tls.listen.n == 0)
        return "`listen` is an empty list, expected at least one ADDRESS:PORT";
    return config->http.admin.token ? check_hash(config->http.admin.token) : NULL;
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
