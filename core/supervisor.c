#include "supervisor.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "crew.h"
#include "generation.h"
#include "log.h"
#include "notify.h"
#include "privileges.h"

#define TICK_MS        250
#define SWAP_MS        500   /* for old workers to stop reading, before new ones start anyway */
#define DRAIN_MS       30000 /* for transfers to end at SIGTERM */
#define LOADING_MAX_MS 90000 /* from SIGHUP to ready */
#define RETRY_MAX_MS   60000
#define STANDSTILL_MS  2000 /* an event loop that does not turn for so long hangs */

struct supervisor {
    const char *site;
    struct metrics_board *board;
    struct generation *current;   /* NULL: none serves yet */
    struct generation *candidate; /* NULL: no reload is under way */
    bool swapping;                /* the candidate is ready; old workers are stopping */
    bool reload_again;            /* SIGHUP came while a reload was under way */
    bool stopping;
    bool failed;
    uint64_t deadline;      /* of the swap, or of the stop */
    uint64_t load_deadline; /* of the candidate */
    uint64_t retry_at;      /* a nursery was lost: the next try to load */
    unsigned retry_ms;
    uint64_t ticked; /* when */
    uint64_t next_number;
    int signals;   /* signalfd */
    int notify[2]; /* datagrams from nurseries and workers: [0] ours */
    struct crew crew;
};

/* --- generations: loading, swapping ---------------------------------------------------- */

static void refuse(struct supervisor *s)
{
    s->board->reloads_refused++;
    s->board->last_refused = 1;
    if (s->current)
        log_error("reload refused: generation %llu goes on serving",
                  (unsigned long long)s->current->number);
    else
        s->failed = true;
}

static void end_candidate(struct supervisor *s)
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
}

static void discard_candidate(struct supervisor *s)
{
    end_candidate(s);
    refuse(s);
}

static bool user_exists(const struct config *config, struct problems *problems)
{
    if (geteuid() != 0 || privileges_user(config->user))
        return true;
    problems_add(problems,
                 "%s: there is no user \"%s\" for workers to run as: make one (useradd --system "
                 "%s), or name another as `user`",
                 config->path, config->user ? config->user : "nobody",
                 config->user ? config->user : "moonboot");
    return false;
}

static void begin_load(struct supervisor *s)
{
    struct problems problems = {0};
    if (s->candidate) {
        s->reload_again = true;
        return;
    }
    s->reload_again = false;
    struct generation *g = generation_open(s->site, s->current, &problems);
    if (g && user_exists(g->config, &problems)) {
        int unwanted[] = {s->signals, s->notify[0]};
        g->number = s->next_number++;
        g->board = s->board;
        g->supervisor = getpid();
        g->notify = s->notify[1];
        int error = generation_start(g, s->current, unwanted, 2);
        s->load_deadline = crew_now() + LOADING_MAX_MS;
        if (error == 0)
            s->candidate = g;
        else
            problems_add(&problems, "cannot start a process: %s", strerror(-error));
    }
    for (size_t i = 0; i < problems.n; i++)
        log_error("%s", problems.lines[i]);
    problems_clear(&problems);
    if (!s->candidate) {
        generation_close(g);
        refuse(s);
    }
}

static void finish_swap(struct supervisor *s)
{
    struct generation *old = s->current;
    s->current = s->candidate;
    s->candidate = NULL;
    s->swapping = false;
    s->board->generation = s->current->number;
    s->board->loaded_at = (uint64_t)time(NULL);
    s->board->reloads++;
    s->board->last_refused = 0;
    CREW_EACH(&s->crew, w) {
        if (w->generation == s->current->number && w->state == CREW_READY)
            crew_serve(w);
        else if (w->generation != s->current->number && w->state < CREW_STOPPING)
            crew_stop(w);
    }
    generation_close(old);
    log_setup(s->current->config->log.level, s->current->config->log.format);
    log_info("ready: generation %llu, %u workers", (unsigned long long)s->current->number,
             s->current->config->workers);
}

static void begin_swap(struct supervisor *s)
{
    s->swapping = true;
    s->deadline = crew_now() + SWAP_MS;
    memset(s->crew.vacancies, 0, sizeof s->crew.vacancies);
    CREW_EACH(&s->crew, w) {
        if (w->generation != s->candidate->number && w->state < CREW_STOPPING)
            crew_stop(w);
    }
}

/* Moves a reload on when what it waits for has come. */
static void advance(struct supervisor *s)
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

/* --- messages ---------------------------------------------------------------------------- */

static void on_ready(struct supervisor *s, struct crew_worker *w)
{
    bool current = s->current && w->generation == s->current->number;
    bool candidate = s->candidate && w->generation == s->candidate->number;
    w->state = CREW_READY;
    if (s->stopping || (current && s->swapping) || !(current || candidate))
        crew_stop(w); /* of a generation that is over */
    else if (current)
        crew_serve(w);
}

static void spawn_all(struct supervisor *s)
{
    for (unsigned slot = 0; slot < s->candidate->config->workers; slot++) {
        if (generation_spawn(s->candidate, slot) < 0) {
            discard_candidate(s);
            return;
        }
    }
}

/* A worker came to nothing: of the candidate or of what serves. */
static void on_failed(struct supervisor *s, const struct notify *message)
{
    if (s->candidate && message->generation == s->candidate->number && !s->swapping)
        discard_candidate(s);
    else
        crew_vacate(&s->crew, message->slot, true);
}

/* Whose word a message is: a nursery speaks for its generation, a worker for itself. */
static bool believed(struct supervisor *s, const struct notify *message, pid_t sender)
{
    if (message->slot >= METRICS_MAX_WORKERS)
        return false;
    if (message->kind == NOTIFY_READY || message->kind == NOTIFY_STOPPED)
        return message->pid == sender;
    struct generation *const generations[] = {s->candidate, s->current};
    for (size_t i = 0; i < 2; i++) {
        if (generations[i] && generations[i]->number == message->generation)
            return generations[i]->nursery == sender;
    }
    return false;
}

static void on_message(struct supervisor *s, const struct notify *message)
{
    bool of_candidate = s->candidate && message->generation == s->candidate->number;
    struct crew_worker *w;
    switch (message->kind) {
    case NOTIFY_LOADED:
        if (of_candidate)
            spawn_all(s);
        break;
    case NOTIFY_REFUSED:
        if (of_candidate)
            discard_candidate(s);
        break;
    case NOTIFY_FAILED:
        on_failed(s, message);
        break;
    case NOTIFY_SPAWNED:
        /* It may have died, and been waited for, before its nursery said so. */
        if (kill(message->pid, 0) < 0)
            on_failed(s, message);
        else if (!crew_add(&s->crew, message))
            kill(message->pid, SIGKILL);
        break;
    case NOTIFY_READY:
        w = crew_find(&s->crew, message->pid);
        if (w && w->state == CREW_STARTING)
            on_ready(s, w);
        break;
    case NOTIFY_STOPPED:
        w = crew_find(&s->crew, message->pid);
        if (w)
            w->state = CREW_DRAINING;
        break;
    }
}

static void read_messages(struct supervisor *s)
{
    struct notify message;
    pid_t sender;
    while (notify_receive(s->notify[0], &message, &sender)) {
        if (believed(s, &message, sender))
            on_message(s, &message);
    }
    advance(s);
}

/* --- deaths ------------------------------------------------------------------------------- */

static void describe_end(const struct crew_worker *w, int status)
{
    if (WIFSIGNALED(status))
        log_error("worker %u (pid %d) was ended by signal %d (%s)", w->slot, (int)w->pid,
                  WTERMSIG(status), strsignal(WTERMSIG(status)));
    else
        log_error("worker %u (pid %d) ended with status %d", w->slot, (int)w->pid,
                  WEXITSTATUS(status));
}

static void on_worker_end(struct supervisor *s, struct crew_worker *w, int status)
{
    bool expected = w->state >= CREW_STOPPING || s->stopping;
    bool ours = s->current && w->generation == s->current->number;
    bool of_candidate = s->candidate && w->generation == s->candidate->number;
    if (!expected || (WIFSIGNALED(status) && WTERMSIG(status) != SIGTERM))
        describe_end(w, status);
    w->pid = 0;
    if (expected)
        return;
    if (of_candidate && !s->swapping) {
        discard_candidate(s);
    } else if (of_candidate || (ours && !s->swapping)) {
        /* Once old workers are stopping there is no way back: the new one is replaced. */
        crew_vacate(&s->crew, w->slot, crew_young(w));
        s->board->workers_restarted++;
    }
}

/* Workers outlive their nursery, but none could be replaced: load anew. */
static void on_nursery_end(struct supervisor *s, pid_t pid)
{
    if (s->candidate && s->candidate->nursery == pid) {
        s->candidate->nursery = 0;
        if (!s->swapping)
            discard_candidate(s);
    } else if (s->current && s->current->nursery == pid && !s->stopping) {
        log_error("the process that holds generation %llu's policy has ended: loading anew",
                  (unsigned long long)s->current->number);
        s->current->nursery = 0;
    }
}

static void reap(struct supervisor *s)
{
    int status;
    pid_t pid;
    read_messages(s);
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        struct crew_worker *w = crew_find(&s->crew, pid);
        if (w)
            on_worker_end(s, w, status);
        else
            on_nursery_end(s, pid);
    }
    advance(s);
}

/* --- time ---------------------------------------------------------------------------------- */

static void fill_vacancies(struct supervisor *s)
{
    for (unsigned slot = 0; s->current && slot < s->current->config->workers; slot++) {
        if (crew_due(&s->crew, slot) && !s->swapping)
            s->crew.vacancies[slot].open = generation_spawn(s->current, slot) < 0;
    }
}

static void kill_hung(struct supervisor *s)
{
    uint64_t decision = s->current ? s->current->config->limits.decision_ms : 0;
    uint64_t limit = 4 * decision > STANDSTILL_MS ? 4 * decision : STANDSTILL_MS;
    crew_kill_hung(&s->crew, s->board, limit);
}

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
    begin_load(s);
}

static void give_up_loading(struct supervisor *s)
{
    if (!s->candidate || s->swapping || crew_now() < s->load_deadline)
        return;
    log_error("generation %llu was not ready after %d s", (unsigned long long)s->candidate->number,
              LOADING_MAX_MS / 1000);
    discard_candidate(s);
}

static void tick(struct supervisor *s)
{
    uint64_t gap = crew_now() - s->ticked;
    s->ticked = crew_now();
    if (s->stopping) {
        if (crew_now() >= s->deadline)
            crew_signal_all(&s->crew, SIGKILL);
        return;
    }
    if (gap >= STANDSTILL_MS / 2)
        crew_forgive(&s->crew);
    kill_hung(s);
    give_up_loading(s);
    fill_vacancies(s);
    advance(s);
    if (s->reload_again && !s->candidate)
        begin_load(s);
    regain_nursery(s);
    s->board->workers_ready =
        s->current ? crew_count(&s->crew, s->current->number, CREW_SERVING) : 0;
}

/* --- signals and the loop ------------------------------------------------------------------- */

static void begin_stop(struct supervisor *s)
{
    s->deadline = s->stopping ? 0 : crew_now() + DRAIN_MS; /* the second time: at once */
    if (!s->stopping)
        log_info("stopping: transfers in flight have %d s", DRAIN_MS / 1000);
    s->stopping = true;
    if (s->candidate)
        end_candidate(s);
    crew_signal_all(&s->crew, SIGTERM);
}

static void read_signals(struct supervisor *s)
{
    struct signalfd_siginfo info;
    while (read(s->signals, &info, sizeof info) == (ssize_t)sizeof info) {
        switch (info.ssi_signo) {
        case SIGHUP:
            log_info("reloading %s", s->site);
            begin_load(s);
            break;
        case SIGTERM:
        case SIGINT:
            begin_stop(s);
            break;
        case SIGCHLD:
            reap(s);
            break;
        default: /* SIGUSR1: the log is standard error, there is no file to reopen */
            break;
        }
    }
}

static bool open_channels(struct supervisor *s)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGUSR1);
    signal(SIGPIPE, SIG_IGN);
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
        return false;
    s->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return s->signals >= 0 && notify_open(s->notify);
}

static void loop(struct supervisor *s)
{
    struct pollfd fds[] = {{.fd = s->signals, .events = POLLIN},
                           {.fd = s->notify[0], .events = POLLIN}};
    while (!s->failed && !(s->stopping && crew_empty(&s->crew))) {
        if (poll(fds, 2, TICK_MS) < 0 && errno != EINTR)
            break;
        if (fds[1].revents)
            read_messages(s);
        if (fds[0].revents)
            read_signals(s);
        tick(s);
    }
}

int supervisor_run(const char *site)
{
    struct supervisor *s = calloc(1, sizeof *s);
    if (s) {
        s->site = site;
        s->next_number = 1;
        s->signals = s->notify[0] = s->notify[1] = -1;
        s->board = metrics_board_alloc();
    }
    if (!s || !s->board || !open_channels(s)) {
        log_error("cannot start: %s", strerror(errno));
        free(s);
        return 1;
    }
    begin_load(s);
    loop(s);
    bool failed = s->failed;
    if (s->candidate)
        end_candidate(s);
    generation_close(s->current);
    while (waitpid(-1, NULL, 0) > 0)
        continue;
    metrics_board_free(s->board);
    close(s->signals);
    close(s->notify[0]);
    close(s->notify[1]);
    free(s);
    if (!failed)
        log_info("stopped");
    return failed ? 1 : 0;
}
