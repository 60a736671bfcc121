#include "nursery.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "channel.h"
#include "config_state.h"
#include "log.h"
#include "notify.h"
#include "policy.h"
#include "privileges.h"
#include "sibling.h"
#include "state.h"
#include "task.h"
#include "trial.h"
#include "watch.h"
#include "worker.h"

#define SETTLE_MS    300
#define UNSETTLED_MS 2000
#define WATCHED_MAX  4096

/* What workers will not be able to serve is better said now than found by a machine. */
static void check_root(int dir, const char *key, const char *user)
{
    if (dir >= 0 && faccessat(dir, ".", X_OK, AT_EACCESS) < 0)
        log_warn("the directory that `%s` names cannot be entered by user %s: %s", key, user,
                 strerror(errno));
}

static bool tell(const struct generation *g, enum notify_kind kind, const char *text)
{
    struct notify message = {.kind = kind, .pid = getpid(), .generation = g->number};
    snprintf(message.text, sizeof message.text, "%s", text);
    return notify_send(g->notify, &message);
}

static void blame(const struct generation *g, const char *problem)
{
    log_error("%s", problem);
    tell(g, NOTIFY_PROBLEM, problem);
}

static bool refuse_store(const struct generation *g, int error)
{
    char text[NOTIFY_TEXT], name[512];
    state_name(g->config, name, sizeof name);
    snprintf(text, sizeof text, "%s: `state`: no store can be opened at %s: %s", g->config->path,
             name, error == -EINVAL ? "there is no user to make it for" : store_problem(error));
    blame(g, text);
    return false;
}

/* The store's directory, made by who may for who will use it. */
static bool prepare_store(const struct generation *g, const char *user)
{
    int error = state_prepare(g->config, user);
    return error == 0 || refuse_store(g, error);
}

/* Whether the workers will be able to open it: each does so by itself. Redis may come later. */
static bool try_store(const struct generation *g)
{
    struct store *store = NULL;
    struct event_base *base = event_base_new();
    int error =
        base ? state_open(&store, g->config, &g->trust.state, base, g->state_seen) : -ENOMEM;
    store_close(store);
    if (base)
        event_base_free(base);
    return error == 0 || refuse_store(g, error);
}

static uint16_t https_port(const struct config *config)
{
    const struct config_listen *listen = &config->http.tls.listen;
    return listen->n ? ntohs(listen->addresses[0].sin_port) : 0;
}

static struct policy *load(const struct generation *g)
{
    struct problems problems = {0};
    struct policy_options options = {
        .dir = g->release.source,
        .file = g->release.file,
        .display = g->release.display,
        .http_port = ntohs(g->config->http.listen[0].sin_port),
        .https_port = https_port(g->config),
        .only_tls = g->config->http.n_plain == 0,
        .decision_ms = g->config->limits.decision_ms,
        .wait_ms = g->config->limits.wait_ms,
        .waiting = g->config->limits.waiting,
        .memory_mb = g->config->limits.memory_mb,
        .tokens = &g->trust.tokens,
        .seals = g->trust.seals,
        .state = config_state_kept(g->config),
        .stages = g->config->state.stages,
        .unsigned_assets = !g->config->signing.cms_cert,
        .static_tftp = g->config->tftp.backend == CONFIG_TFTP_HPA,
        .metrics = &g->board->slots[0],
        .generation = g->number,
    };
    task_clock_start(); /* a policy may hang while it loads */
    struct policy *policy = policy_load(&options, &problems);
    if (policy)
        policy_log_to(policy, g->decisions);
    for (size_t i = 0; i < problems.n; i++)
        blame(g, problems.lines[i]);
    problems_clear(&problems);
    return policy;
}

static void warn(const char *warning, void *arg)
{
    log_warn("%s", warning);
    tell(arg, NOTIFY_WARNING, warning);
}

/* The policy, unless a trial of it came to a bad end. */
static struct policy *tried(const struct generation *g, struct policy *policy)
{
    if (!policy || trial_run(policy, warn, (void *)g))
        return policy;
    blame(g, "the policy is not to be trusted with decisions");
    policy_free(policy);
    return NULL;
}

static void watch_file(const struct generation *g, struct watch *watch, const char *path)
{
    if (!watch_add(watch, path) && errno != ENOENT) /* it may have come with the program */
        log_warn("generation %llu: %s cannot be watched: %s", (unsigned long long)g->number, path,
                 strerror(errno));
}

/* What this generation was made of; NULL when it is not to be watched, or cannot be. */
static struct watch *watch_all(const struct generation *g, const struct policy *policy)
{
    if (!policy || !g->config->watch)
        return NULL;
    struct watch *watch = watch_open();
    if (!watch) {
        log_warn("files cannot be watched: %s", strerror(errno));
        return NULL;
    }
    size_t n;
    const char *const *names = policy_files(policy, &n);
    watch_file(g, watch, g->config->path);
    if (g->release.bundled) { /* as a whole; a new one is whole when its signature is there */
        for (size_t i = 0; !g->release.fetched && i < 2; i++)
            watch_file(g, watch, i ? g->release.signature : g->release.bundle);
        n = 0;
    }
    for (size_t i = 0; i < n && i < WATCHED_MAX; i++)
        watch_file(g, watch, names[i]);
    if (n > WATCHED_MAX)
        log_warn("%zu files are too many to watch: only the first %d are", n, WATCHED_MAX);
    return watch;
}

/* The supervisor must learn of its end, and goes on when this process is gone: it is his. The
 * worker starts when its supervisor has been told of it: he must never hear from, or bury, one he
 * does not know. */
static pid_t fork_worker(const struct generation *g, struct policy *policy, unsigned slot,
                         int channel)
{
    int gate[2];
    if (pipe2(gate, O_CLOEXEC) < 0)
        return -1;
    pid_t pid = sibling_fork();
    if (pid == 0) {
        char byte;
        close(gate[1]);
        while (read(gate[0], &byte, 1) < 0 && errno == EINTR)
            continue;
        worker_run(g, policy, slot, channel);
    }
    struct notify message = {
        .kind = NOTIFY_SPAWNED, .pid = pid, .generation = g->number, .slot = slot};
    if (pid > 0)
        notify_send(g->notify, &message);
    close(gate[0]);
    close(gate[1]);
    return pid;
}

static void spawn(const struct generation *g, struct policy *policy, unsigned slot, int channel)
{
    if (channel >= 0 && fork_worker(g, policy, slot, channel) > 0)
        return;
    log_error("cannot start worker %u: %s", slot, strerror(errno));
    struct notify message = {.kind = NOTIFY_FAILED, .generation = g->number, .slot = slot};
    notify_send(g->notify, &message);
}

/* Does one thing that it was told; false when there is no more to come: this generation is
 * over. */
static bool obey(struct generation *g, struct policy *policy, int commands)
{
    struct channel_message message;
    int descriptor;
    int result = channel_receive(commands, &message, &descriptor);
    if (result == 1 && message.kind == CHANNEL_LOG && descriptor >= 0) {
        close(policy_log_to(policy, descriptor));
        g->decisions = descriptor; /* for workers to keep */
        return true;
    }
    if (result == 1 && message.kind == CHANNEL_SPAWN)
        spawn(g, policy, message.slot, descriptor);
    if (descriptor >= 0)
        close(descriptor);
    return result == 1 || result == -EINTR || result == -EBADMSG;
}

/* A change is told when no other has come for a moment: editors and tools write more than once,
 * and more than one file. But where something is written all the time it is told, too. */
struct change {
    const char *path; /* NULL: nothing has changed */
    int64_t tell_at, tell_at_last;
};

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void note(struct change *change, const char *path)
{
    int64_t now = now_ms();
    if (!path)
        return;
    if (!change->path)
        change->tell_at_last = now + UNSETTLED_MS;
    change->path = path;
    change->tell_at = now + SETTLE_MS;
    if (change->tell_at > change->tell_at_last)
        change->tell_at = change->tell_at_last;
}

/* How long poll may wait. */
static int patience(const struct change *change)
{
    int64_t left = change->tell_at - now_ms();
    return !change->path ? -1 : left > 0 ? (int)left : 0;
}

/* Obeys and watches. */
static void serve(struct generation *g, struct policy *policy, int commands, struct watch *watch,
                  const char *changed)
{
    struct change change = {0};
    note(&change, changed);
    for (;;) {
        struct pollfd fds[] = {{.fd = commands, .events = POLLIN},
                               {.fd = watch ? watch_fd(watch) : -1, .events = POLLIN}};
        int ready = poll(fds, 2, patience(&change));
        if (ready < 0 && errno != EINTR)
            return;
        if (ready > 0 && fds[1].revents)
            note(&change, watch_read(watch));
        if (change.path && patience(&change) == 0) {
            tell(g, NOTIFY_CHANGED, change.path);
            change.path = NULL;
        }
        if (ready > 0 && fds[0].revents && !obey(g, policy, commands))
            return;
    }
}

_Noreturn void nursery_run(struct generation *g, int commands)
{
    sigset_t none;
    sigemptyset(&none);
    /* The terminal's and the operator's signals are for the supervisor. */
    signal(SIGINT, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    signal(SIGUSR1, SIG_IGN);
    sigprocmask(SIG_SETMASK, &none, NULL);
    log_setup(g->config->log.level, g->config->log.format);
    const char *user = privileges_user(g->config->user);
    bool has_state = config_state_kept(g->config);
    if (has_state && !prepare_store(g, user)) {
        tell(g, NOTIFY_REFUSED, "");
        exit(1);
    }
    if (!privileges_drop(user)) {
        log_error("cannot become user %s: %s", user, strerror(errno));
        tell(g, NOTIFY_REFUSED, "");
        exit(1);
    }
    struct timespec began;
    clock_gettime(CLOCK_REALTIME_COARSE, &began);
    struct policy *policy = load(g);
    struct watch *watch = watch_all(g, policy);
    if (!privileges_finish()) {
        log_error("cannot give up the last capability: %s", strerror(errno));
        exit(1);
    }
    policy = tried(g, policy);
    check_root(g->files.roots[REPLY_ROOT_TFTP], "root", user);
    check_root(g->files.roots[REPLY_ROOT_ASSETS], "assets", user);
    if (policy && has_state && !try_store(g)) {
        policy_free(policy);
        policy = NULL;
    }
    if (policy)
        log_info("generation %llu: loaded %s (%s)", (unsigned long long)g->number,
                 g->release.display, policy_hash(policy));
    if (!tell(g, policy ? NOTIFY_LOADED : NOTIFY_REFUSED, policy ? policy_hash(policy) : "") ||
        !policy)
        exit(1);
    serve(g, policy, commands, watch, watch ? watch_newer(watch, began) : NULL);
    watch_close(watch);
    policy_free(policy);
    exit(0);
}
