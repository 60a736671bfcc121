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

#include "json.h"
#include "log.h"
#include "notify.h"
#include "reload.h"
#include "sandbox.h"
#include "status.h"
#include "supervision.h"
#include "systemd.h"

#define TICK_MS       250
#define DRAIN_MS      30000 /* for transfers to end at SIGTERM */
#define STANDSTILL_MS 2000  /* an event loop that does not turn for so long hangs */

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

/* A worker came to nothing: of the candidate or of what serves. */
static void on_failed(struct supervisor *s, const struct notify *message)
{
    if (s->candidate && message->generation == s->candidate->number && !s->swapping)
        reload_discard(s);
    else
        crew_vacate(&s->crew, message->slot, true);
}

/* Whose word a message is: a nursery speaks for its generation, a worker for itself. */
static bool believed(struct supervisor *s, const struct notify *message, pid_t sender)
{
    if (message->slot >= METRICS_MAX_WORKERS)
        return false;
    if (message->kind == NOTIFY_READY || message->kind == NOTIFY_STOPPED ||
        message->kind == NOTIFY_FORBIDDEN)
        return message->pid == sender;
    struct generation *const generations[] = {s->candidate, s->current};
    for (size_t i = 0; i < 2; i++) {
        if (generations[i] && generations[i]->number == message->generation)
            return generations[i]->nursery == sender;
    }
    return false;
}

/* The channel that was opened for the worker that now exists. */
static int channel_of(struct supervisor *s, const struct notify *message)
{
    bool of_candidate = s->candidate && message->generation == s->candidate->number;
    return generation_take_channel(of_candidate ? s->candidate : s->current, message->slot);
}

static void tell_forbidden(const struct notify *message)
{
    char *name = sandbox_call_name(message->call);
    log_error("worker %u (pid %d) made a system call that workers may not: %s (%d)", message->slot,
              (int)message->pid, name ? name : "unknown", message->call);
    free(name);
}

static void on_message(struct supervisor *s, const struct notify *message)
{
    bool of_candidate = s->candidate && message->generation == s->candidate->number;
    struct crew_worker *w;
    switch (message->kind) {
    case NOTIFY_PROBLEM:
        if (of_candidate)
            reload_problem(s, message->text);
        break;
    case NOTIFY_WARNING:
        if (of_candidate)
            reload_warning(s, message->text);
        break;
    case NOTIFY_CHANGED:
        reload_changed(s, message->text);
        break;
    case NOTIFY_LOADED:
        if (of_candidate)
            reload_loaded(s, message->text);
        break;
    case NOTIFY_REFUSED:
        if (of_candidate)
            reload_discard(s);
        break;
    case NOTIFY_FAILED:
        on_failed(s, message);
        break;
    case NOTIFY_SPAWNED:
        /* It may have died, and been waited for, before its nursery said so. */
        if (kill(message->pid, 0) < 0)
            on_failed(s, message);
        else if (!crew_add(&s->crew, message, channel_of(s, message)))
            kill(message->pid, SIGKILL);
        break;
    case NOTIFY_READY:
        w = crew_find(&s->crew, message->pid);
        if (w && w->state == CREW_STARTING)
            on_ready(s, w);
        break;
    case NOTIFY_FORBIDDEN:
        tell_forbidden(message);
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
    reload_advance(s);
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
    metrics_leave(s->board, w->pid);
    crew_remove(w);
    if (expected)
        return;
    if (of_candidate && !s->swapping) {
        reload_discard(s);
    } else if (of_candidate || (ours && !s->swapping)) {
        /* Once old workers are stopping there is no way back: the new one is replaced. */
        crew_vacate(&s->crew, w->slot, crew_young(w));
        s->board->workers_restarted++;
        s->crew.restarts[w->slot]++;
    }
}

/* Workers outlive their nursery, but none could be replaced: load anew. */
static void on_nursery_end(struct supervisor *s, pid_t pid)
{
    if (s->candidate && s->candidate->nursery == pid) {
        s->candidate->nursery = 0;
        if (!s->swapping)
            reload_discard(s);
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
        else if (fetch_ended(&s->fetch, pid, status))
            reload_fetched(s);
        else if (!tftp_hpa_ended(s->hpa, pid, status))
            on_nursery_end(s, pid);
    }
    reload_advance(s);
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

static void tick(struct supervisor *s)
{
    uint64_t gap = crew_now() - s->ticked;
    systemd_beat(&s->beat);
    s->ticked = crew_now();
    if (s->stopping) {
        if (crew_now() >= s->deadline) {
            crew_signal_all(&s->crew, SIGKILL);
            tftp_hpa_kill(s->hpa);
        }
        return;
    }
    generation_watch_tftp(s->current, s->hpa);
    if (gap >= STANDSTILL_MS / 2)
        crew_forgive(&s->crew);
    kill_hung(s);
    fill_vacancies(s);
    reload_tick(s);
    fetch_tick(&s->fetch, s->current, s->candidate);
    s->board->workers_ready =
        s->current ? crew_count(&s->crew, s->current->number, CREW_SERVING) : 0;
}

/* --- signals -----------------------------------------------------------------------------------
 */

static void begin_stop(struct supervisor *s)
{
    s->deadline = s->stopping ? 0 : crew_now() + DRAIN_MS; /* the second time: at once */
    if (!s->stopping)
        log_info("stopping: transfers in flight have %d s", DRAIN_MS / 1000);
    systemd_notify("STOPPING=1\nSTATUS=Stopping; the last transfers end");
    s->stopping = true;
    fetch_stop(&s->fetch);
    if (s->candidate)
        reload_end_candidate(s);
    crew_signal_all(&s->crew, SIGTERM);
    tftp_hpa_serve(s->hpa, NULL);
    control_settle(&s->control, UINT64_MAX, "{\"error\":\"the service is stopping\"}");
}

static struct origin signalled(const struct signalfd_siginfo *info)
{
    return (struct origin){
        .kind = ORIGIN_SIGNAL, .pid = (pid_t)info->ssi_pid, .uid = info->ssi_uid};
}

/* For whoever has moved the old file away. */
static void reopen_log(struct supervisor *s, struct generation *g)
{
    struct channel_message message = {.kind = CHANNEL_LOG};
    if (!g || !generation_reopen_log(g))
        return;
    CREW_EACH(&s->crew, w) {
        if (w->generation == g->number && w->channel >= 0 &&
            channel_send(w->channel, &message, g->decisions) < 0)
            log_warn("decision log: worker %u writes to the old file", w->slot);
    }
    log_info("the decision log of generation %llu is opened anew", (unsigned long long)g->number);
}

static void read_signals(struct supervisor *s)
{
    struct signalfd_siginfo info;
    struct origin origin;
    while (read(s->signals, &info, sizeof info) == (ssize_t)sizeof info) {
        switch (info.ssi_signo) {
        case SIGHUP:
            log_info("reloading %s", s->site);
            origin = signalled(&info);
            reload_begin(s, &origin);
            break;
        case SIGTERM:
        case SIGINT:
            begin_stop(s);
            break;
        case SIGCHLD:
            reap(s);
            break;
        case SIGUSR1: /* the other log is standard error: there is no file to open */
            reopen_log(s, s->candidate);
            reopen_log(s, s->current);
            break;
        default:
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

/* --- the control socket ------------------------------------------------------------------------
 */

static void control_reload(struct supervisor *s, struct control_connection *c)
{
    struct origin origin = {.kind = ORIGIN_CONTROL, .pid = c->peer.pid, .uid = c->peer.uid};
    if (s->stopping) {
        control_answer(c, strdup("{\"error\":\"the service is stopping\"}"));
        return;
    }
    log_info("reloading %s: asked by process %d of user %u", s->site, (int)origin.pid,
             (unsigned)origin.uid);
    control_wait(c, s->loads + 1, 2 * RELOAD_MAX_MS + TICK_MS);
    reload_begin(s, &origin);
}

/* What the supervisor does not know itself, a worker may. */
static void control_hand(struct supervisor *s, struct control_connection *c)
{
    struct channel_message message = {.kind = CHANNEL_CONTROL};
    memcpy(message.text, c->line, strlen(c->line) + 1);
    if (crew_hand(&s->crew, &message, c->fd) == 0)
        control_drop(c);
    else
        control_answer(c, strdup("{\"error\":\"no worker is there to answer that\"}"));
}

static void on_control(struct control_connection *c, void *arg)
{
    struct supervisor *s = arg;
    if (!strcmp(c->line, "status"))
        control_answer(c, status_json(s));
    else if (!strcmp(c->line, "reload"))
        control_reload(s, c);
    else
        control_hand(s, c);
}

/* --- the loop ----------------------------------------------------------------------------------
 */

static void loop(struct supervisor *s)
{
    struct pollfd fds[3 + CONTROL_POLL] = {{.fd = s->signals, .events = POLLIN},
                                           {.fd = s->notify[0], .events = POLLIN},
                                           {.events = POLLIN}};
    while (!s->failed && !(s->stopping && crew_empty(&s->crew) && !tftp_hpa_busy(s->hpa))) {
        fds[2].fd = tftp_hpa_log_fd(s->hpa);
        control_poll(&s->control, fds + 3);
        if (poll(fds, 3 + CONTROL_POLL, TICK_MS) < 0 && errno != EINTR)
            break;
        if (fds[2].revents)
            tftp_hpa_read_log(s->hpa);
        if (fds[1].revents)
            read_messages(s);
        if (fds[0].revents)
            read_signals(s);
        control_serve(&s->control, fds + 3, on_control, s);
        tick(s);
    }
}

int supervisor_run(const char *site)
{
    struct supervisor *s = calloc(1, sizeof *s);
    if (s) {
        s->site = site;
        s->started = time(NULL);
        s->next_number = 1;
        s->signals = s->notify[0] = s->notify[1] = -1;
        control_init(&s->control);
        s->board = metrics_board_alloc();
        s->hpa = s->board ? tftp_hpa_alloc(s->board) : NULL;
    }
    if (s && s->board)
        fetch_init(&s->fetch, s->board);
    if (!s || !s->hpa || !open_channels(s)) {
        log_error("cannot start: %s", strerror(errno));
        free(s);
        return 1;
    }
    reload_begin(s, &(struct origin){.kind = ORIGIN_START});
    loop(s);
    bool failed = s->failed;
    fetch_stop(&s->fetch);
    if (s->candidate)
        reload_end_candidate(s);
    generation_close(s->current);
    while (waitpid(-1, NULL, 0) > 0)
        continue;
    control_close(&s->control);
    tftp_hpa_free(s->hpa);
    reload_forget(s);
    metrics_board_free(s->board);
    close(s->signals);
    close(s->notify[0]);
    close(s->notify[1]);
    free(s);
    if (!failed)
        log_info("stopped");
    return failed ? 1 : 0;
}
