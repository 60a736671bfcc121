#include "trial.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "log.h"
#include "task.h"

#define TRIAL_MS    10000
#define WARNING_MAX 1024

static void write_line(const char *warning, void *arg)
{
    dprintf(*(const int *)arg, "%.*s\n", WARNING_MAX - 2, warning);
}

_Noreturn static void run(struct policy *policy, int out)
{
    log_setup(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT); /* what it says of these machines is of no use */
    if (task_clock_start())
        policy_try(policy, write_line, &out);
    _exit(0);
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Passes lines on until the other end is closed; false when that takes too long. */
static bool pass_on(int in, void (*warn)(const char *warning, void *arg), void *arg)
{
    char text[WARNING_MAX];
    size_t len = 0;
    int64_t end = now_ms() + TRIAL_MS;
    for (;;) {
        struct pollfd readable = {.fd = in, .events = POLLIN};
        int64_t left = end - now_ms();
        int ready = left > 0 ? poll(&readable, 1, (int)left) : 0;
        if (ready == 0)
            return false;
        ssize_t n = ready < 0 ? -1 : read(in, text + len, sizeof text - 1 - len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n == 0;
        len += (size_t)n;
        text[len] = '\0';
        char *line = text, *newline;
        while ((newline = strchr(line, '\n'))) {
            *newline = '\0';
            warn(line, arg);
            line = newline + 1;
        }
        len = strlen(line);
        memmove(text, line, len);
        if (len == sizeof text - 1)
            len = 0; /* none of ours is so long */
    }
}

bool trial_run(struct policy *policy, void (*warn)(const char *warning, void *arg), void *arg)
{
    int ends[2], status = 0;
    if (pipe(ends) < 0)
        return true; /* it is a help, no more */
    pid_t pid = fork();
    if (pid == 0) {
        close(ends[0]);
        run(policy, ends[1]);
    }
    close(ends[1]);
    bool ended = pid < 0 || pass_on(ends[0], warn, arg);
    close(ends[0]);
    if (!ended)
        kill(pid, SIGKILL);
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    if (ended && !(pid > 0 && WIFSIGNALED(status)))
        return true;
    char problem[128];
    if (!ended)
        snprintf(problem, sizeof problem, "the policy does not decide: a trial took more than %d s",
                 TRIAL_MS / 1000);
    else
        snprintf(problem, sizeof problem,
                 "the policy ends the process that decides: signal %d (%s) in a trial",
                 WTERMSIG(status), strsignal(WTERMSIG(status)));
    warn(problem, arg);
    return false;
}
