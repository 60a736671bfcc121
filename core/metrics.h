/* Counters that all processes of one service share: each worker adds to its own
 * slot of a shared mapping, any of them prints the sum as Prometheus text. */
#ifndef MOONBOOT_METRICS_H
#define MOONBOOT_METRICS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Of the store; part of the list below. */
#define METRICS_STATE_COUNTERS(X)                                                                  \
    X(STATE_READS, "moonboot_state_requests_total{what=\"read\"}", "What the store was asked.")    \
    X(STATE_WRITES, "moonboot_state_requests_total{what=\"write\"}", NULL)                         \
    X(STATE_AWAY, "moonboot_state_errors_total{reason=\"away\"}",                                  \
      "What the store was asked in vain, by the reason.")                                          \
    X(STATE_LOST, "moonboot_state_errors_total{reason=\"connection_lost\"}", NULL)                 \
    X(STATE_TIMEOUT, "moonboot_state_errors_total{reason=\"timeout\"}", NULL)                      \
    X(STATE_FULL, "moonboot_state_errors_total{reason=\"full\"}", NULL)                            \
    X(STATE_DENIED, "moonboot_state_errors_total{reason=\"denied\"}", NULL)                        \
    X(STATE_READONLY, "moonboot_state_errors_total{reason=\"read_only\"}", NULL)                   \
    X(STATE_BUSY, "moonboot_state_errors_total{reason=\"busy\"}", NULL)                            \
    X(STATE_WRONG_TYPE, "moonboot_state_errors_total{reason=\"wrong_type\"}", NULL)                \
    X(STATE_NONSENSE, "moonboot_state_errors_total{reason=\"nonsense\"}", NULL)                    \
    X(STATE_NO_STORE, "moonboot_state_errors_total{reason=\"no_store\"}", NULL)                    \
    X(STATE_OTHER, "moonboot_state_errors_total{reason=\"other\"}", NULL)

/* One counter an entry: name in C, Prometheus name with labels, help. Entries of one
 * family (the name before the brace) stand together. */
#define METRICS_COUNTERS(X)                                                                        \
    X(DHCP_RECEIVED, "moonboot_dhcp_packets_total{result=\"received\"}",                           \
      "DHCP packets, by what became of them.")                                                     \
    X(DHCP_MALFORMED, "moonboot_dhcp_packets_total{result=\"malformed\"}", NULL)                   \
    X(DHCP_IGNORED, "moonboot_dhcp_packets_total{result=\"ignored\"}", NULL)                       \
    X(DHCP_ANSWERED, "moonboot_dhcp_packets_total{result=\"answered\"}", NULL)                     \
    X(DHCP_FAILED, "moonboot_dhcp_packets_total{result=\"send_failed\"}", NULL)                    \
    X(DHCP_LATE, "moonboot_dhcp_packets_total{result=\"late\"}", NULL)                             \
    X(DHCP_OVERFLOWN, "moonboot_dhcp_packets_total{result=\"queue_full\"}", NULL)                  \
    X(DHCP_BUSY, "moonboot_dhcp_packets_total{result=\"busy\"}", NULL)                             \
    X(LIMITED_HTTP, "moonboot_requests_limited_total{protocol=\"http\"}",                          \
      "Requests refused as their client had asked too often.")                                     \
    X(LIMITED_TFTP, "moonboot_requests_limited_total{protocol=\"tftp\"}", NULL)                    \
    X(TFTP_REQUESTS, "moonboot_tftp_requests_total", "TFTP read requests.")                        \
    X(TFTP_COMPLETED, "moonboot_tftp_transfers_total{result=\"completed\"}",                       \
      "TFTP transfers, by how they ended.")                                                        \
    X(TFTP_ABORTED, "moonboot_tftp_transfers_total{result=\"aborted\"}", NULL)                     \
    X(TFTP_TIMED_OUT, "moonboot_tftp_transfers_total{result=\"timed_out\"}", NULL)                 \
    X(TFTP_REFUSED, "moonboot_tftp_transfers_total{result=\"refused\"}", NULL)                     \
    X(TFTP_BUSY, "moonboot_tftp_transfers_total{result=\"busy\"}", NULL)                           \
    X(TFTP_MALFORMED, "moonboot_tftp_malformed_total", "Datagrams that are not TFTP.")             \
    X(TFTP_BYTES, "moonboot_tftp_sent_bytes_total", "File bytes sent by TFTP.")                    \
    X(TFTP_RETRANSMITS, "moonboot_tftp_retransmissions_total", "TFTP windows sent again.")         \
    X(HTTP_CONNECTIONS, "moonboot_http_connections_total", "HTTP connections accepted.")           \
    X(HTTP_REFUSED, "moonboot_http_connections_refused_total",                                     \
      "HTTP connections closed at once: too many, or no descriptor.")                              \
    X(HTTP_CROWDED, "moonboot_http_connections_crowded_total",                                     \
      "HTTP connections closed at once: their client has too many.")                               \
    X(TLS_FAILED, "moonboot_tls_failures_total", "TLS handshakes that came to nothing.")           \
    X(HTTP_2XX, "moonboot_http_responses_total{code=\"2xx\"}", "HTTP responses by status class.")  \
    X(HTTP_3XX, "moonboot_http_responses_total{code=\"3xx\"}", NULL)                               \
    X(HTTP_4XX, "moonboot_http_responses_total{code=\"4xx\"}", NULL)                               \
    X(HTTP_5XX, "moonboot_http_responses_total{code=\"5xx\"}", NULL)                               \
    X(HTTP_TIMED_OUT, "moonboot_http_timeouts_total",                                              \
      "HTTP connections closed for being idle or slow.")                                           \
    X(HTTP_BYTES, "moonboot_http_sent_bytes_total", "Body bytes handed to HTTP connections.")      \
    X(DECISIONS, "moonboot_decisions_total", "Requests that the policy side answered.")            \
    X(DECISION_ERRORS, "moonboot_decision_errors_total", "Decisions in which the policy failed.")  \
    X(DECISION_DEADLINES, "moonboot_decision_deadlines_total",                                     \
      "Decisions ended for using too much CPU time.")                                              \
    X(DECISION_WAITS, "moonboot_decision_waits_total",                                             \
      "Decisions that waited for something outside.")                                              \
    X(DECISION_WAITS_EXPIRED, "moonboot_decision_waits_ended_total{reason=\"deadline\"}",          \
      "Waiting decisions that did not get their answer.")                                          \
    X(DECISION_WAITS_CANCELLED, "moonboot_decision_waits_ended_total{reason=\"client_gone\"}",     \
      NULL)                                                                                        \
    X(REFUSED_DHCP, "moonboot_decisions_refused_total{protocol=\"dhcp\"}",                         \
      "Decisions given up as too many waited already.")                                            \
    X(REFUSED_TFTP, "moonboot_decisions_refused_total{protocol=\"tftp\"}", NULL)                   \
    X(REFUSED_HTTP, "moonboot_decisions_refused_total{protocol=\"http\"}", NULL)                   \
    X(REFUSED_CONTROL, "moonboot_decisions_refused_total{protocol=\"control\"}", NULL)             \
    X(WAITS_REFUSED_HTTP, "moonboot_waits_refused_total{queue=\"http\"}",                          \
      "Waits that policies were refused as a queue was full.")                                     \
    X(WAITS_REFUSED_STATE, "moonboot_waits_refused_total{queue=\"state\"}", NULL)                  \
    X(CONTROL_REFUSED, "moonboot_control_refused_total",                                           \
      "Commands of the control socket refused by a worker that had too many.")                     \
    X(DECISION_MICROSECONDS, "moonboot_decision_microseconds_total",                               \
      "Time spent in decisions, in microseconds.")                                                 \
    X(STAGES_DROPPED, "moonboot_stages_dropped_total",                                             \
      "Stages of boots that were not recorded: too many at once, or of too many machines.")        \
    X(HTTP_CACHE_FRESH, "moonboot_http_cache_answers_total{answer=\"fresh\"}",                     \
      "Questions to other servers that what was kept has answered; those that shared another's.")  \
    X(HTTP_CACHE_STALE, "moonboot_http_cache_answers_total{answer=\"stale\"}", NULL)               \
    X(HTTP_CACHE_JOINED, "moonboot_http_cache_answers_total{answer=\"joined\"}", NULL)             \
    X(DECISION_LOG_WRITTEN, "moonboot_decision_log_lines_total{result=\"written\"}",               \
      "Lines of the decision log; lost ones could not be written.")                                \
    X(DECISION_LOG_LOST, "moonboot_decision_log_lines_total{result=\"lost\"}", NULL)               \
    X(LOG_LOST, "moonboot_log_lines_lost_total",                                                   \
      "Lines of workers' logs that nobody read, or no disk could take.")                           \
    METRICS_STATE_COUNTERS(X)

enum metrics_counter {
#define X(name, prometheus, help) METRICS_##name,
    METRICS_COUNTERS(X)
#undef X
        METRICS_N_COUNTERS
};

/* Decisions are counted by words that neither policies nor packets can add to. */
#define METRICS_STAGES   10
#define METRICS_VERDICTS 12

/* Times, in microseconds. */
#define METRICS_HISTOGRAMS(X)                                                                      \
    X(DECISION_TIME, "moonboot_decision_seconds", "Time that a decision ran, waiting apart.")      \
    X(REPLY_TIME, "moonboot_reply_seconds", "From a request to its answer, waiting included.")     \
    X(HTTP_CLIENT_TIME, "moonboot_http_client_seconds", "What requests to other servers took.")

enum metrics_histogram {
#define X(name, prometheus, help) METRICS_##name,
    METRICS_HISTOGRAMS(X)
#undef X
        METRICS_N_HISTOGRAMS
};

#define METRICS_BUCKETS 12

struct metrics_times {
    _Atomic uint64_t buckets[METRICS_BUCKETS]; /* not cumulative; the last is all above */
    _Atomic uint64_t sum;
};

/* Servers that policies ask, by name: so many of each worker; the last stands for all others. */
#define METRICS_HOSTS     16
#define METRICS_HOST_NAME 64

enum metrics_outcome {
    METRICS_OUTCOME_OK,      /* 2xx, 3xx */
    METRICS_OUTCOME_REFUSED, /* 4xx */
    METRICS_OUTCOME_BROKEN,  /* 5xx */
    METRICS_OUTCOME_TIMEOUT,
    METRICS_OUTCOME_FAILED, /* no connection, no certificate, half an answer */
    METRICS_N_OUTCOMES
};

struct metrics_host {
    _Atomic bool used; /* set once the name stands */
    char name[METRICS_HOST_NAME];
    _Atomic uint64_t outcomes[METRICS_N_OUTCOMES];
    _Atomic uint64_t microseconds;
};

/* One worker's own counters; nobody else writes to them. */
struct metrics {
    struct metrics_host hosts[METRICS_HOSTS];
    _Atomic uint64_t counters[METRICS_N_COUNTERS];
    _Atomic uint64_t decisions[METRICS_STAGES][METRICS_VERDICTS];
    struct metrics_times times[METRICS_N_HISTOGRAMS];
    _Atomic uint64_t heartbeat; /* CLOCK_MONOTONIC, milliseconds: when its event loop last turned */
};

#define METRICS_MAX_WORKERS 64

/* What a process has open just now, as the counters above. */
#define METRICS_GAUGES(X)                                                                          \
    X(HTTP_OPEN, "moonboot_http_connections_open", "HTTP connections that are open.")              \
    X(TFTP_OPEN, "moonboot_tftp_transfers_open", "TFTP transfers under way.")                      \
    X(WAITING, "moonboot_decisions_waiting", "Decisions that wait for something outside.")         \
    X(POLICY_MEMORY, "moonboot_policy_memory_bytes", "Memory of the policies' Lua.")               \
    X(QUEUED, "moonboot_socket_queue_bytes", "DHCP and TFTP requests that wait to be read.")       \
    X(STATE_UP, "moonboot_state_up", "Workers that can ask their store.")

enum metrics_gauge {
#define X(name, prometheus, help) METRICS_##name,
    METRICS_GAUGES(X)
#undef X
        METRICS_N_GAUGES
};

#define METRICS_SEATS 1024

/* One process's gauges; they end with it. */
struct metrics_seat {
    _Atomic int pid; /* 0: the seat is free */
    _Atomic uint64_t gauges[METRICS_N_GAUGES];
    _Atomic int64_t state_trouble; /* why the store cannot be asked (store.h); 0: it can */
};

/* What becomes of tftp-hpa (tftp_hpa.h). */
enum metrics_hpa { METRICS_HPA_UNUSED, METRICS_HPA_DOWN, METRICS_HPA_RUNS };

/* What the whole service shares; a mapping that fork inherits. */
struct metrics_board {
    _Atomic uint64_t generation; /* of the policy that serves; 0: none yet */
    _Atomic uint64_t reloads;    /* that took effect, the first load included */
    _Atomic uint64_t reloads_refused;
    _Atomic uint64_t last_refused; /* 1 when the last reload was refused */
    _Atomic uint64_t loaded_at;    /* seconds since the epoch */
    _Atomic uint64_t workers_ready;
    _Atomic uint64_t workers_restarted;
    _Atomic uint64_t tftp_hpa; /* enum metrics_hpa */
    _Atomic uint64_t tftp_hpa_restarts;
    _Atomic uint64_t policy_fetches[3];      /* by enum fetch_result (fetch_child.h) */
    _Atomic uint64_t policy_fetched_at;      /* the last time; 0: it is not fetched */
    _Atomic uint64_t policy_fetched_well_at; /* the last time that it went well */
    _Atomic uint64_t policy_version;         /* of the bundle that serves */
    struct metrics slots[METRICS_MAX_WORKERS];
    struct metrics_seat seats[METRICS_SEATS];
};

/* NULL when memory is out. */
struct metrics_board *metrics_board_alloc(void);
void metrics_board_free(struct metrics_board *board);

static inline void metrics_add(struct metrics *m, enum metrics_counter counter, uint64_t n)
{
    atomic_fetch_add_explicit(&m->counters[counter], n, memory_order_relaxed);
}

static inline void metrics_inc(struct metrics *m, enum metrics_counter counter)
{
    metrics_add(m, counter, 1);
}

/* Counts a decision; `verdict` may have more words behind its first. */
void metrics_decision(struct metrics *m, const char *stage, const char *verdict);

void metrics_observe(struct metrics *m, enum metrics_histogram histogram, uint64_t microseconds);

/* A request to another server has ended; `host` is its name and port. */
void metrics_asked(struct metrics *m, const char *host, enum metrics_outcome outcome,
                   uint64_t microseconds);

/* A seat for that process; NULL when all are taken. */
struct metrics_seat *metrics_sit(struct metrics_board *board, pid_t pid);

/* The seat of that process; NULL: it has none. */
struct metrics_seat *metrics_seat(struct metrics_board *board, pid_t pid);

/* That process is gone. */
void metrics_leave(struct metrics_board *board, pid_t pid);

/* A counter's name, with its labels, and its value over all slots. */
const char *metrics_name(size_t counter);
uint64_t metrics_sum(const struct metrics_board *board, size_t counter);

/* The worker is alive, and in Lua or its event loop right now. */
void metrics_beat(struct metrics *m);

/* The same for who knows the time: CLOCK_MONOTONIC in milliseconds. */
void metrics_beat_at(struct metrics *m, uint64_t now);

/* The board in Prometheus' text format 0.0.4: a string for the caller to free, its
 * length in *len; NULL when memory is out. */
char *metrics_text(const struct metrics_board *board, size_t *len);

#endif
