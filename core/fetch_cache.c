#include "fetch_cache.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ORIGIN     "origin" /* the URL and the ETag, a line each */
#define ORIGIN_MAX 4096

static int open_directory(int at, const char *name)
{
    int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    return fd < 0 ? -errno : fd;
}

static int open_cache(const char *cache)
{
    int fd = open(cache, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    return fd < 0 ? -errno : fd;
}

/* Leaves an empty directory, or none. */
static void clear(int cache, const char *which)
{
    int dir = open_directory(cache, which);
    if (dir < 0)
        return;
    unlinkat(dir, FETCH_CACHE_BUNDLE, 0);
    unlinkat(dir, FETCH_CACHE_SIGNATURE, 0);
    unlinkat(dir, ORIGIN, 0);
    close(dir);
}

static int create(int dir, const char *name)
{
    int fd = openat(dir, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    return fd < 0 ? -errno : fd;
}

int fetch_cache_begin(const char *cache, int *bundle, int *signature)
{
    int at = open_cache(cache);
    if (at < 0)
        return at;
    clear(at, FETCH_CACHE_NEW);
    int error = mkdirat(at, FETCH_CACHE_NEW, 0700) < 0 && errno != EEXIST ? -errno : 0;
    int dir = error ? error : open_directory(at, FETCH_CACHE_NEW);
    *bundle = dir < 0 ? dir : create(dir, FETCH_CACHE_BUNDLE);
    *signature = *bundle < 0 ? *bundle : create(dir, FETCH_CACHE_SIGNATURE);
    if (*signature < 0 && *bundle >= 0)
        close(*bundle);
    if (dir >= 0)
        close(dir);
    close(at);
    return *signature < 0 ? *signature : 0;
}

int fetch_cache_note(const char *cache, const char *url, const char *etag)
{
    char text[ORIGIN_MAX];
    int at = open_cache(cache);
    int dir = at < 0 ? at : open_directory(at, FETCH_CACHE_NEW);
    int len = snprintf(text, sizeof text, "%s\n%s\n", url, etag);
    int fd = dir < 0 ? dir : (size_t)len >= sizeof text ? -ENAMETOOLONG : create(dir, ORIGIN);
    int error = fd < 0 ? fd : write(fd, text, (size_t)len) != len || fsync(fd) < 0 ? -EIO : 0;
    if (!error && fsync(dir) < 0)
        error = -errno;
    if (fd >= 0)
        close(fd);
    if (dir >= 0)
        close(dir);
    if (at >= 0)
        close(at);
    return error;
}

int fetch_cache_commit(const char *cache)
{
    int at = open_cache(cache);
    if (at < 0)
        return at;
    int error =
        renameat2(at, FETCH_CACHE_NEW, at, FETCH_CACHE_RAN, RENAME_EXCHANGE) < 0 ? -errno : 0;
    if (error == -EINVAL || error == -ENOSYS) { /* not by this file system: with a gap, then */
        clear(at, FETCH_CACHE_RAN);
        error =
            unlinkat(at, FETCH_CACHE_RAN, AT_REMOVEDIR) < 0 && errno != ENOENT ? -errno : -ENOENT;
    }
    if (error == -ENOENT) /* there was none */
        error = renameat(at, FETCH_CACHE_NEW, at, FETCH_CACHE_RAN) < 0 ? -errno : 0;
    if (!error && fsync(at) < 0)
        error = -errno;
    if (!error)
        clear(at, FETCH_CACHE_NEW);
    close(at);
    return error;
}

bool fetch_cache_has(const char *cache, const char *which, const char *url,
                     char etag[FETCH_CACHE_ETAG_MAX])
{
    char text[ORIGIN_MAX], *path = NULL;
    ssize_t n = -1;
    if (etag)
        *etag = '\0';
    if (asprintf(&path, "%s/%s/" ORIGIN, cache, which) < 0)
        return false;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd >= 0) {
        n = read(fd, text, sizeof text - 1);
        close(fd);
    }
    free(path);
    size_t len = strlen(url);
    if (n <= 0)
        return false;
    text[n] = '\0';
    if (strncmp(text, url, len) != 0 || text[len] != '\n')
        return false;
    char *second = text + len + 1, *end = strchr(second, '\n');
    if (etag && end && end - second < FETCH_CACHE_ETAG_MAX) {
        *end = '\0';
        memcpy(etag, second, strlen(second) + 1);
    }
    return true;
}
