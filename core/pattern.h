/* Lua's patterns (Lua 5.1 reference manual, 5.4.1, and %f), matched with an end: whoever waits
 * for the answer can stop it at any step, as some patterns take time without bounds. */
#ifndef MOONBOOT_PATTERN_H
#define MOONBOOT_PATTERN_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

#define PATTERN_CAPTURES 32

enum pattern_result {
    PATTERN_NONE,   /* it does not match */
    PATTERN_FOUND,  /* start, end and captures say where */
    PATTERN_BAD,    /* the pattern makes no sense: `problem` says why */
    PATTERN_STOPPED /* *stop became true */
};

struct pattern_capture {
    const char *start;
    size_t len;
    enum { PATTERN_OPEN, PATTERN_CLOSED, PATTERN_POSITION } kind; /* open: it has no ")" */
};

/* The first four are the caller's to set; the texts may hold any bytes. */
struct pattern {
    const char *text, *text_end;
    const char *pattern, *pattern_end; /* without the "^" of an anchor */
    const volatile sig_atomic_t *stop; /* NULL: nobody stops it */
    const char *start, *end;           /* of the whole match */
    size_t n_captures;
    struct pattern_capture captures[PATTERN_CAPTURES];
    const char *problem;
    bool stopped;
    unsigned depth;
};

/* Matches at `at` and nowhere else. */
enum pattern_result pattern_at(struct pattern *p, const char *at);

/* The first match that begins at `at` or later. */
enum pattern_result pattern_search(struct pattern *p, const char *at);

/* Whether some byte of a pattern stands for more than itself. */
bool pattern_is_special(const char *pattern, size_t len);

#endif
