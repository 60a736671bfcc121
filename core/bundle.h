/* A policy's directory as one file: a bundle, made by `moonboot bundle`.
 *
 * It is a POSIX ustar archive, so that `tar tf` and `tar xf` read it, but in one form only: regular
 * files, sorted by name, without times and owners; the reader writes each header anew and wants the
 * same 512 bytes. No library is needed for that little, and none of an archive's dangers (links,
 * devices, sparse files, extensions, numbers in other bases) can be said in it. One input gives
 * the same bytes anywhere. The first member, BUNDLE_HEAD, has the version and the policy's name.
 *
 * All of this is about bytes in memory, which may come from anybody. */
#ifndef MOONBOOT_BUNDLE_H
#define MOONBOOT_BUNDLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BUNDLE_HEAD        ".moonboot-bundle"
#define BUNDLE_MAX         ((size_t)256 << 20)
#define BUNDLE_FILE_MAX    ((size_t)64 << 20)
#define BUNDLE_FILES_MAX   4096
#define BUNDLE_NAME_MAX    257 /* with its NUL */
#define BUNDLE_VERSION_MAX UINT64_C(999999999999999)

struct bundle {
    const uint8_t *data;
    size_t len;
    size_t first; /* where the first file is, after the head */
    size_t files;
    uint64_t version;
    char policy[BUNDLE_NAME_MAX]; /* the file that is the policy; it is there */
};

struct bundle_file {
    char name[BUNDLE_NAME_MAX];
    const uint8_t *data;
    size_t len;
};

/* Whether these bytes begin as a bundle does. */
bool bundle_begins(const void *data, size_t len);

/* Checks the whole of it. NULL, or what is wrong; the bundle points into the data. */
const char *bundle_read(const void *data, size_t len, struct bundle *bundle);

/* Checks its head alone: enough for what has been read before, or is to be found in it. */
const char *bundle_head(const void *data, size_t len, struct bundle *bundle);

/* The file at `*at` (at first bundle->first), and moves on; false: there is no more. */
bool bundle_next(const struct bundle *bundle, size_t *at, struct bundle_file *file);

/* Finds a file by a path, in which "." and ".." mean what they mean in a directory. 0, -EXDEV
 * when it leads out of the bundle, -EISDIR, or -ENOENT. */
int bundle_find(const struct bundle *bundle, const char *path, struct bundle_file *file);

/* Calls `each` with what is directly in a directory, "" or "." being the top, in order.
 * 0, -EXDEV or -ENOENT. */
int bundle_list(const struct bundle *bundle, const char *path,
                void (*each)(const char *name, bool directory, void *arg), void *arg);

/* What is written; zeroed at first, and its data the caller's to free. */
struct bundle_writer {
    uint8_t *data;
    size_t len, capacity;
    size_t files;
    char last[BUNDLE_NAME_MAX];
};

/* NULL, or what is wrong: the head, then each file, in the order of strcmp, then the end. */
const char *bundle_begin(struct bundle_writer *writer, uint64_t version, const char *policy);
const char *bundle_add(struct bundle_writer *writer, const char *name, const void *data,
                       size_t len);
const char *bundle_end(struct bundle_writer *writer);

/* NULL when a file of that name may be in a bundle, or why not. */
const char *bundle_name_problem(const char *name);

#endif
