#include "nursery.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "log.h"
#include "notify.h"
#include "policy.h"
#include "task.h"
#include "worker.h"

/* From root to the service's user, for good. The supervisor has checked that the user
 * exists. */
static bool drop_privileges(const char *user)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return false;
    if (geteuid() != 0)
        return true;
    struct passwd *entry = getpwnam(user);
    return entry && setgroups(0, NULL) == 0 &&
           setresgid(entry->pw_gid, entry->pw_gid, entry->pw_gid) == 0 &&
           setresuid(entry->pw_uid, entry->pw_uid, entry->pw_uid) == 0;
}

static struct policy *load(const struct generation *g)
{
    struct problems problems = {0};
    struct policy_options options = {
        .dir = g->policy_dir,
        .file = g->policy_file,
        .display = g->policy_path,
        .http_port = ntohs(g->config->http.listen[0].sin_port),
        .decision_ms = g->config->limits.decision_ms,
        .memory_mb = g->config->limits.memory_mb,
        .metrics = &g->board->slots[0],
    };
    task_clock_start(); /* a policy may hang while it loads */
    struct policy *policy = policy_load(&options, &problems);
    for (size_t i = 0; i < problems.n; i++)
        log_error("%s", problems.lines[i]);
    problems_clear(&problems);
    return policy;
}

/* A fork whose child is the supervisor's: it is he who must learn of its end, and who
 * goes on when this process is gone. Safe by hand, as there is only this thread. */
static pid_t fork_for_supervisor(void)
{
    return (pid_t)syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0);
}

static void spawn(const struct generation *g, struct policy *policy, unsigned slot, int commands)
{
    pid_t pid = fork_for_supervisor();
    if (pid == 0) {
        close(commands);
        worker_run(g, policy, slot);
    }
    if (pid < 0) {
        log_error("cannot start a worker: %s", strerror(errno));
        return;
    }
    struct notify message = {NOTIFY_SPAWNED, pid, g->number, slot};
    notify_send(g->notify, &message);
}

_Noreturn void nursery_run(const struct generation *g, int commands)
{
    sigset_t none;
    sigemptyset(&none);
    /* The terminal's and the operator's signals are for the supervisor. */
    signal(SIGINT, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    signal(SIGUSR1, SIG_IGN);
    sigprocmask(SIG_SETMASK, &none, NULL);
    struct notify message = {NOTIFY_REFUSED, getpid(), g->number, 0};
    if (!drop_privileges(g->config->user)) {
        log_error("cannot become user %s: %s", g->config->user, strerror(errno));
        notify_send(g->notify, &message);
        exit(1);
    }
    struct policy *policy = load(g);
    message.kind = policy ? NOTIFY_LOADED : NOTIFY_REFUSED;
    if (policy)
        log_info("generation %llu: loaded %s (%s)", (unsigned long long)g->number, g->policy_path,
                 policy_hash(policy));
    if (!notify_send(g->notify, &message) || !policy)
        exit(1);
    for (;;) {
        unsigned slot;
        ssize_t n = recv(commands, &slot, sizeof slot, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n != (ssize_t)sizeof slot) /* closed: this generation is over */
            break;
        spawn(g, policy, slot, commands);
    }
    policy_free(policy);
    exit(0);
}
