#include "systemd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define FIRST_SOCKET 3 /* SD_LISTEN_FDS_START */

/* --- telling ------------------------------------------------------------------------------ */

static void tell(const char *text, size_t len)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t path_len = path ? strlen(path) : 0;
    if (path_len < 2 || path_len >= sizeof address.sun_path || (*path != '/' && *path != '@'))
        return;
    memcpy(address.sun_path, path, path_len);
    if (*path == '@') /* the abstract name space */
        address.sun_path[0] = '\0';
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return;
    sendto(fd, text, len, MSG_NOSIGNAL, (const struct sockaddr *)&address,
           (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path_len));
    close(fd);
}

void systemd_notify(const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (len > 0)
        tell(text, (size_t)len < sizeof text ? (size_t)len : sizeof text - 1);
}

static uint64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

void systemd_reloading(void)
{
    systemd_notify("RELOADING=1\nMONOTONIC_USEC=%llu\nSTATUS=Reloading",
                   (unsigned long long)now_us());
}

/* A number of the environment; 0 when there is none. */
static uint64_t number_of(const char *variable)
{
    const char *text = getenv(variable);
    char *end;
    if (!text || *text < '0' || *text > '9')
        return 0;
    errno = 0;
    uint64_t value = strtoull(text, &end, 10);
    return errno || *end ? 0 : value;
}

static bool meant_for_us(const char *variable)
{
    return number_of(variable) == (uint64_t)getpid();
}

void systemd_beat(uint64_t *last)
{
    uint64_t every = number_of("WATCHDOG_USEC") / 2;
    if (!every || (getenv("WATCHDOG_PID") && !meant_for_us("WATCHDOG_PID")))
        return;
    uint64_t now = now_us();
    if (*last && now - *last < every)
        return;
    *last = now;
    systemd_notify("WATCHDOG=1");
}

/* --- sockets -------------------------------------------------------------------------------- */

/* The names of the sockets, one behind the other; `*n`: how many sockets there are. */
static const char *sockets(unsigned *n)
{
    uint64_t count = meant_for_us("LISTEN_PID") ? number_of("LISTEN_FDS") : 0;
    const char *names = getenv("LISTEN_FDNAMES");
    *n = count < 1024 ? (unsigned)count : 0;
    return names ? names : "";
}

/* Whether the first of these names is that one; moves on to the next. */
static bool next_is(const char **names, const char *name)
{
    size_t len = strcspn(*names, ":");
    bool same = len == strlen(name) && !memcmp(*names, name, len);
    *names += len + ((*names)[len] == ':');
    return same;
}

unsigned systemd_sockets(const char *name)
{
    unsigned n, found = 0;
    const char *names = sockets(&n);
    for (unsigned i = 0; i < n; i++)
        found += next_is(&names, name);
    return found;
}

static bool is_at(int fd, int type, const struct sockaddr_in *address)
{
    struct sockaddr_in own = {0};
    socklen_t len = sizeof own, type_len = sizeof type;
    int own_type = 0;
    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &own_type, &type_len) == 0 && own_type == type &&
           getsockname(fd, (struct sockaddr *)&own, &len) == 0 && own.sin_family == AF_INET &&
           own.sin_port == address->sin_port && own.sin_addr.s_addr == address->sin_addr.s_addr;
}

static int copy_of(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
        fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
        return -errno;
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    return copy < 0 ? -errno : copy;
}

int systemd_socket(const char *name, int type, const struct sockaddr_in *address, unsigned nth)
{
    unsigned n;
    const char *names = sockets(&n);
    for (unsigned i = 0; i < n; i++) {
        int fd = FIRST_SOCKET + (int)i;
        if (next_is(&names, name) && is_at(fd, type, address) && nth-- == 0)
            return copy_of(fd);
    }
    return -ENOENT;
}

static bool listens_at(int fd, const char *path)
{
    struct sockaddr_un own = {0};
    socklen_t len = sizeof own - 1, int_len = sizeof(int);
    int type = 0, listens = 0;
    return getsockname(fd, (struct sockaddr *)&own, &len) == 0 && own.sun_family == AF_UNIX &&
           !strcmp(own.sun_path, path) &&
           getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &int_len) == 0 && type == SOCK_STREAM &&
           getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &int_len) == 0 && listens;
}

int systemd_unix_socket(const char *name, const char *path)
{
    unsigned n;
    const char *names = sockets(&n);
    for (unsigned i = 0; i < n; i++) {
        int fd = FIRST_SOCKET + (int)i;
        if (next_is(&names, name) && listens_at(fd, path))
            return copy_of(fd);
    }
    return -ENOENT;
}

char *systemd_unknown_socket(const char *const *known)
{
    unsigned n;
    const char *names = sockets(&n);
    for (unsigned i = 0; i < n; i++) {
        const char *name = names;
        size_t len = strcspn(names, ":");
        bool found = false;
        for (size_t k = 0; known[k]; k++)
            found = found || (strlen(known[k]) == len && !memcmp(known[k], name, len));
        if (!found)
            return strndup(name, len);
        next_is(&names, "");
    }
    return NULL;
}
