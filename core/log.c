#include "log.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "json.h"
#include "mask.h"

#define LOG_LINE_MAX   8192
#define QUOTED         "\"\\"
#define LOG_VALUES_MAX (LOG_LINE_MAX - 1024) /* values are cut here; keys and quotes never */

static struct {
    enum log_level level, limit;
    enum log_format format;
    const struct mask *mask; /* NULL: nothing is hidden */
    unsigned long lost;      /* lines that nobody took, and that has not been said yet */
    unsigned long all_lost;  /* in all */
    bool socket;
    bool torn; /* the last line lacks its end */
} logger = {.level = LOG_LEVEL_INFO, .limit = LOG_LEVEL_DEBUG, .format = LOG_FORMAT_TEXT};

static const char *const level_names[] = {"error", "warn", "info", "debug"};
static const char *const format_names[] = {"text", "json"};

/* A line as it grows; what does not fit is cut, its end kept for the newline. */
struct line {
    char text[LOG_LINE_MAX];
    size_t len;
};

void log_setup(enum log_level level, enum log_format format)
{
    logger.level = level;
    logger.format = format;
}

void log_hide(const struct mask *mask)
{
    logger.mask = mask;
}

/* The text; where a secret stands in it a copy without, which is the caller's to free. */
static const char *shown(const char *text, char **copy)
{
    size_t len = strlen(text);
    *copy = NULL;
    if (!logger.mask || !mask_has(logger.mask, text, len))
        return text;
    *copy = mask_copy(logger.mask, text, len);
    return *copy ? *copy : MASK_MARK;
}

/* A pipe's mode is shared by all who hold it: opened anew it is our own. */
void log_unblock(void)
{
    struct stat st;
    if (fstat(STDERR_FILENO, &st) < 0)
        return;
    logger.socket = S_ISSOCK(st.st_mode);
    int fd = S_ISFIFO(st.st_mode)
                 ? open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_APPEND | O_CLOEXEC)
                 : -1;
    if (fd >= 0) {
        dup2(fd, STDERR_FILENO);
        close(fd);
    }
}

unsigned long log_lost(void)
{
    return logger.all_lost;
}

bool log_enabled(enum log_level level)
{
    return level <= logger.level && level <= logger.limit;
}

void log_limit(enum log_level level)
{
    logger.limit = level;
}

bool log_level_parse(const char *name, enum log_level *level)
{
    for (size_t i = 0; i < sizeof level_names / sizeof *level_names; i++) {
        if (!strcmp(name, level_names[i])) {
            *level = (enum log_level)i;
            return true;
        }
    }
    return false;
}

bool log_format_parse(const char *name, enum log_format *format)
{
    for (size_t i = 0; i < sizeof format_names / sizeof *format_names; i++) {
        if (!strcmp(name, format_names[i])) {
            *format = (enum log_format)i;
            return true;
        }
    }
    return false;
}

static void put(struct line *line, const char *text, size_t len)
{
    size_t room = sizeof line->text - 8 - line->len;
    if (len > room)
        len = room;
    memcpy(line->text + line->len, text, len);
    line->len += len;
}

static void put_text(struct line *line, const char *text)
{
    put(line, text, strlen(text));
}

/* What came from a wire must not end the line, colour a terminal or break JSON. */
static void put_escaped(struct line *line, const char *text, const char *quoted)
{
    for (const unsigned char *s = (const unsigned char *)text; *s && line->len < LOG_VALUES_MAX;) {
        char code[8];
        size_t n = json_utf8(s, SIZE_MAX);
        if (n == 0 || *s < 0x20 || *s == 0x7f) {
            snprintf(code, sizeof code, "\\u%04x", *s);
            put_text(line, code);
            s++;
            continue;
        }
        if (strchr(quoted, *s))
            put(line, "\\", 1);
        put(line, (const char *)s, n);
        s += n;
    }
}

static bool plain(const char *text)
{
    for (const char *s = text; *s; s++) {
        if (*s <= ' ' || *s == '"' || *s == '\\' || *s == '=' || (unsigned char)*s >= 0x7f)
            return false;
    }
    return *text != '\0';
}

static void put_pair_json(struct line *line, const char *key, const char *value)
{
    put_text(line, ",\"");
    put_text(line, key);
    put_text(line, "\":\"");
    put_escaped(line, value, QUOTED);
    put(line, "\"", 1);
}

static void put_pair_text(struct line *line, const char *key, const char *value)
{
    put(line, " ", 1);
    put_text(line, key);
    put(line, "=", 1);
    if (plain(value) && line->len + strlen(value) < LOG_VALUES_MAX) {
        put_text(line, value);
        return;
    }
    put(line, "\"", 1);
    put_escaped(line, value, QUOTED);
    put(line, "\"", 1);
}

static void put_time(struct line *line)
{
    struct timespec now;
    struct tm tm;
    char text[64];
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &tm);
    size_t n = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
    n += (size_t)snprintf(text + n, sizeof text - n, ".%03dZ", (int)(now.tv_nsec / 1000000));
    put(line, text, n);
}

/* A log that nobody reads, or that cannot be written, must not stop the service: such lines
 * are lost, and counted. */
static bool write_all(const char *text, size_t len)
{
    ssize_t n = logger.socket ? send(STDERR_FILENO, text, len, MSG_DONTWAIT | MSG_NOSIGNAL)
                              : write(STDERR_FILENO, text, len);
    if (n > 0)
        logger.torn = text[n - 1] != '\n';
    return n == (ssize_t)len;
}

static void write_line(const char *text, size_t len)
{
    struct pollfd out = {.fd = STDERR_FILENO, .events = POLLOUT};
    unsigned long lost = logger.lost;
    if (poll(&out, 1, 0) == 1 && (out.revents & POLLOUT)) {
        if (lost) { /* said first; when that cannot be written either, the line is lost too */
            logger.lost = 0;
            log_warn("%lu lines of this log were lost: nobody read them, or the disk is full",
                     lost);
            if (logger.lost) {
                logger.lost += lost;
                return;
            }
        }
        if ((!logger.torn || write_all("\n", 1)) && write_all(text, len))
            return;
    }
    logger.lost++;
    logger.all_lost++;
}

void log_event(enum log_level level, const struct log_field *fields, size_t n_fields,
               const char *message)
{
    if (!log_enabled(level))
        return;
    struct line line = {.len = 0};
    bool json = logger.format == LOG_FORMAT_JSON;
    char *copy;
    message = shown(message, &copy);
    if (json) {
        put_text(&line, "{\"time\":\"");
        put_time(&line);
        put(&line, "\"", 1);
        put_pair_json(&line, "level", level_names[level]);
        put_pair_json(&line, "message", message);
    } else {
        char name[16];
        put_time(&line);
        snprintf(name, sizeof name, " %-5s ", level_names[level]);
        put_text(&line, name);
        put_escaped(&line, message, "");
    }
    free(copy);
    for (size_t i = 0; i < n_fields; i++) {
        if (!fields[i].value)
            continue;
        const char *value = shown(fields[i].value, &copy);
        if (json)
            put_pair_json(&line, fields[i].key, value);
        else
            put_pair_text(&line, fields[i].key, value);
        free(copy);
    }
    memcpy(line.text + line.len, json ? "}\n" : "\n", json ? 2 : 1);
    line.len += json ? 2 : 1;
    write_line(line.text, line.len);
}

void log_line(enum log_level level, const char *format, ...)
{
    if (!log_enabled(level))
        return;
    char message[LOG_LINE_MAX / 2], *whole = NULL;
    va_list args;
    va_start(args, format);
    int len = vsnprintf(message, sizeof message, format, args);
    va_end(args);
    /* Of a secret that is cut, a part would not be known. */
    if (logger.mask && len >= (int)sizeof message) {
        va_start(args, format);
        if (vasprintf(&whole, format, args) < 0)
            whole = NULL;
        va_end(args);
    }
    log_event(level, NULL, 0, whole ? whole : message);
    free(whole);
}
