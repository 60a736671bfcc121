#include "state.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "store_lmdb.h"
#include "store_local.h"

#define PASSWORD_FILE_MAX 4096
#define SOCKET_MAX        108

/* The first line, whole: a password may have spaces. */
static const char *read_password(const char *path, struct secret *password)
{
    int error = path ? secret_read(path, PASSWORD_FILE_MAX, password) : -ENOMEM;
    if (error)
        return secret_problem(error);
    password->data[strcspn(password->data, "\r\n")] = '\0';
    return *password->data ? NULL : "its first line is empty, and has to be the password";
}

static void read_tls(struct state_trust *trust, const struct config *config,
                     struct problems *problems)
{
    const struct config_redis *redis = &config->state.redis;
    const char *names[] = {redis->tls.ca, redis->tls.cert, redis->tls.key};
    char *paths[3] = {NULL}, problem[512] = "no memory";
    bool good = true;
    for (size_t i = 0; i < 3; i++) {
        paths[i] = names[i] ? config_path(config, names[i]) : NULL;
        good = good && (paths[i] || !names[i]);
    }
    if (good)
        trust->tls = tls_client_open(&(struct tls_client_files){paths[0], paths[1], paths[2]},
                                     problem, sizeof problem);
    if (!trust->tls)
        problems_add(problems, "%s:%u: `state.tls`: %s", config->path, redis->tls_line, problem);
    for (size_t i = 0; i < 3; i++)
        free(paths[i]);
}

void state_trust_open(struct state_trust *trust, const struct config *config,
                      struct problems *problems)
{
    const struct config_redis *redis = &config->state.redis;
    if (redis->password_file) {
        char *path = config_path(config, redis->password_file);
        const char *problem = read_password(path, &trust->password);
        if (problem)
            problems_add(problems, "%s:%u: `password_file: %s`: %s", config->path,
                         redis->password_line, redis->password_file, problem);
        free(path);
    }
    if (redis->tls.on)
        read_tls(trust, config, problems);
    char *socket = redis->socket ? config_path(config, redis->socket) : NULL;
    if (socket && strlen(socket) >= SOCKET_MAX)
        problems_add(problems, "%s:%u: `socket: %s`: a socket's path has %d bytes at most",
                     config->path, redis->socket_line, redis->socket, SOCKET_MAX - 1);
    free(socket);
}

void state_trust_close(struct state_trust *trust)
{
    secret_clear(&trust->password);
    tls_client_close(trust->tls);
    trust->tls = NULL;
}

static bool same_text(const char *a, const char *b)
{
    return a && b ? !strcmp(a, b) : a == b;
}

static bool same_place(const struct config *a, const struct config *b)
{
    const struct config_redis *r = &a->state.redis, *s = &b->state.redis;
    return a->state.backend == b->state.backend && same_text(r->host, s->host) &&
           r->port == s->port && same_text(r->socket, s->socket) && r->db == s->db &&
           same_text(r->prefix, s->prefix);
}

store_redis_seen *state_seen_open(const struct config *config, const struct config *before,
                                  const store_redis_seen *seen)
{
    store_redis_seen *own =
        mmap(NULL, sizeof *own, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (own == MAP_FAILED)
        return NULL;
    if (before && seen && same_place(config, before))
        *own = *seen;
    return own;
}

void state_seen_close(store_redis_seen *seen)
{
    if (seen)
        munmap(seen, sizeof *seen);
}

int state_prepare(const struct config *config, const char *user)
{
    if (!config->state.path)
        return 0;
    struct passwd *entry = user && geteuid() == 0 ? getpwnam(user) : NULL;
    if (user && !entry && geteuid() == 0)
        return -EINVAL;
    char *path = config_path(config, config->state.path);
    int error = path ? store_lmdb_prepare(path, entry ? entry->pw_uid : geteuid(),
                                          entry ? entry->pw_gid : getegid())
                     : -ENOMEM;
    free(path);
    return error;
}

static int open_local(struct store **store, const struct config *config, struct event_base *base)
{
    char *path = config_path(config, config->state.path);
    int error =
        path ? store_local_open(store, base, path, (size_t)config->state.max_mb << 20) : -ENOMEM;
    free(path);
    return error;
}

/* Texts of the configuration outlive the store; the socket's path does not stand in it as it
 * is. */
static int open_redis(struct store **store, const struct config *config,
                      const struct state_trust *trust, struct event_base *base,
                      store_redis_seen *seen)
{
    const struct config_redis *redis = &config->state.redis;
    char *socket = redis->socket ? config_path(config, redis->socket) : NULL;
    const struct store_redis_options options = {
        .link = {.host = redis->host,
                 .port = redis->port,
                 .socket = socket,
                 .user = redis->user,
                 .password = trust->password.data,
                 .db = redis->db,
                 .tls = trust->tls,
                 .tls_name = redis->tls.name,
                 .timeout_ms = redis->timeout_ms},
        .prefix = redis->prefix,
        .create = redis->create,
        .seen = seen,
    };
    *store = socket || !redis->socket ? store_redis_open(base, &options) : NULL;
    free(socket);
    return *store ? 0 : -ENOMEM;
}

int state_open(struct store **store, const struct config *config, const struct state_trust *trust,
               struct event_base *base, store_redis_seen *seen)
{
    if (config->state.backend == CONFIG_STATE_LMDB)
        return open_local(store, config, base);
    return open_redis(store, config, trust, base, seen);
}

void state_name(const struct config *config, char *name, size_t size)
{
    const struct config_redis *redis = &config->state.redis;
    if (config->state.backend == CONFIG_STATE_LMDB)
        snprintf(name, size, "%s", config->state.path ? config->state.path : "nowhere");
    else if (redis->socket)
        snprintf(name, size, "Redis at %s", redis->socket);
    else
        snprintf(name, size, "Redis at %s:%u", redis->host, redis->port);
}
