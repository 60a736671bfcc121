/* The decision log: one line of JSON for each decision, with all that is needed to decide again
 * (decision_log.schema.json says what is in a line). Not what people read while the service runs:
 * that is log.h.
 *
 * A line leaves in one write(2) on a descriptor opened with O_APPEND, so that the lines of all
 * workers stand whole beside each other. What cannot be written, as the disk is full or a
 * pipe's reader is slow, is lost and counted: no boot waits for it. */
#ifndef MOONBOOT_DECISION_LOG_H
#define MOONBOOT_DECISION_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "json_line.h"
#include "metrics.h"

#define DECISION_LOG_LINE  16384 /* bytes, the line feed included */
#define DECISION_LOG_FACTS (DECISION_LOG_LINE - 6144)

struct decision_log {
    int fd; /* -1: there is none */
    uint64_t generation;
    const char *policy; /* the policy's hash */
    bool torn;          /* the last line was written in part */
    time_t second;      /* that `stamp` is of */
    char stamp[32];
    size_t stamp_len;
    struct json_line facts; /* of the decision being logged; text NULL: none */
    char facts_text[DECISION_LOG_FACTS];
    char line[DECISION_LOG_LINE];
};

/* What came of one decision; "" for what there is not. */
struct decision_log_entry {
    const char *machine, *stage, *verdict, *rule, *profile, *error;
    uint64_t microseconds; /* that it ran */
    uint64_t waited_ms;    /* that it was suspended; 0: not at all */
};

/* Opens or makes the file: a descriptor, or a negative errno. */
int decision_log_open(const char *path);

static inline bool decision_log_on(const struct decision_log *log)
{
    return log->fd >= 0;
}

/* Begins a decision's facts, for the caller to write. */
struct json_line *decision_log_facts(struct decision_log *log);

/* Writes the line, with the facts begun since the last one. Counts it. */
void decision_log_write(struct decision_log *log, const struct decision_log_entry *entry,
                        struct metrics *metrics);

#endif
