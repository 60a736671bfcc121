/* Files under a root, opened so that no name can lead out of it (openat2 with
 * RESOLVE_BENEATH: neither "..", nor an absolute name, nor a symbolic link). */
#ifndef MOONBOOT_FILES_H
#define MOONBOOT_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <time.h>

#include "reply.h"

/* The directories that are served; -1: there is none. Boot programs (iPXE, PXELINUX, GRUB,
 * shim) are looked up where Debian's packages put them, beneath `packages`, when the asked root
 * has none of that name. */
struct files {
    int roots[2]; /* by enum reply_root */
    int packages;
};

struct file {
    int fd;
    off_t size;
    struct timespec mtime;
    ino_t inode;
};

/* An O_PATH-like directory descriptor, or a negative errno. */
int files_root_open(const char *path);

/* Opens the directory beneath which packages put boot programs. */
int files_packages_open(void);

/* Opens a regular file for reading. 0, or a negative errno: -ENOENT (no such file,
 * a directory, a special file), -EAGAIN (another
 * process holds a lease on it), -EACCES (not readable), -EXDEV (the name leads out of
 * the root), -ENAMETOOLONG, -EMFILE, … Never blocks on a FIFO. */
int files_open(const struct files *files, enum reply_root root, const char *path,
               struct file *file);

/* Any file beneath an open directory, with the same safety; a descriptor or a
 * negative errno. */
int files_open_beneath(int dir, const char *path);

/* The whole of a regular file beneath an open directory, for the caller to free. 0, or a
 * negative errno; -EFBIG when it has more than `max` bytes, -EISDIR when it is no file. */
int files_read_beneath(int dir, const char *path, size_t max, char **text, size_t *len);

/* The media type for a name's suffix; "application/octet-stream" when unknown. */
const char *files_content_type(const char *path);

#endif
