/* The log: one line an event, on standard error, as text or JSON.
 *
 * This is the program's only global. A line leaves in one write(2), so lines of
 * several processes that share a descriptor never mix. Text that came from the
 * wire is safe to pass: control characters are escaped in both formats. */
#ifndef MOONBOOT_LOG_H
#define MOONBOOT_LOG_H

#include <stdbool.h>
#include <stddef.h>

struct mask;

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

/* One key and its value; a NULL value leaves the pair out. */
struct log_field {
    const char *key;
    const char *value;
};

/* Sets what is written (that level and the graver ones) and how. */
void log_setup(enum log_level level, enum log_format format);

/* From here on nothing that is less grave is written, whatever log_setup says. */
void log_limit(enum log_level level);

/* From here on no line has these secrets (core/mask.h) in it. Not owned, may grow; NULL: none. */
void log_hide(const struct mask *mask);

/* From here on writing never waits for who reads the log, if that is a pipe or a socket. Other
 * processes that hold it are not touched. */
void log_unblock(void);

/* How many lines this process has lost: nobody took them. */
unsigned long log_lost(void);

bool log_enabled(enum log_level level);

/* Level and format by their names in site.yaml; false when there is no such name. */
bool log_level_parse(const char *name, enum log_level *level);
bool log_format_parse(const char *name, enum log_format *format);

void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A line with fields: `message key=value …`, or a JSON object with these keys. */
void log_event(enum log_level level, const struct log_field *fields, size_t n_fields,
               const char *message);

#define log_error(...) log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...)  log_line(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...)  log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
