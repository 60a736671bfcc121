#include "problems.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define NAME_MAX_COMPARED 40

void problems_add(struct problems *problems, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *line = NULL;
    if (vasprintf(&line, format, args) < 0)
        line = NULL;
    va_end(args);
    char **lines = line ? realloc(problems->lines, (problems->n + 1) * sizeof *lines) : NULL;
    if (!lines) {
        /* Out of memory: the message reaches a human all the same. */
        fprintf(stderr, "%s\n", line ? line : format);
        free(line);
        return;
    }
    problems->lines = lines;
    problems->lines[problems->n++] = line;
}

void problems_clear(struct problems *problems)
{
    for (size_t i = 0; i < problems->n; i++)
        free(problems->lines[i]);
    free(problems->lines);
    *problems = (struct problems){0};
}

static size_t min3(size_t a, size_t b, size_t c)
{
    size_t least = a < b ? a : b;
    return least < c ? least : c;
}

static bool same_letter(char a, char b)
{
    return !strncasecmp(&a, &b, 1);
}

/* Levenshtein's distance, with neighbours that changed places as one edit, and letters of either
 * case alike; names over the limit are far from everything. */
static size_t edit_distance(const char *a, const char *b)
{
    size_t row[NAME_MAX_COMPARED + 1], before[NAME_MAX_COMPARED + 1] = {0};
    size_t n = strlen(a), m = strlen(b);
    if (n > NAME_MAX_COMPARED || m > NAME_MAX_COMPARED)
        return NAME_MAX_COMPARED;
    for (size_t j = 0; j <= m; j++)
        row[j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t diagonal = row[0], beyond = 0; /* of the row above, and of the one above that */
        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            size_t above = row[j], swapped = beyond + 1;
            size_t change = same_letter(a[i - 1], b[j - 1]) ? 0 : 1;
            row[j] = min3(above + 1, row[j - 1] + 1, diagonal + change);
            if (i > 1 && j > 1 && same_letter(a[i - 1], b[j - 2]) &&
                same_letter(a[i - 2], b[j - 1]) && swapped < row[j])
                row[j] = swapped;
            beyond = before[j - 1];
            before[j - 1] = diagonal;
            diagonal = above;
        }
        before[m] = diagonal;
    }
    return row[m];
}

const char *problems_nearest(const char *found, const char *const *names)
{
    return problems_nearest_within(found, names, strlen(found) / 3 + 1);
}

const char *problems_nearest_within(const char *found, const char *const *names, size_t most)
{
    const char *nearest = NULL;
    size_t least = most; /* a slip or two, not another word */
    for (; *names; names++) {
        size_t distance = edit_distance(found, *names);
        if (distance < least || (distance == least && !nearest)) {
            least = distance;
            nearest = *names;
        }
    }
    return nearest;
}
