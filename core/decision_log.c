#include "decision_log.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

int decision_log_open(const char *path)
{
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0640);
    return fd < 0 ? -errno : fd;
}

struct json_line *decision_log_facts(struct decision_log *log)
{
    log->facts = json_line_begin(log->facts_text, sizeof log->facts_text);
    return &log->facts;
}

static void put_time(struct decision_log *log, struct json_line *line)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (now.tv_sec != log->second) {
        struct tm tm;
        gmtime_r(&now.tv_sec, &tm);
        log->stamp_len = strftime(log->stamp, sizeof log->stamp, "%Y-%m-%dT%H:%M:%S.000000Z", &tm);
        log->second = now.tv_sec;
    }
    char *digit = log->stamp + log->stamp_len - 1;
    for (long us = now.tv_nsec / 1000, i = 0; i < 6; i++, us /= 10)
        *--digit = (char)('0' + us % 10);
    json_line_string(line, "time", log->stamp, log->stamp_len);
}

static void put_word(struct json_line *line, const char *key, const char *value)
{
    if (*value)
        json_line_string(line, key, value, strlen(value));
}

/* Whether all of it is in the file. A part is ended by the next line that fits. */
static bool write_line(struct decision_log *log, const char *text, size_t len)
{
    ssize_t n;
    do {
        n = write(log->fd, text, len);
    } while (n < 0 && errno == EINTR);
    if (n > 0)
        log->torn = n < (ssize_t)len && text[n - 1] != '\n';
    return n == (ssize_t)len;
}

void decision_log_write(struct decision_log *log, const struct decision_log_entry *entry,
                        struct metrics *metrics)
{
    char *text = log->line + 1;
    struct json_line line = json_line_begin(text, sizeof log->line - 1);
    put_time(log, &line);
    put_word(&line, "machine", entry->machine);
    put_word(&line, "stage", entry->stage);
    put_word(&line, "verdict", entry->verdict);
    put_word(&line, "rule", entry->rule);
    put_word(&line, "profile", entry->profile);
    json_line_number(&line, "us", (int64_t)entry->microseconds);
    if (entry->waited_ms)
        json_line_number(&line, "waited_ms", (int64_t)entry->waited_ms);
    put_word(&line, "error", entry->error);
    json_line_number(&line, "generation", (int64_t)log->generation);
    put_word(&line, "policy", log->policy);
    if (log->facts.text)
        json_line_object(&line, "facts", &log->facts);
    log->facts.text = NULL;
    size_t len = json_line_end(&line);
    bool torn = log->torn;
    if (torn)
        *--text = '\n';
    bool written = write_line(log, text, len + torn);
    metrics_inc(metrics, written ? METRICS_DECISION_LOG_WRITTEN : METRICS_DECISION_LOG_LOST);
}
