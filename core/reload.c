#include "reload.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "absent.h"
#include "config_place.h"
#include "json.h"
#include "log.h"
#include "privileges.h"
#include "systemd.h"

#define TICK_MS      250
#define SWAP_MS      500 /* for old workers to stop reading, before new ones start anyway */
#define RETRY_MAX_MS 60000
#define PROBLEMS_MAX 100

/* --- outcomes --------------------------------------------------------------------------------- */

static void tell_outcome(struct supervisor *s, bool good)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    if (out) {
        const struct load *load = good ? &s->serving : &s->refused;
        fprintf(out, "{\"result\":\"%s\",\"generation\":%" PRIu64 ",\"errors\":",
                good ? "loaded" : "refused", s->serving.generation);
        json_strings(out, (const char *const *)load->problems.lines, load->problems.n);
        fputs(",\"warnings\":", out);
        json_strings(out, (const char *const *)load->warnings.lines, load->warnings.n);
        fputs("}", out);
        fclose(out);
    }
    control_settle(&s->control, s->loads, text);
    free(text);
}

static void forget(struct load *load)
{
    problems_clear(&load->problems);
    problems_clear(&load->warnings);
    *load = (struct load){0};
}

/* Nothing serves, but what is fetched next may. */
static bool awaits_fetch(struct supervisor *s)
{
    if (!s->fetch.config)
        fetch_follow(&s->fetch, s->site, true);
    return s->fetch.config && s->fetch.failures < FETCH_FIRST_TRIES;
}

static void refuse(struct supervisor *s)
{
    s->board->reloads_refused++;
    s->board->last_refused = 1;
    forget(&s->refused);
    s->refused = s->loading;
    s->refused.at = time(NULL);
    s->loading = (struct load){0};
    if (s->refused.fetched)
        fetch_settle(&s->fetch, false,
                     s->refused.problems.n ? s->refused.problems.lines[0] : "it was refused");
    if (s->current)
        log_error("reload refused: generation %llu goes on serving",
                  (unsigned long long)s->current->number);
    else
        s->failed = !awaits_fetch(s);
    if (s->current)
        systemd_notify("READY=1\nSTATUS=Generation %llu serves; the last reload was refused",
                       (unsigned long long)s->current->number);
    tell_outcome(s, false);
}

void reload_problem(struct supervisor *s, const char *problem)
{
    if (s->loading.problems.n < PROBLEMS_MAX)
        problems_add(&s->loading.problems, "%s", problem);
}

void reload_warning(struct supervisor *s, const char *warning)
{
    if (s->loading.warnings.n < PROBLEMS_MAX)
        problems_add(&s->loading.warnings, "%s", warning);
}

void reload_changed(struct supervisor *s, const char *file)
{
    struct origin origin = {.kind = ORIGIN_WATCH};
    if (s->stopping)
        return;
    snprintf(origin.file, sizeof origin.file, "%s", file);
    log_info("reloading %s: %s has changed", s->site, file);
    reload_begin(s, &origin);
}

void reload_fetched(struct supervisor *s)
{
    if (s->stopping)
        return;
    if (s->fetch.pending) {
        log_info("reloading %s: the policy has been fetched", s->site);
        reload_begin(s, &(struct origin){.kind = ORIGIN_FETCH});
    } else if (!s->current && !s->candidate)
        s->failed = !awaits_fetch(s);
}

void reload_forget(struct supervisor *s)
{
    forget(&s->loading);
    forget(&s->serving);
    forget(&s->refused);
}

void reload_end_candidate(struct supervisor *s)
{
    struct generation *candidate = s->candidate;
    s->candidate = NULL;
    s->swapping = false;
    if (candidate->nursery)
        kill(candidate->nursery, SIGKILL); /* it may be busy loading, and has nothing to save */
    CREW_EACH(&s->crew, w) {
        if (w->generation == candidate->number)
            crew_stop(w);
    }
    generation_close(candidate);
    control_abandon(&s->control);
}

void reload_discard(struct supervisor *s)
{
    reload_end_candidate(s);
    if (s->loading.problems.n == 0)
        reload_problem(s, "its processes could not be started: see the log");
    refuse(s);
}

/* --- loading ---------------------------------------------------------------------------------- */

static bool user_exists(const struct config *config, struct problems *problems)
{
    if (geteuid() != 0 || privileges_user(config->user))
        return true;
    config_place_complain(
        config, problems, "user",
        "there is no user \"%s\" for workers to run as: make one (useradd --system "
        "%s), or name another as `user`",
        config->user ? config->user : "nobody", config->user ? config->user : "moonboot");
    return false;
}

static bool start(struct supervisor *s, struct generation *g, struct problems *problems)
{
    if (!user_exists(g->config, problems) || !control_prepare(&s->control, g->config, problems))
        return false;
    g->number = s->loading.generation = s->next_number++;
    g->board = s->board;
    g->supervisor = getpid();
    g->notify = s->notify[1];
    s->load_deadline = crew_now() + RELOAD_MAX_MS;
    int error = generation_start(g, s->current);
    if (error < 0)
        problems_add(problems, "cannot start a process: %s", strerror(-error));
    return error == 0;
}

/* They may come up later, and DHCP is answered there then. */
static void warn_of_interfaces(struct supervisor *s, const struct config *config)
{
    struct problems absent = {0};
    absent_interfaces(config, &absent);
    for (size_t i = 0; i < absent.n; i++) {
        log_warn("%s", absent.lines[i]);
        reload_warning(s, absent.lines[i]);
    }
    problems_clear(&absent);
}

void reload_begin(struct supervisor *s, const struct origin *origin)
{
    struct problems *problems = &s->loading.problems;
    if (s->candidate) {
        s->reload_again = true;
        s->again = *origin;
        return;
    }
    s->reload_again = false;
    s->loads++;
    if (s->current)
        systemd_reloading();
    forget(&s->loading);
    s->loading.origin = *origin;
    if (fetch_first(&s->fetch, s->site) && !s->current) {
        log_info("fetching %s first", s->fetch.config->policy);
        return;
    }
    s->loading.fetched = s->fetch.pending;
    struct generation *g =
        generation_open(s->site, s->current, s->loading.fetched, problems, &s->loading.warnings);
    for (size_t i = 0; i < s->loading.warnings.n; i++)
        log_warn("%s", s->loading.warnings.lines[i]);
    if (g && start(s, g, problems)) {
        s->candidate = g;
        warn_of_interfaces(s, g->config);
        return;
    }
    for (size_t i = 0; i < problems->n; i++)
        log_error("%s", problems->lines[i]);
    generation_close(g);
    control_abandon(&s->control);
    refuse(s);
}

void reload_loaded(struct supervisor *s, const char *hash)
{
    snprintf(s->loading.hash, sizeof s->loading.hash, "%s", hash);
    for (unsigned slot = 0; slot < s->candidate->config->workers; slot++) {
        if (generation_spawn(s->candidate, slot) < 0) {
            reload_discard(s);
            return;
        }
    }
}

/* --- swapping --------------------------------------------------------------------------------- */

static void finish_swap(struct supervisor *s)
{
    struct generation *old = s->current;
    s->current = s->candidate;
    s->candidate = NULL;
    s->swapping = false;
    forget(&s->serving);
    s->serving = s->loading;
    s->serving.at = time(NULL);
    s->loading = (struct load){0};
    s->board->generation = s->current->number;
    s->board->loaded_at = (uint64_t)s->serving.at;
    s->board->reloads++;
    s->board->last_refused = 0;
    s->board->policy_version = s->current->release.version.version;
    if (s->serving.fetched) /* or it came while this one was loading: it is next */
        fetch_settle(&s->fetch, true, NULL);
    else if (s->current->release.fetched)
        fetch_serves(&s->fetch);
    fetch_follow(&s->fetch, s->site,
                 s->serving.origin.kind == ORIGIN_SIGNAL ||
                     s->serving.origin.kind == ORIGIN_CONTROL);
    CREW_EACH(&s->crew, w) {
        if (w->generation == s->current->number && w->state == CREW_READY)
            crew_serve(w);
        else if (w->generation != s->current->number && w->state < CREW_STOPPING)
            crew_stop(w);
    }
    generation_close(old);
    generation_serve_tftp(s->current, s->hpa);
    control_commit(&s->control);
    log_setup(s->current->config->log.level, s->current->config->log.format);
    if (!old && !s->control.now.path)
        log_info("there is no control socket for `moonboot status` and its like: `control` in %s "
                 "names one",
                 s->site);
    log_info("ready: generation %llu, %u workers", (unsigned long long)s->current->number,
             s->current->config->workers);
    systemd_notify("READY=1\nSTATUS=Generation %llu serves, %u workers",
                   (unsigned long long)s->current->number, s->current->config->workers);
    tell_outcome(s, true);
}

static void begin_swap(struct supervisor *s)
{
    if (!release_ran(&s->candidate->release, s->candidate->config)) {
        reload_problem(s, "its version cannot be remembered: see the log");
        reload_discard(s);
        return;
    }
    s->swapping = true;
    s->deadline = crew_now() + SWAP_MS;
    memset(s->crew.vacancies, 0, sizeof s->crew.vacancies);
    CREW_EACH(&s->crew, w) {
        if (w->generation != s->candidate->number && w->state < CREW_STOPPING)
            crew_stop(w);
    }
}

void reload_advance(struct supervisor *s)
{
    if (s->stopping || !s->candidate)
        return;
    if (!s->swapping &&
        crew_count(&s->crew, s->candidate->number, CREW_READY) == s->candidate->config->workers)
        begin_swap(s);
    if (!s->swapping)
        return;
    unsigned old = 0;
    CREW_EACH(&s->crew, w)
        old += w->state == CREW_STOPPING;
    if (old == 0 || crew_now() >= s->deadline)
        finish_swap(s);
}

/* --- time ------------------------------------------------------------------------------------- */

/* Until there is a nursery again no worker can be replaced: tries, with growing pauses. */
static void regain_nursery(struct supervisor *s)
{
    if (!s->current || s->candidate)
        return;
    if (s->current->nursery) {
        s->retry_ms = 0;
        return;
    }
    if (s->retry_ms && crew_now() < s->retry_at)
        return;
    s->retry_ms = !s->retry_ms                     ? TICK_MS
                  : 2 * s->retry_ms < RETRY_MAX_MS ? 2 * s->retry_ms
                                                   : RETRY_MAX_MS;
    s->retry_at = crew_now() + s->retry_ms;
    reload_begin(s, &(struct origin){.kind = ORIGIN_NURSERY});
}

static void give_up(struct supervisor *s)
{
    char problem[64];
    if (!s->candidate || s->swapping || crew_now() < s->load_deadline)
        return;
    snprintf(problem, sizeof problem, "generation %llu was not ready after %d s",
             (unsigned long long)s->candidate->number, RELOAD_MAX_MS / 1000);
    log_error("%s", problem);
    reload_problem(s, problem);
    reload_discard(s);
}

void reload_tick(struct supervisor *s)
{
    give_up(s);
    reload_advance(s);
    if (s->reload_again && !s->candidate)
        reload_begin(s, &s->again);
    regain_nursery(s);
}
