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

static const struct {
    const char *name;
    const char *help;
} histograms[] = {
#define X(name, prometheus, help) {prometheus, help},
    METRICS_HISTOGRAMS(X)
#undef X
};

/* The last of each list stands for all others. */
static const char *const stages[METRICS_STAGES] = {
    "dhcp", "tftp", "ipxe", "grub", "pxelinux", "pixiecore", "config", "serve", "event", "other"};
static const char *const verdicts[METRICS_VERDICTS] = {
    "boot", "disk",         "ignore",  "deny",   "chain", "shell",
    "menu", "undetermined", "refused", "failed", "event", "other"};

/* Upper bounds of the buckets, in microseconds. */
static const uint64_t bounds[METRICS_BUCKETS - 1] = {50,   100,   250,   500,    1000,   2500,
                                                     5000, 10000, 50000, 250000, 1000000};

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

void metrics_beat_at(struct metrics *m, uint64_t now)
{
    m->heartbeat = now;
}

void metrics_beat(struct metrics *m)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    metrics_beat_at(m, (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000);
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
    seat->state_trouble = 0;
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

static size_t word_index(const char *const *words, size_t n, const char *text)
{
    size_t len = strcspn(text, " :");
    size_t i = 0;
    while (i < n - 1 && (strlen(words[i]) != len || strncmp(words[i], text, len) != 0))
        i++;
    return i;
}

void metrics_decision(struct metrics *m, const char *stage, const char *verdict)
{
    size_t i = word_index(stages, METRICS_STAGES, stage);
    size_t j = word_index(verdicts, METRICS_VERDICTS, verdict);
    atomic_fetch_add_explicit(&m->decisions[i][j], 1, memory_order_relaxed);
}

void metrics_observe(struct metrics *m, enum metrics_histogram histogram, uint64_t microseconds)
{
    struct metrics_times *times = &m->times[histogram];
    size_t i = 0;
    while (i < METRICS_BUCKETS - 1 && microseconds > bounds[i])
        i++;
    atomic_fetch_add_explicit(&times->buckets[i], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&times->sum, microseconds, memory_order_relaxed);
}

static void print_family(FILE *out, const char *name, const char *help, const char *type)
{
    int len = (int)strcspn(name, "{");
    fprintf(out, "# HELP %.*s %s\n# TYPE %.*s %s\n", len, name, help, len, name, type);
}

/* The host of that name, a new one, or the one that stands for all others. */
static struct metrics_host *host_of(struct metrics *m, const char *name)
{
    size_t i = 0;
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.:_-[]";
    bool good = strspn(name, plain) == strlen(name) && strlen(name) < METRICS_HOST_NAME;
    if (!good)
        name = "other";
    while (i < METRICS_HOSTS - 1 && m->hosts[i].used && strcmp(m->hosts[i].name, name) != 0)
        i++;
    if (!m->hosts[i].used) {
        snprintf(m->hosts[i].name, METRICS_HOST_NAME, "%s", i < METRICS_HOSTS - 1 ? name : "other");
        m->hosts[i].used = true;
    }
    return &m->hosts[i];
}

void metrics_asked(struct metrics *m, const char *host, enum metrics_outcome outcome,
                   uint64_t microseconds)
{
    struct metrics_host *asked = host_of(m, host);
    atomic_fetch_add_explicit(&asked->outcomes[outcome], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&asked->microseconds, microseconds, memory_order_relaxed);
    metrics_observe(m, METRICS_HTTP_CLIENT_TIME, microseconds);
}

/* Whether an earlier worker has a host of this name too: it was counted there. */
static bool is_known(const struct metrics_board *board, size_t slot, size_t host)
{
    for (size_t i = 0; i < slot * METRICS_HOSTS + host; i++) {
        const struct metrics_host *other =
            &board->slots[i / METRICS_HOSTS].hosts[i % METRICS_HOSTS];
        if (other->used && !strcmp(other->name, board->slots[slot].hosts[host].name))
            return true;
    }
    return false;
}

/* What all workers have of a host, added up. */
static void add_host(const struct metrics_board *board, const char *name,
                     uint64_t outcomes[METRICS_N_OUTCOMES], uint64_t *microseconds)
{
    for (size_t i = 0; i < METRICS_MAX_WORKERS * METRICS_HOSTS; i++) {
        const struct metrics_host *host = &board->slots[i / METRICS_HOSTS].hosts[i % METRICS_HOSTS];
        if (!host->used || strcmp(host->name, name) != 0)
            continue;
        for (size_t j = 0; j < METRICS_N_OUTCOMES; j++)
            outcomes[j] += host->outcomes[j];
        *microseconds += host->microseconds;
    }
}

static void print_hosts(FILE *out, const struct metrics_board *board, bool times)
{
    static const char *const names[] = {"2xx", "4xx", "5xx", "timeout", "failed"};
    const char *name =
        times ? "moonboot_http_client_host_seconds_total" : "moonboot_http_client_requests_total";
    print_family(out, name,
                 times ? "Time that requests to other servers took, by host."
                       : "Requests to other servers, by host and how they ended.",
                 "counter");
    for (size_t i = 0; i < METRICS_MAX_WORKERS * METRICS_HOSTS; i++) {
        const struct metrics_host *host = &board->slots[i / METRICS_HOSTS].hosts[i % METRICS_HOSTS];
        uint64_t outcomes[METRICS_N_OUTCOMES] = {0}, microseconds = 0;
        if (!host->used || is_known(board, i / METRICS_HOSTS, i % METRICS_HOSTS))
            continue;
        add_host(board, host->name, outcomes, &microseconds);
        if (times)
            fprintf(out, "%s{host=\"%s\"} %.6f\n", name, host->name, (double)microseconds / 1e6);
        for (size_t j = 0; j < METRICS_N_OUTCOMES && !times; j++)
            fprintf(out, "%s{host=\"%s\",result=\"%s\"} %llu\n", name, host->name, names[j],
                    (unsigned long long)outcomes[j]);
    }
}

static uint64_t gauge_sum(const struct metrics_board *board, size_t gauge)
{
    uint64_t total = 0;
    for (size_t i = 0; i < METRICS_SEATS; i++)
        total += board->seats[i].gauges[gauge];
    return total;
}

static void print_one(FILE *out, const char *name, const char *help, const char *type,
                      uint64_t value)
{
    print_family(out, name, help, type);
    fprintf(out, "%s %llu\n", name, (unsigned long long)value);
}

static void print_decisions(FILE *out, const struct metrics_board *board)
{
    static const char name[] = "moonboot_decisions_by_verdict_total";
    print_family(out, name, "Decisions, by stage and verdict.", "counter");
    for (size_t i = 0; i < METRICS_STAGES; i++) {
        for (size_t j = 0; j < METRICS_VERDICTS; j++) {
            uint64_t total = 0;
            for (size_t slot = 0; slot < METRICS_MAX_WORKERS; slot++)
                total += board->slots[slot].decisions[i][j];
            if (total > 0)
                fprintf(out, "%s{stage=\"%s\",verdict=\"%s\"} %llu\n", name, stages[i], verdicts[j],
                        (unsigned long long)total);
        }
    }
}

static void print_histogram(FILE *out, const struct metrics_board *board, size_t histogram)
{
    const char *name = histograms[histogram].name;
    uint64_t total = 0, sum = 0;
    print_family(out, name, histograms[histogram].help, "histogram");
    for (size_t i = 0; i < METRICS_BUCKETS; i++) {
        for (size_t slot = 0; slot < METRICS_MAX_WORKERS; slot++)
            total += board->slots[slot].times[histogram].buckets[i];
        if (i < METRICS_BUCKETS - 1)
            fprintf(out, "%s_bucket{le=\"%g\"} %llu\n", name, (double)bounds[i] / 1e6,
                    (unsigned long long)total);
    }
    for (size_t slot = 0; slot < METRICS_MAX_WORKERS; slot++)
        sum += board->slots[slot].times[histogram].sum;
    fprintf(out, "%s_bucket{le=\"+Inf\"} %llu\n%s_sum %.6f\n%s_count %llu\n", name,
            (unsigned long long)total, name, (double)sum / 1e6, name, (unsigned long long)total);
}

/* Where the policy is a bundle, and is fetched. */
static void print_fetches(FILE *out, const struct metrics_board *board)
{
    static const char *const results[] = {"failed", "unchanged", "new"};
    if (board->policy_version)
        print_one(out, "moonboot_policy_version", "The version of the bundle that serves.", "gauge",
                  board->policy_version);
    if (!board->policy_fetched_at)
        return;
    print_family(out, "moonboot_policy_fetches_total", "Times that the policy was fetched.",
                 "counter");
    for (size_t i = 0; i < sizeof results / sizeof *results; i++)
        fprintf(out, "moonboot_policy_fetches_total{result=\"%s\"} %llu\n", results[i],
                (unsigned long long)board->policy_fetches[i]);
    print_one(out, "moonboot_policy_fetch_timestamp_seconds", "When it was fetched last.", "gauge",
              board->policy_fetched_at);
    print_one(out, "moonboot_policy_fetch_success_timestamp_seconds",
              "When that went well for the last time.", "gauge", board->policy_fetched_well_at);
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
    print_decisions(out, board);
    print_hosts(out, board, false);
    print_hosts(out, board, true);
    for (size_t i = 0; i < METRICS_N_HISTOGRAMS; i++)
        print_histogram(out, board, i);
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
    print_fetches(out, board);
    print_family(out, "moonboot_build_info", "The version, as a label.", "gauge");
    fprintf(out, "moonboot_build_info{version=\"%s\"} 1\n", MOONBOOT_VERSION);
    return fclose(out) == 0 ? text : NULL;
}
