/* Everything that is wrong with an input, collected so that it can be reported at
 * once: `file:line:column: message` each. */
#ifndef MOONBOOT_PROBLEMS_H
#define MOONBOOT_PROBLEMS_H

#include <stdbool.h>
#include <stddef.h>

struct problems {
    char **lines;
    size_t n;
};

void problems_add(struct problems *problems, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void problems_clear(struct problems *problems);

/* The name of `names` (NULL-terminated) that is nearest to `found`, by edit
 * distance, or NULL when none is near enough to suggest. */
const char *problems_nearest(const char *found, const char *const *names);

/* The same, at a distance of `most` edits. */
const char *problems_nearest_within(const char *found, const char *const *names, size_t most);

#endif
