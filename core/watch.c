#include "watch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#define EVENTS (IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_ONLYDIR)

struct watched {
    char *path;
    const char *name; /* the path's last part */
    int directory;    /* watch descriptor */
};

struct watch {
    int fd;
    struct watched *files;
    size_t n;
};

struct watch *watch_open(void)
{
    struct watch *watch = calloc(1, sizeof *watch);
    if (!watch)
        return NULL;
    watch->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (watch->fd >= 0)
        return watch;
    free(watch);
    return NULL;
}

void watch_close(struct watch *watch)
{
    if (!watch)
        return;
    for (size_t i = 0; i < watch->n; i++)
        free(watch->files[i].path);
    free(watch->files);
    close(watch->fd);
    free(watch);
}

/* Watching a directory again is to be given the same descriptor. */
static int watch_directory(const struct watch *watch, const char *path, const char *slash)
{
    if (!slash)
        return inotify_add_watch(watch->fd, ".", EVENTS);
    char *directory = strndup(path, slash == path ? 1 : (size_t)(slash - path));
    int descriptor = directory ? inotify_add_watch(watch->fd, directory, EVENTS) : -1;
    int error = errno;
    free(directory);
    errno = error;
    return descriptor;
}

bool watch_add(struct watch *watch, const char *path)
{
    struct watched *files = realloc(watch->files, (watch->n + 1) * sizeof *files);
    if (!files)
        return false;
    watch->files = files;
    const char *slash = strrchr(path, '/');
    struct watched file = {.directory = watch_directory(watch, path, slash)};
    if (file.directory < 0 || !(file.path = strdup(path)))
        return false;
    file.name = slash ? file.path + (slash - path) + 1 : file.path;
    files[watch->n++] = file;
    return true;
}

int watch_fd(const struct watch *watch)
{
    return watch->fd;
}

static const char *find(const struct watch *watch, const struct inotify_event *event)
{
    for (size_t i = 0; event->len > 0 && i < watch->n; i++) {
        if (watch->files[i].directory == event->wd && !strcmp(watch->files[i].name, event->name))
            return watch->files[i].path;
    }
    return NULL;
}

const char *watch_read(struct watch *watch)
{
    _Alignas(struct inotify_event) char buffer[4096];
    const char *changed = NULL;
    ssize_t len;
    while ((len = read(watch->fd, buffer, sizeof buffer)) > 0) {
        for (char *at = buffer; at < buffer + len;) {
            const struct inotify_event *event = (const struct inotify_event *)at;
            const char *path = find(watch, event);
            if (event->mask & IN_Q_OVERFLOW && watch->n > 0)
                path = watch->files[0].path; /* who knows */
            changed = path ? path : changed;
            at += sizeof *event + event->len;
        }
    }
    return changed;
}

const char *watch_newer(const struct watch *watch, struct timespec since)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    for (size_t i = 0; i < watch->n; i++) {
        struct stat st;
        /* What is dated in the future has not been written since, but by another clock. */
        if (stat(watch->files[i].path, &st) == 0 && st.st_mtim.tv_sec <= now.tv_sec &&
            (st.st_mtim.tv_sec > since.tv_sec ||
             (st.st_mtim.tv_sec == since.tv_sec && st.st_mtim.tv_nsec >= since.tv_nsec)))
            return watch->files[i].path;
    }
    return NULL;
}
