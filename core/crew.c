#include "crew.h"

#include <errno.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "log.h"

#define YOUNG_MS        1000 /* a worker that ends at that age is in a crash loop */
#define STARTING_MAX_MS 10000
#define DRAINING_MAX_MS 3600000
#define BACKOFF_MIN_MS  250
#define BACKOFF_MAX_MS  5000

uint64_t crew_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

struct crew_worker *crew_find(struct crew *crew, pid_t pid)
{
    CREW_EACH(crew, w) {
        if (w->pid == pid)
            return w;
    }
    return NULL;
}

struct crew_worker *crew_add(struct crew *crew, const struct notify *message, int channel)
{
    struct crew_worker *w = crew_find(crew, message->pid);
    for (size_t i = 0; !w && i < CREW_MAX; i++) {
        if (crew->workers[i].pid == 0) {
            w = &crew->workers[i];
            *w = (struct crew_worker){.pid = message->pid,
                                      .slot = message->slot,
                                      .generation = message->generation,
                                      .since = crew_now(),
                                      .started = time(NULL),
                                      .channel = channel};
            channel = -1;
        }
    }
    if (channel >= 0)
        close(channel);
    return w;
}

void crew_remove(struct crew_worker *w)
{
    if (w->channel >= 0)
        close(w->channel);
    w->channel = -1;
    w->pid = 0;
}

int crew_hand(struct crew *crew, const struct channel_message *message, int descriptor)
{
    int error = -ESRCH;
    for (size_t i = 0; i < CREW_MAX && error < 0; i++) {
        crew->handed = (crew->handed + 1) % CREW_MAX;
        const struct crew_worker *w = &crew->workers[crew->handed];
        if (w->pid && w->state == CREW_SERVING && w->channel >= 0)
            error = channel_send(w->channel, message, descriptor);
    }
    return error;
}

unsigned crew_count(struct crew *crew, uint64_t generation, enum crew_state state)
{
    unsigned n = 0;
    CREW_EACH(crew, w)
        n += w->generation == generation && w->state == state;
    return n;
}

bool crew_empty(struct crew *crew)
{
    CREW_EACH(crew, w)
        return false;
    return true;
}

void crew_signal_all(struct crew *crew, int signal_number)
{
    CREW_EACH(crew, w)
        kill(w->pid, signal_number);
}

void crew_serve(struct crew_worker *w)
{
    w->state = CREW_SERVING;
    w->since = crew_now();
    kill(w->pid, SIGUSR2);
}

void crew_stop(struct crew_worker *w)
{
    w->state = CREW_STOPPING;
    w->since = crew_now();
    kill(w->pid, SIGTERM);
}

/* Why a worker must go; NULL: it need not. */
static const char *overdue(const struct crew_worker *w, uint64_t beat, uint64_t limit_ms)
{
    uint64_t now = crew_now(), age = now - w->since;
    if (w->state == CREW_SERVING && age >= limit_ms && now >= beat + limit_ms)
        return "has stood still";
    if (w->state == CREW_STARTING && age >= STARTING_MAX_MS)
        return "does not get ready";
    if (w->state >= CREW_STOPPING && age >= DRAINING_MAX_MS)
        return "has transfers without an end";
    return NULL;
}

void crew_kill_hung(struct crew *crew, const struct metrics_board *board, uint64_t limit_ms)
{
    CREW_EACH(crew, w) {
        const char *why = overdue(w, board->slots[w->slot].heartbeat, limit_ms);
        if (!why)
            continue;
        log_error("worker %u (pid %d) %s: ended", w->slot, (int)w->pid, why);
        kill(w->pid, SIGKILL);
        w->since = crew_now(); /* not again before it is gone */
    }
}

void crew_forgive(struct crew *crew)
{
    CREW_EACH(crew, w)
        w->since = crew_now();
}

bool crew_young(const struct crew_worker *w)
{
    return crew_now() - w->since < YOUNG_MS;
}

void crew_vacate(struct crew *crew, unsigned slot, bool young)
{
    struct crew_vacancy *vacancy = &crew->vacancies[slot];
    unsigned next = vacancy->backoff_ms ? 2 * vacancy->backoff_ms : BACKOFF_MIN_MS;
    vacancy->backoff_ms = !young ? 0 : next < BACKOFF_MAX_MS ? next : BACKOFF_MAX_MS;
    vacancy->open = true;
    vacancy->at = crew_now() + vacancy->backoff_ms;
}

bool crew_due(const struct crew *crew, unsigned slot)
{
    const struct crew_vacancy *vacancy = &crew->vacancies[slot];
    return vacancy->open && crew_now() >= vacancy->at;
}
