#include "generation.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "channel.h"
#include "config_place.h"
#include "decision_log.h"
#include "descriptors.h"
#include "log.h"
#include "nursery.h"
#include "privileges.h"

/* A directory that site.yaml names; -1 when it names none. */
static int open_root(const struct config *config, const char *key, const char *name,
                     struct problems *problems)
{
    if (!name)
        return -1;
    char *path = config_path(config, name);
    int fd = path ? files_root_open(path) : -ENOMEM;
    if (fd < 0)
        config_place_complain(config, problems, key, "`%s: %s`: %s", key, name, strerror(-fd));
    free(path);
    return fd < 0 ? -1 : fd;
}

/* tftp-hpa sees its root alone, and not where packages put boot programs. */
static void check_hpa_root(const struct generation *g)
{
    char names[64];
    if (g->config->tftp.backend == CONFIG_TFTP_HPA && g->files.roots[REPLY_ROOT_TFTP] >= 0 &&
        tftp_hpa_missing(g->files.roots[REPLY_ROOT_TFTP], names, sizeof names))
        log_warn("%s: `root: %s` has no %s, which tftp-hpa is asked for to bring iPXE: copy them "
                 "there (Debian: /usr/lib/ipxe)",
                 g->config->path, g->config->tftp.root, names);
}

static int open_decisions(const struct config *config, struct problems *problems)
{
    if (!config->log.decisions)
        return -1;
    char *path = config_path(config, config->log.decisions);
    int fd = path ? decision_log_open(path) : -ENOMEM;
    if (fd < 0)
        config_place_complain(config, problems, "log.decisions", "`log.decisions: %s`: %s",
                              config->log.decisions, strerror(-fd));
    free(path);
    return fd < 0 ? -1 : fd;
}

/* What was decided when the service started goes on. */
static void keep_workers(struct config *config, const struct config *before,
                         struct problems *warnings)
{
    if (config->workers == before->workers)
        return;
    config->workers = before->workers;
    problems_add(warnings, "%s: `workers` takes effect at a restart; %u go on", config->path,
                 before->workers);
}

struct generation *generation_open(const char *site, const struct generation *previous,
                                   bool fetched, struct problems *problems,
                                   struct problems *warnings)
{
    struct generation *g = calloc(1, sizeof *g);
    size_t before = problems->n;
    if (!g) {
        problems_add(problems, "%s: no memory", site);
        return NULL;
    }
    memset(g->channels, 0xff, sizeof g->channels); /* -1 */
    g->release.source = g->commands = g->files.packages = g->decisions = -1;
    memset(g->share, 0xff, sizeof g->share); /* -1 */
    g->files.roots[REPLY_ROOT_TFTP] = g->files.roots[REPLY_ROOT_ASSETS] = -1;
    g->config = config_load(site, problems);
    if (!g->config)
        goto fail;
    if (previous)
        keep_workers(g->config, previous->config, warnings);
    release_open(&g->release, g->config, fetched ? RELEASE_FETCHED : RELEASE_TO_SERVE, problems);
    trust_open(&g->trust, g->config, previous ? &previous->trust : NULL, problems);
    g->state_seen = state_seen_open(g->config, previous ? previous->config : NULL,
                                    previous ? previous->state_seen : NULL);
    if (!g->state_seen)
        problems_add(problems, "%s: no memory for `state`", site);
    g->files.roots[REPLY_ROOT_TFTP] =
        open_root(g->config, "tftp.root", g->config->tftp.root, problems);
    g->files.roots[REPLY_ROOT_ASSETS] =
        open_root(g->config, "http.assets", g->config->http.assets, problems);
    g->files.packages = files_packages_open();
    g->decisions = open_decisions(g->config, problems);
    if (!http_share_make(g->share))
        log_warn("workers ask other servers for themselves: %s", strerror(errno));
    check_hpa_root(g);
    g->sockets = sockets_open(g->config, previous ? previous->sockets : NULL,
                              previous ? previous->config : NULL, problems);
    if (g->sockets && problems->n == before)
        return g;
fail:
    generation_close(g);
    return NULL;
}

void generation_keep(const struct generation *g, int own)
{
    const int fixed[] = {own,
                         g->notify,
                         g->release.source,
                         g->files.roots[REPLY_ROOT_TFTP],
                         g->files.roots[REPLY_ROOT_ASSETS],
                         g->files.packages,
                         g->decisions,
                         g->share[0],
                         g->share[1],
                         g->share[2]};
    size_t n = sizeof fixed / sizeof *fixed;
    size_t all = n + sockets_count(g->sockets);
    int *fds = malloc(all * sizeof *fds);
    if (!fds) {
        log_error("no memory to close descriptors");
        exit(1);
    }
    memcpy(fds, fixed, sizeof fixed);
    sockets_list(g->sockets, fds + n);
    descriptors_keep(fds, all);
    free(fds);
}

int generation_start(struct generation *g, struct generation *previous)
{
    int ends[2];
    if (!channel_open(ends))
        return -errno;
    pid_t pid = fork();
    if (pid < 0) {
        int error = errno;
        close(ends[0]);
        close(ends[1]);
        return -error;
    }
    if (pid == 0) {
        generation_close(previous); /* its keys are not for this process */
        generation_keep(g, ends[1]);
        nursery_run(g, ends[1]);
    }
    close(ends[1]);
    g->commands = ends[0];
    g->nursery = pid;
    return 0;
}

static void close_channel(struct generation *g, unsigned slot)
{
    if (g->channels[slot] >= 0)
        close(g->channels[slot]);
    g->channels[slot] = -1;
}

int generation_spawn(struct generation *g, unsigned slot)
{
    struct channel_message message = {.kind = CHANNEL_SPAWN, .slot = slot};
    int ends[2];
    if (!channel_open(ends))
        return -errno;
    close_channel(g, slot);
    g->channels[slot] = ends[0];
    int error = channel_send(g->commands, &message, ends[1]);
    close(ends[1]);
    if (error < 0)
        close_channel(g, slot);
    return error;
}

int generation_take_channel(struct generation *g, unsigned slot)
{
    int channel = g->channels[slot];
    g->channels[slot] = -1;
    return channel;
}

void generation_serve_tftp(const struct generation *g, struct tftp_hpa *hpa)
{
    const struct config *config = g->config;
    bool wanted = config->tftp.backend == CONFIG_TFTP_HPA;
    char *root = wanted ? config_path(config, config->tftp.root) : NULL;
    struct tftp_hpa_options options = {root, config->tftp.port, privileges_user(config->user)};
    tftp_hpa_serve(hpa, root ? &options : NULL);
    free(root);
}

void generation_watch_tftp(const struct generation *g, struct tftp_hpa *hpa)
{
    tftp_hpa_tick(hpa);
    if (g && !tftp_hpa_listens(hpa))
        sockets_bind_tftp(g->sockets, g->config);
}

bool generation_reopen_log(struct generation *g)
{
    if (g->decisions < 0)
        return false;
    struct problems problems = {0};
    struct channel_message message = {.kind = CHANNEL_LOG};
    int fd = open_decisions(g->config, &problems);
    for (size_t i = 0; i < problems.n; i++)
        log_error("%s: the decision log goes on in the old file", problems.lines[i]);
    problems_clear(&problems);
    if (fd < 0)
        return false;
    close(g->decisions);
    g->decisions = fd;
    if (g->nursery && channel_send(g->commands, &message, fd) < 0)
        log_warn("decision log: later workers write to the old file");
    for (unsigned slot = 0; slot < METRICS_MAX_WORKERS; slot++) {
        if (g->channels[slot] >= 0)
            (void)channel_send(g->channels[slot], &message, fd);
    }
    return true;
}

static void close_fd(int fd)
{
    if (fd >= 0)
        close(fd);
}

void generation_close(struct generation *g)
{
    if (!g)
        return;
    close_fd(g->commands);
    for (unsigned slot = 0; slot < METRICS_MAX_WORKERS; slot++)
        close_channel(g, slot);
    close_fd(g->files.roots[REPLY_ROOT_TFTP]);
    close_fd(g->files.roots[REPLY_ROOT_ASSETS]);
    close_fd(g->files.packages);
    close_fd(g->decisions);
    http_share_unmake(g->share);
    sockets_close(g->sockets);
    trust_close(&g->trust);
    state_seen_close(g->state_seen);
    config_free(g->config);
    release_close(&g->release);
    free(g);
}
