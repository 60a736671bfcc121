/* Secrets in files: read into memory that is locked (never swapped), left out of core dumps,
 * and wiped when it is let go of. Children of fork share it, and its place out of dumps. */
#ifndef MOONBOOT_SECRET_H
#define MOONBOOT_SECRET_H

#include <stdbool.h>
#include <stddef.h>

/* A NUL follows `data`, which `len` does not count. */
struct secret {
    char *data;
    size_t len;
};

/* Reads a regular file. 0, or a negative errno: -EPERM when everyone on this host may read or
 * change it, -EISDIR when it is no file, -EFBIG when it has more than `max` bytes. */
int secret_read(const char *path, size_t max, struct secret *secret);

/* The same, whoever may read it: to tell what the file is. */
int secret_read_unguarded(const char *path, size_t max, struct secret *secret);

/* What secret_read came to, in words that a person can act on. */
const char *secret_problem(int error);

/* Wipes and frees; `secret` is empty afterwards. */
void secret_clear(struct secret *secret);

#endif
