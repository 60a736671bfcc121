#include "ratchet.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEX_LEN  (2 * RATCHET_HASH_LEN)
#define TEXT_MAX 128
#define FORMAT   "%" PRIu64 " %s\n"
#define PART     RATCHET_FILE ".part"

/* Nobody but root and ourselves can put another in the place of what lies there. */
static int check_directory(const char *path)
{
    struct stat st;
    if (stat(path, &st) < 0)
        return -errno;
    bool others = (st.st_mode & (S_IWGRP | S_IWOTH)) && !(st.st_mode & S_ISVTX);
    return (st.st_uid && st.st_uid != geteuid()) || others ? -EPERM : 0;
}

/* Each directory above, from the nearest up; shortens `path`. */
static int check_above(char *path)
{
    int error = 0;
    for (char *slash; !error && (slash = strrchr(path, '/'));) {
        *slash = '\0';
        error = check_directory(*path ? path : "/");
    }
    return error;
}

/* As it is written, where a link may lead elsewhere, and as it truly is. */
static int check_place(const char *directory)
{
    char *written = strdup(directory), *real = realpath(directory, NULL);
    int error = -errno;
    if (written && real && !(error = check_above(written)))
        error = check_above(real);
    free(written);
    free(real);
    return error;
}

int ratchet_prepare(const char *directory)
{
    struct stat st;
    if (mkdir(directory, 0700) < 0 && errno != EEXIST)
        return -errno;
    if (lstat(directory, &st) < 0)
        return -errno;
    if (!S_ISDIR(st.st_mode))
        return -ENOTDIR;
    if (st.st_uid != geteuid() || (st.st_mode & (S_IWGRP | S_IWOTH)))
        return -EPERM;
    return check_place(directory);
}

static int open_directory(const char *directory)
{
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    return fd < 0 ? -errno : fd;
}

/* Only what ratchet_write writes is taken. */
static int parse(const char *text, size_t len, struct ratchet *ratchet)
{
    char hex[HEX_LEN + 1], again[TEXT_MAX];
    if (sscanf(text, "%20" SCNu64 " %64[0-9a-f]", &ratchet->version, hex) != 2 ||
        sodium_hex2bin(ratchet->hash, sizeof ratchet->hash, hex, strlen(hex), NULL, NULL, NULL) !=
            0)
        return -EBADMSG;
    int written = snprintf(again, sizeof again, FORMAT, ratchet->version, hex);
    return strlen(hex) == HEX_LEN && (size_t)written == len && !memcmp(again, text, len) ? 0
                                                                                         : -EBADMSG;
}

int ratchet_read(const char *directory, struct ratchet *ratchet)
{
    char text[TEXT_MAX];
    int dir = open_directory(directory);
    if (dir < 0)
        return dir;
    int fd = openat(dir, RATCHET_FILE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    int error = fd < 0 ? -errno : 0;
    close(dir);
    if (error)
        return error;
    ssize_t n = read(fd, text, sizeof text - 1);
    error = n < 0 ? -errno : 0;
    close(fd);
    if (error)
        return error;
    text[n] = '\0';
    return parse(text, (size_t)n, ratchet);
}

int ratchet_write(const char *directory, const struct ratchet *ratchet)
{
    char text[TEXT_MAX], hex[HEX_LEN + 1];
    int dir = open_directory(directory);
    if (dir < 0)
        return dir;
    sodium_bin2hex(hex, sizeof hex, ratchet->hash, sizeof ratchet->hash);
    int len = snprintf(text, sizeof text, FORMAT, ratchet->version, hex);
    int fd = openat(dir, PART, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    bool good = fd >= 0 && write(fd, text, (size_t)len) == len && fsync(fd) == 0;
    int error = good ? 0 : errno ? -errno : -EIO;
    if (fd >= 0 && close(fd) < 0 && good)
        error = -errno;
    if (!error && (renameat(dir, PART, dir, RATCHET_FILE) < 0 || fsync(dir) < 0))
        error = -errno;
    close(dir);
    return error;
}
