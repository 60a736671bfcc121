#include "metrics.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

static const struct {
    const char *name;
    const char *help; /* NULL: of the same family as the one before */
} counters[] = {
#define X(name, prometheus, help) {prometheus, help},
    METRICS_COUNTERS(X)
#undef X
};

static const struct {
    const char *name;
    const char *help;
} gauges[] = {
#define X(name, prometheus, help) {prometheus, help},
    METRICS_GAUGES(X)
#undef X
};

struct metrics_board *metrics_board_alloc(void)
{
    struct metrics_board *board =
        mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return board == MAP_FAILED ? NULL : board;
}

void metrics_board_free(struct metrics_board *board)
{
    if (board)
        munmap(board, sizeof *board);
}

void metrics_beat(struct metrics *m)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    m->heartbeat = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

struct metrics_seat *metrics_sit(struct metrics_board *board, pid_t pid)
{
    for (size_t i = 0; i < METRICS_SEATS; i++) {
        int nobody = 0;
        if (atomic_compare_exchange_strong(&board->seats[i].pid, &nobody, (int)pid))
            return &board->seats[i];
    }
    return NULL;
}

struct metrics_seat *metrics_seat(struct metrics_board *board, pid_t pid)
{
    for (size_t i = 0; i < METRICS_SEATS; i++) {
        if (board->seats[i].pid == pid)
            return &board->seats[i];
    }
    return NULL;
}

void metrics_leave(struct metrics_board *board, pid_t pid)
{
    struct metrics_seat *seat = metrics_seat(board, pid);
    if (!seat)
        return;
    for (size_t i = 0; i < METRICS_N_GAUGES; i++)
        seat->gauges[i] = 0;
    seat->pid = 0;
}

const char *metrics_name(size_t counter)
{
    return counters[counter].name;
}

uint64_t metrics_sum(const struct metrics_board *board, size_t counter)
{
    uint64_t total = 0;
    for (size_t i = 0; i < METRICS_MAX_WORKERS; i++)
        total += atomic_load_explicit(&board->slots[i].counters[counter], memory_order_relaxed);
    return total;
}

static uint64_t gauge_sum(const struct metrics_board *board, size_t gauge)
{
    uint64_t total = 0;
    for (size_t i = 0; i < METRICS_SEATS; i++)
        total += board->seats[i].gauges[gauge];
    return total;
}

static void print_family(FILE *out, const char *name, const char *help, const char *type)
{
    int len = (int)strcspn(name, "{");
    fprintf(out, "# HELP %.*s %s\n# TYPE %.*s %s\n", len, name, help, len, name, type);
}

static void print_one(FILE *out, const char *name, const char *help, const char *type,
                      uint64_t value)
{
    print_family(out, name, help, type);
    fprintf(out, "%s %llu\n", name, (unsigned long long)value);
}

char *metrics_text(const struct metrics_board *board, size_t *len)
{
    char *text = NULL;
    FILE *out = open_memstream(&text, len);
    if (!out)
        return NULL;
    for (size_t i = 0; i < METRICS_N_COUNTERS; i++) {
        if (counters[i].help)
            print_family(out, counters[i].name, counters[i].help, "counter");
        fprintf(out, "%s %llu\n", counters[i].name, (unsigned long long)metrics_sum(board, i));
    }
    for (size_t i = 0; i < METRICS_N_GAUGES; i++)
        print_one(out, gauges[i].name, gauges[i].help, "gauge", gauge_sum(board, i));
    print_one(out, "moonboot_generation", "The policy generation that serves.", "gauge",
              board->generation);
    print_one(out, "moonboot_loaded_timestamp_seconds", "When that generation took over.", "gauge",
              board->loaded_at);
    print_one(out, "moonboot_reloads_total", "Loads that took effect, the first included.",
              "counter", board->reloads);
    print_one(out, "moonboot_reloads_refused_total", "Loads that were refused.", "counter",
              board->reloads_refused);
    print_one(out, "moonboot_last_reload_refused",
              "1 when the last reload was refused and an older policy serves.", "gauge",
              board->last_refused);
    print_one(out, "moonboot_workers", "Workers that serve.", "gauge", board->workers_ready);
    print_one(out, "moonboot_workers_restarted_total", "Workers that ended and were replaced.",
              "counter", board->workers_restarted);
    if (board->tftp_hpa != METRICS_HPA_UNUSED) {
        print_one(out, "moonboot_tftp_hpa_up", "1 when tftp-hpa's in.tftpd runs.", "gauge",
                  board->tftp_hpa == METRICS_HPA_RUNS);
        print_one(out, "moonboot_tftp_hpa_restarts_total", "Times that in.tftpd ended by itself.",
                  "counter", board->tftp_hpa_restarts);
    }
    print_family(out, "moonboot_build_info", "The version, as a label.", "gauge");
    fprintf(out, "moonboot_build_info{version=\"%s\"} 1\n", MOONBOOT_VERSION);
    return fclose(out) == 0 ? text : NULL;
}
