#include "status.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "config_state.h"
#include "json.h"

static const char *const origins[] = {
    [ORIGIN_START] = "start", [ORIGIN_SIGNAL] = "signal",        [ORIGIN_CONTROL] = "control",
    [ORIGIN_WATCH] = "watch", [ORIGIN_NURSERY] = "lost nursery", [ORIGIN_FETCH] = "fetch"};

static const char *const states[] = {[CREW_STARTING] = "starting",
                                     [CREW_READY] = "ready",
                                     [CREW_SERVING] = "serving",
                                     [CREW_STOPPING] = "stopping",
                                     [CREW_DRAINING] = "draining"};

static void put_origin(FILE *out, const struct origin *origin)
{
    fprintf(out, "{\"kind\":\"%s\"", origins[origin->kind]);
    if (origin->kind == ORIGIN_SIGNAL || origin->kind == ORIGIN_CONTROL)
        fprintf(out, ",\"pid\":%d,\"uid\":%u", (int)origin->pid, (unsigned)origin->uid);
    if (origin->kind == ORIGIN_WATCH) {
        fputs(",\"file\":", out);
        json_string(out, origin->file);
    }
    fputs("}", out);
}

/* null: the policy is no bundle. */
static void put_bundle(FILE *out, const struct release *release)
{
    if (!release->bundled) {
        fputs("null", out);
        return;
    }
    fprintf(out, "{\"version\":%" PRIu64 ",\"key\":", release->version.version);
    if (*release->key)
        fprintf(out, "\"%s\"}", release->key);
    else
        fputs("null}", out);
}

static void put_generation(FILE *out, const struct load *load, const struct release *release)
{
    fprintf(out,
            "{\"number\":%" PRIu64 ",\"at\":%lld,\"hash\":\"%s\",\"policy\":", load->generation,
            (long long)load->at, load->hash);
    json_string(out, release->display);
    fputs(",\"bundle\":", out);
    put_bundle(out, release);
    fputs(",\"by\":", out);
    put_origin(out, &load->origin);
    fputs(",\"warnings\":", out);
    json_strings(out, (const char *const *)load->warnings.lines, load->warnings.n);
    fputs("}", out);
}

static void put_refusal(FILE *out, const struct load *load)
{
    fprintf(out, "{\"at\":%lld,\"by\":", (long long)load->at);
    put_origin(out, &load->origin);
    fputs(",\"errors\":", out);
    json_strings(out, (const char *const *)load->problems.lines, load->problems.n);
    fputs("}", out);
}

/* Resident memory in KB, what is shared with the nursery included. */
static unsigned long memory_of(pid_t pid)
{
    char path[64];
    unsigned long pages = 0;
    snprintf(path, sizeof path, "/proc/%d/statm", (int)pid);
    FILE *file = fopen(path, "re");
    if (!file)
        return 0;
    if (fscanf(file, "%*u %lu", &pages) != 1)
        pages = 0;
    fclose(file);
    return pages * (unsigned long)(sysconf(_SC_PAGESIZE) / 1024);
}

static void put_workers(FILE *out, struct supervisor *s)
{
    const char *comma = "";
    fputs("[", out);
    CREW_EACH(&s->crew, w) {
        const struct metrics_seat *seat = metrics_seat(s->board, w->pid);
        fprintf(out,
                "%s{\"slot\":%u,\"pid\":%d,\"state\":\"%s\",\"generation\":%" PRIu64
                ",\"started\":%lld,\"restarts\":%u,\"memory_kb\":%lu,\"connections\":%" PRIu64
                ",\"transfers\":%" PRIu64 ",\"waiting\":%" PRIu64 "}",
                comma, w->slot, (int)w->pid, states[w->state], w->generation, (long long)w->started,
                s->crew.restarts[w->slot], memory_of(w->pid),
                seat ? seat->gauges[METRICS_HTTP_OPEN] : 0,
                seat ? seat->gauges[METRICS_TFTP_OPEN] : 0,
                seat ? seat->gauges[METRICS_WAITING] : 0);
        comma = ",";
    }
    fputs("]", out);
}

static void put_socket(FILE *out, const char **comma, const char *what, const char *address,
                       unsigned port)
{
    fprintf(out, "%s{\"service\":\"%s\",\"address\":\"%s\",\"port\":%u}", *comma, what, address,
            port);
    *comma = ",";
}

static void put_sockets(FILE *out, const struct generation *g)
{
    const char *comma = "";
    const struct config *config = g->config;
    fputs("[", out);
    if (g->sockets->dhcp >= 0) {
        put_socket(out, &comma, "dhcp", "0.0.0.0", config->dhcp.port);
        put_socket(out, &comma, "dhcp", "0.0.0.0", config->dhcp.boot_port);
    }
    if (g->sockets->tftp)
        put_socket(out, &comma, "tftp", "0.0.0.0", config->tftp.port);
    for (size_t i = 0; i < config->http.n_listen; i++) {
        char address[INET_ADDRSTRLEN];
        inet_ntop(AF_INET, &config->http.listen[i].sin_addr, address, sizeof address);
        put_socket(out, &comma, "http", address, ntohs(config->http.listen[i].sin_port));
    }
    fputs("]", out);
}

/* null: TFTP is not tftp-hpa's to serve. */
static void put_hpa(FILE *out, const struct supervisor *s)
{
    if (s->board->tftp_hpa == METRICS_HPA_UNUSED)
        fputs("null", out);
    else
        fprintf(out, "{\"state\":\"%s\",\"pid\":%d,\"restarts\":%" PRIu64 "}",
                s->board->tftp_hpa == METRICS_HPA_RUNS ? "runs" : "down", (int)tftp_hpa_pid(s->hpa),
                s->board->tftp_hpa_restarts);
}

/* null: the policy is not fetched. */
static void put_fetch(FILE *out, const struct fetch *fetch)
{
    if (!fetch->config) {
        fputs("null", out);
        return;
    }
    fputs("{\"url\":", out);
    json_string(out, fetch->config->policy);
    fprintf(out, ",\"last\":%lld,\"last_good\":%lld,\"failures\":%u,\"problem\":",
            (long long)fetch->last, (long long)fetch->last_good, fetch->failures);
    if (*fetch->problem)
        json_string(out, fetch->problem);
    else
        fputs("null", out);
    fputs("}", out);
}

/* null: no state is kept. */
static void put_state(FILE *out, struct supervisor *s)
{
    char name[512];
    int64_t trouble = 0;
    uint64_t up = 0;
    if (!s->current || !config_state_kept(s->current->config)) {
        fputs("null", out);
        return;
    }
    CREW_EACH(&s->crew, w) {
        const struct metrics_seat *seat = metrics_seat(s->board, w->pid);
        trouble = seat && seat->state_trouble ? seat->state_trouble : trouble;
        up += seat ? seat->gauges[METRICS_STATE_UP] : 0;
    }
    state_name(s->current->config, name, sizeof name);
    fprintf(out, "{\"backend\":\"%s\",\"at\":",
            s->current->config->state.backend == CONFIG_STATE_REDIS ? "redis" : "lmdb");
    json_string(out, name);
    fprintf(out, ",\"up\":%" PRIu64 ",\"problem\":", up);
    if (trouble)
        json_string(out, store_problem(trouble));
    else
        fputs("null", out);
    fputs("}", out);
}

static void put_counters(FILE *out, const struct metrics_board *board)
{
    fputs("{", out);
    for (size_t i = 0; i < METRICS_N_COUNTERS; i++) {
        fputs(i ? "," : "", out);
        json_string(out, metrics_name(i));
        fprintf(out, ":%" PRIu64, metrics_sum(board, i));
    }
    fputs("}", out);
}

char *status_json(struct supervisor *s)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    if (!out)
        return NULL;
    fprintf(out, "{\"version\":\"%s\",\"pid\":%d,\"state\":\"%s\",\"started\":%lld,\"now\":%lld",
            MOONBOOT_VERSION, (int)getpid(),
            s->stopping    ? "stopping"
            : s->candidate ? "loading"
                           : "serving",
            (long long)s->started, (long long)time(NULL));
    fputs(",\"site\":", out);
    json_string(out, s->site);
    fputs(",\"control\":", out);
    json_string(out, s->control.now.path);
    fputs(",\"generation\":", out);
    if (s->current)
        put_generation(out, &s->serving, &s->current->release);
    else
        fputs("null", out);
    fputs(",\"refused\":", out);
    if (s->refused.at)
        put_refusal(out, &s->refused);
    else
        fputs("null", out);
    fprintf(out, ",\"reloads\":%" PRIu64 ",\"reloads_refused\":%" PRIu64 ",\"workers\":",
            s->board->reloads, s->board->reloads_refused);
    put_workers(out, s);
    fputs(",\"sockets\":", out);
    if (s->current)
        put_sockets(out, s->current);
    else
        fputs("[]", out);
    fputs(",\"tftp_hpa\":", out);
    put_hpa(out, s);
    fputs(",\"fetch\":", out);
    put_fetch(out, &s->fetch);
    fputs(",\"state_store\":", out);
    put_state(out, s);
    fputs(",\"counters\":", out);
    put_counters(out, s->board);
    fputs("}", out);
    return fclose(out) == 0 ? text : NULL;
}
