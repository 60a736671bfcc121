#include "fetch.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "config_policy.h"
#include "crew.h"
#include "log.h"

#define BACKOFF_MAX_S 3600 /* but never less than the interval */
#define BACKOFF_SHIFT 6
#define FIRST_MS      500 /* the first pause, while there is nothing to serve */
#define SOON_MS       2000

void fetch_init(struct fetch *f, struct metrics_board *board)
{
    *f = (struct fetch){.report = -1, .board = board};
}

static void end_child(struct fetch *f)
{
    if (f->child)
        kill(f->child, SIGKILL);
    f->child = 0;
    if (f->report >= 0)
        close(f->report);
    f->report = -1;
}

void fetch_stop(struct fetch *f)
{
    end_child(f);
    config_free(f->config);
    f->config = NULL;
    f->pending = false;
}

/* --- when --------------------------------------------------------------------------------------
 */

/* From three quarters to five quarters: a fleet does not ask at once. */
static uint64_t jittered(uint64_t ms)
{
    return ms - ms / 4 + randombytes_uniform((uint32_t)(ms / 2 + 1));
}

static void plan(struct fetch *f)
{
    uint64_t interval = (uint64_t)f->config->policy_refresh.interval_s * 1000;
    uint64_t most = interval > BACKOFF_MAX_S * 1000 ? interval : BACKOFF_MAX_S * 1000;
    unsigned shift = f->failures < BACKOFF_SHIFT ? f->failures : BACKOFF_SHIFT;
    uint64_t pause = interval << shift < most ? interval << shift : most;
    if (!f->board->generation && pause > (uint64_t)FIRST_MS << shift)
        pause = (uint64_t)FIRST_MS << shift; /* nothing serves: somebody waits */
    f->due = crew_now() + jittered(pause);
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && !strcmp(a, b));
}

void fetch_follow(struct fetch *f, const char *site, bool at_once)
{
    struct problems problems = {0};
    struct config *config = config_load(site, &problems);
    problems_clear(&problems);
    if (!config || !config_policy_is_fetched(config)) {
        config_free(config);
        fetch_stop(f);
        return;
    }
    if (!f->config || !same_text(f->config->policy, config->policy)) {
        end_child(f);
        f->pending = false;
        f->failures = 0;
        memset(f->ran, 0, sizeof f->ran);
        f->due = crew_now() + randombytes_uniform(SOON_MS);
    }
    config_free(f->config);
    f->config = config;
    if (at_once) { /* keys may have changed, too */
        memset(f->refused, 0, sizeof f->refused);
        f->due = crew_now();
    }
}

bool fetch_first(struct fetch *f, const char *site)
{
    struct problems problems = {0};
    struct config *config = config_load(site, &problems);
    problems_clear(&problems);
    if (config && f->config && !same_text(f->config->policy, config->policy))
        f->pending = false; /* it came from the URL of before */
    char *cache = config && config_policy_is_fetched(config)
                      ? config_path(config, config->policy_cache)
                      : NULL;
    bool first =
        cache && !f->pending && !fetch_cache_has(cache, FETCH_CACHE_RAN, config->policy, NULL);
    free(cache);
    config_free(config);
    if (first)
        fetch_follow(f, site, true);
    return first && f->config;
}

/* --- fetching ----------------------------------------------------------------------------------
 */

static void failed(struct fetch *f, const char *problem)
{
    snprintf(f->problem, sizeof f->problem, "%s", problem);
    f->failures++;
    f->board->policy_fetches[FETCH_FAILED]++;
    plan(f);
    log_warn("fetching the policy: %s (failure %u in a row, the next try in %llu s)", problem,
             f->failures, (unsigned long long)(f->due - crew_now() + 500) / 1000);
}

/* The files that are to be fetched into, and what is there from before. */
static int prepare(const struct fetch *f, struct fetch_order *order,
                   char etag[FETCH_CACHE_ETAG_MAX])
{
    char *cache = release_prepare_cache(f->config);
    int error = cache ? fetch_cache_begin(cache, &order->bundle, &order->signature) : -errno;
    if (!error)
        fetch_cache_has(cache, FETCH_CACHE_RAN, f->config->policy, etag);
    free(cache);
    return error;
}

static int start(struct fetch *f, struct generation *current, struct generation *candidate)
{
    struct fetch_order order = {.config = f->config};
    char etag[FETCH_CACHE_ETAG_MAX];
    int ends[2];
    int error = prepare(f, &order, etag);
    if (error)
        return error;
    order.etag = f->board->generation && !f->astray ? etag : ""; /* only of what serves */
    pid_t pid = pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0 ? -1 : 0;
    if (pid == 0) {
        order.report = ends[1];
        pid = fork();
        if (pid == 0) {
            generation_close(current); /* their keys are not for this process */
            generation_close(candidate);
            fetch_child_run(&order);
        }
        error = pid < 0 ? -errno : 0;
        close(ends[1]);
        if (error)
            close(ends[0]);
    } else
        error = -errno;
    close(order.bundle);
    close(order.signature);
    if (!error) {
        f->child = pid;
        f->report = ends[0];
    }
    return error;
}

void fetch_tick(struct fetch *f, struct generation *current, struct generation *candidate)
{
    if (!f->config || f->child || f->pending || crew_now() < f->due)
        return;
    f->last = time(NULL);
    f->board->policy_fetched_at = (uint64_t)f->last;
    int error = start(f, current, candidate);
    if (error) {
        char problem[FETCH_PROBLEM_MAX];
        snprintf(problem, sizeof problem, "`policy_cache`: %s", strerror(-error));
        failed(f, problem);
    }
}

/* --- what came of it ---------------------------------------------------------------------------
 */

static void succeeded(struct fetch *f, enum fetch_result result)
{
    f->last_good = time(NULL);
    f->board->policy_fetched_well_at = (uint64_t)f->last_good;
    f->board->policy_fetches[result]++;
    f->failures = 0;
    *f->problem = '\0';
    plan(f);
}

static void take(struct fetch *f, const struct fetch_report *report)
{
    static const uint8_t none[FETCH_HASH_LEN];
    char problem[FETCH_PROBLEM_MAX];
    if (report->result == FETCH_SAME || !memcmp(report->hash, f->ran, sizeof f->ran)) {
        succeeded(f, FETCH_SAME);
        return;
    }
    if (memcmp(f->refused, none, sizeof none) != 0 &&
        !memcmp(report->hash, f->refused, sizeof f->refused)) {
        snprintf(problem, sizeof problem, "%s: it is still the one that was refused",
                 f->config->policy);
        failed(f, problem);
        return;
    }
    char *cache = config_path(f->config, f->config->policy_cache);
    int error = cache ? fetch_cache_note(cache, f->config->policy, report->etag) : -ENOMEM;
    free(cache);
    if (error) {
        snprintf(problem, sizeof problem, "`policy_cache`: %s", strerror(-error));
        failed(f, problem);
        return;
    }
    memcpy(f->found, report->hash, sizeof f->found);
    f->pending = true;
}

/* What a process said that is not trusted. */
static bool understand(struct fetch_report *report, ssize_t n)
{
    report->etag[sizeof report->etag - 1] = '\0';
    report->problem[sizeof report->problem - 1] = '\0';
    return n == (ssize_t)sizeof *report && report->result <= FETCH_NEW &&
           !strpbrk(report->etag, "\r\n");
}

bool fetch_ended(struct fetch *f, pid_t pid, int status)
{
    struct fetch_report report = {0};
    char problem[FETCH_PROBLEM_MAX];
    if (!f->child || pid != f->child)
        return false;
    ssize_t n = read(f->report, &report, sizeof report);
    f->child = 0; /* it is gone: there is nothing to kill */
    end_child(f);
    if (!understand(&report, n)) {
        if (WIFSIGNALED(status))
            snprintf(problem, sizeof problem, "its process was ended by signal %d (%s)",
                     WTERMSIG(status), strsignal(WTERMSIG(status)));
        else
            snprintf(problem, sizeof problem, "its process ended with status %d",
                     WEXITSTATUS(status));
        failed(f, problem);
    } else if (report.result == FETCH_FAILED)
        failed(f, report.problem);
    else
        take(f, &report);
    return true;
}

void fetch_settle(struct fetch *f, bool good, const char *problem)
{
    if (!f->pending)
        return;
    f->pending = false;
    f->astray = !good;
    memcpy(good ? f->ran : f->refused, f->found, sizeof f->found);
    if (good)
        succeeded(f, FETCH_NEW);
    else if (f->config)
        failed(f, problem);
}

void fetch_serves(struct fetch *f)
{
    if (f->astray)
        memset(f->refused, 0, sizeof f->refused); /* it may be that one */
    f->astray = false;
}
