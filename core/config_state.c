#include "config_state.h"

#include <stdlib.h>
#include <string.h>

#define MAX_MB     256
#define PORT       6379
#define PREFIX     "moonboot:"
#define PREFIX_MAX 200
#define TIMEOUT_MS 1000
#define DB_MAX     65535

static const char expected_url[] =
    "`url` is none of redis://HOST[:PORT][/DB], rediss://HOST[:PORT][/DB] (TLS) and "
    "unix:///SOCKET";

void config_state_defaults(struct config *config)
{
    config->state.redis.timeout_ms = TIMEOUT_MS;
    config->state.redis.create = true;
}

bool config_state_backend(const char *name, enum config_state_backend *backend)
{
    *backend = !strcmp(name, "redis") ? CONFIG_STATE_REDIS : CONFIG_STATE_LMDB;
    return *backend == CONFIG_STATE_REDIS || !strcmp(name, "lmdb");
}

static bool set(char **string, const char *text, size_t len)
{
    free(*string);
    *string = strndup(text, len);
    return *string != NULL;
}

static const char *read_db(struct config_redis *redis, const char *text)
{
    char *end;
    unsigned long db = strtoul(text, &end, 10);
    if (!*text)
        return NULL;
    if (*text < '0' || *text > '9' || *end || db > DB_MAX)
        return "`url`: behind the host stands no number of a database";
    redis->db = (unsigned)db;
    return NULL;
}

/* Host and port, as URLs have them: an IPv6 address in brackets. */
static const char *read_host(struct config_redis *redis, const char *text, size_t len)
{
    bool bracket = *text == '[';
    const char *end = bracket ? memchr(text, ']', len) : memchr(text, ':', len);
    if (bracket && !end)
        return "`url`: there is no ] behind the address";
    size_t host = end ? (size_t)(end - text) - bracket : len;
    const char *rest = end ? end + bracket : text + len;
    if (host == 0 || !set(&redis->host, text + bracket, host))
        return expected_url;
    if (rest == text + len)
        return NULL;
    char digits[6] = "", *after;
    size_t n = (size_t)(text + len - rest) - 1;
    if (*rest != ':' || n == 0 || n >= sizeof digits)
        return "`url`: behind the host stands no port";
    memcpy(digits, rest + 1, n);
    unsigned long port = strtoul(digits, &after, 10);
    if (*digits < '0' || *digits > '9' || *after || port < 1 || port > 65535)
        return "`url`: behind the host stands no port";
    redis->port = (uint16_t)port;
    return NULL;
}

static const char *read_url(struct config_redis *redis)
{
    const char *at = redis->url;
    if (redis->host || redis->socket || redis->port)
        return "`url` stands for `host`, `port` and `socket`: it is one or the other";
    if (!strncmp(at, "unix://", 7))
        return at[7] == '/' && set(&redis->socket, at + 7, strlen(at + 7)) ? NULL : expected_url;
    bool secure = !strncmp(at, "rediss://", 9);
    if (!secure && strncmp(at, "redis://", 8) != 0)
        return expected_url;
    if (!secure && redis->tls.on)
        return "`url` is redis://, which is without TLS: rediss:// goes with `tls`";
    redis->tls.on = secure;
    at += secure ? 9 : 8;
    size_t len = strcspn(at, "/");
    const char *sign = memchr(at, '@', len);
    if (sign && memchr(at, ':', (size_t)(sign - at)))
        return "`url` has a password, which is not for this file: `password_file` names one that "
               "has it";
    if (sign && (sign == at || !set(&redis->user, at, (size_t)(sign - at))))
        return expected_url;
    if (sign) {
        len -= (size_t)(sign + 1 - at);
        at = sign + 1;
    }
    const char *problem = read_host(redis, at, len);
    return problem ? problem : at[len] ? read_db(redis, at + len + 1) : NULL;
}

static bool any(const struct config_redis *r)
{
    return r->url || r->host || r->socket || r->port || r->db || r->prefix || r->user ||
           r->password_file || r->tls.on || !r->create || r->timeout_ms != TIMEOUT_MS;
}

static const char *finish_redis(struct config *config)
{
    struct config_redis *r = &config->state.redis;
    const char *problem = r->url ? read_url(r) : NULL;
    if (problem)
        return problem;
    if (config->state.path)
        return "`path` is of `backend: lmdb`, and this is redis";
    if (config->state.max_mb)
        return "`max_mb` is of `backend: lmdb`: Redis has its own maxmemory";
    if (!r->host == !r->socket)
        return "`backend: redis` wants a `url`, a `host` or a `socket`, one of them";
    if (r->socket && (r->tls.on || r->port))
        return "`socket` has neither `port` nor `tls`";
    if (r->user && !r->password_file)
        return "`user` wants a `password_file`";
    if (!r->tls.cert != !r->tls.key)
        return "`tls` wants `cert` and `key`, or none of them";
    if (r->prefix && strlen(r->prefix) > PREFIX_MAX)
        return "`prefix` has more than 200 bytes";
    r->port = r->port ? r->port : PORT;
    if (!r->prefix && !set(&r->prefix, PREFIX, strlen(PREFIX)))
        return "no memory for `prefix`";
    return NULL;
}

const char *config_state_finish(struct config *config)
{
    struct config_redis *r = &config->state.redis;
    r->tls.on = r->tls.ca || r->tls.cert || r->tls.key || r->tls.name;
    if (r->password)
        return "`password` is not for this file: `password_file` names one that has it";
    if (config->state.backend == CONFIG_STATE_REDIS)
        return finish_redis(config);
    if (any(r))
        return "all but `path` and `max_mb` is for Redis: write `backend: redis`";
    config->state.max_mb = config->state.max_mb ? config->state.max_mb : MAX_MB;
    return NULL;
}

bool config_state_kept(const struct config *config)
{
    return config->state.path || config->state.backend == CONFIG_STATE_REDIS;
}

void config_state_free(struct config *config)
{
    struct config_redis *r = &config->state.redis;
    char *texts[] = {config->state.path, r->url,      r->host,          r->socket,
                     r->prefix,          r->user,     r->password_file, r->password,
                     r->tls.ca,          r->tls.cert, r->tls.key,       r->tls.name};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        free(texts[i]);
}
