#include "ratchet.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEX_LEN  (2 * RATCHET_HASH_LEN)
#define TEXT_MAX 128
#define FORMAT   "%" PRIu64 " %s\n"
#define PART     RATCHET_FILE ".part"

int ratchet_prepare(const char *directory)
{
    struct stat st;
    if (mkdir(directory, 0700) < 0 && errno != EEXIST)
        return -errno;
    if (stat(directory, &st) < 0)
        return -errno;
    if (!S_ISDIR(st.st_mode))
        return -ENOTDIR;
    return st.st_uid != geteuid() || (st.st_mode & (S_IWGRP | S_IWOTH)) ? -EPERM : 0;
}

static int open_directory(const char *directory)
{
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
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
