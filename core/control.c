#include "control.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "activation.h"
#include "config_place.h"
#include "control_path.h"
#include "crew.h"
#include "log.h"

#define READING_MS   2000
#define ANSWERING_MS 5000
#define BACKLOG      64

void control_init(struct control *control)
{
    *control = (struct control){.now = {.fd = -1}, .next = {.fd = -1}};
    for (size_t i = 0; i < CONTROL_CONNECTIONS; i++)
        control->connections[i].fd = -1;
}

/* --- the socket and its name ------------------------------------------------------------------ */

/* Whether its name still leads to it. */
static bool in_place(const struct control_listener *listener)
{
    struct stat st;
    return listener->fd >= 0 && lstat(listener->path, &st) == 0 && st.st_dev == listener->device &&
           st.st_ino == listener->inode;
}

static void close_listener(struct control_listener *listener)
{
    if (in_place(listener) && !listener->given)
        unlink(listener->path);
    if (listener->fd >= 0)
        close(listener->fd);
    free(listener->path);
    *listener = (struct control_listener){.fd = -1};
}

/* 0 when the name is free, or left over from a service that is gone. */
static int probe(const struct sockaddr_un *address)
{
    struct stat st;
    if (lstat(address->sun_path, &st) < 0)
        return errno == ENOENT ? 0 : -errno;
    if (!S_ISSOCK(st.st_mode))
        return -ENOTSOCK;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    int error = connect(fd, (const struct sockaddr *)address, sizeof *address) == 0 ? 0 : errno;
    close(fd);
    return error == ECONNREFUSED ? 0 : -EADDRINUSE;
}

/* Binds under a name of its own and renames: whoever finds the socket finds it listening, and
 * with its final mode. */
static int bind_at(int fd, const struct sockaddr_un *address, const gid_t *group)
{
    struct sockaddr_un temporary = *address;
    size_t len = strlen(address->sun_path);
    if ((size_t)snprintf(temporary.sun_path + len, sizeof temporary.sun_path - len, "~") >=
        sizeof temporary.sun_path - len)
        return -ENAMETOOLONG;
    unlink(temporary.sun_path);
    mode_t mask = umask(0177);
    int bound = bind(fd, (const struct sockaddr *)&temporary, sizeof temporary);
    int error = errno;
    umask(mask);
    if (bound < 0)
        return -error;
    if ((group && (chown(temporary.sun_path, (uid_t)-1, *group) < 0 ||
                   chmod(temporary.sun_path, 0660) < 0)) ||
        listen(fd, BACKLOG) < 0 || rename(temporary.sun_path, address->sun_path) < 0) {
        error = errno;
        unlink(temporary.sun_path);
        return -error;
    }
    return 0;
}

static int open_listener(const char *path, const gid_t *group, struct control_listener *listener)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct stat st = {0};
    if (strlen(path) >= sizeof address.sun_path)
        return -ENAMETOOLONG;
    memcpy(address.sun_path, path, strlen(path) + 1);
    int fd = activation_control(path);
    listener->given = fd >= 0;
    if (fd < 0 && fd != -ENOENT)
        return fd;
    int error = listener->given ? 0 : probe(&address);
    if (error < 0)
        return error;
    if (!listener->given)
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (!listener->given)
        error = bind_at(fd, &address, group);
    if (error == 0 && lstat(path, &st) < 0)
        error = -errno;
    if (error < 0) {
        close(fd);
        return error;
    }
    listener->fd = fd;
    listener->device = st.st_dev;
    listener->inode = st.st_ino;
    return 0;
}

static const char *reason(int error)
{
    if (error == -EADDRINUSE)
        return "another service answers there";
    if (error == -ENOTSOCK)
        return "there is a file of that name, and it is no socket";
    return strerror(-error);
}

static bool find_group(const struct config *config, gid_t *group, struct problems *problems)
{
    struct group *entry = getgrnam(config->control_group);
    if (entry)
        *group = entry->gr_gid;
    else
        config_place_complain(config, problems, "control_group",
                              "`control_group: %s`: there is no such group", config->control_group);
    return entry != NULL;
}

bool control_prepare(struct control *control, const struct config *config,
                     struct problems *problems)
{
    gid_t group = 0;
    if (config->control_group && !find_group(config, &group, problems))
        return false;
    const gid_t *wanted = config->control_group ? &group : NULL;
    char *path = control_path(config);
    control_abandon(control);
    control->next.path = path;
    if (!path)
        return true;
    if (in_place(&control->now) && !strcmp(path, control->now.path)) {
        if (!control->now.given && (chown(path, (uid_t)-1, wanted ? group : getegid()) < 0 ||
                                    chmod(path, wanted ? 0660 : 0600) < 0))
            log_warn("control socket %s: %s", path, strerror(errno));
        return true;
    }
    int error = open_listener(path, wanted, &control->next);
    if (error == 0)
        return true;
    if (config->control) {
        problems_add(problems, "%s: `control: %s`: %s", config->path, config->control,
                     reason(error));
        return false;
    }
    log_warn("no control socket at %s: %s (`control` in %s names another)", path, reason(error),
             config->path);
    control_abandon(control);
    return true;
}

void control_commit(struct control *control)
{
    bool same = control->next.fd < 0 && control->now.fd >= 0 && control->next.path &&
                !strcmp(control->next.path, control->now.path);
    if (same) {
        control_abandon(control);
        return;
    }
    close_listener(&control->now);
    control->now = control->next;
    control->next = (struct control_listener){.fd = -1};
}

void control_abandon(struct control *control)
{
    close_listener(&control->next);
}

/* --- connections ------------------------------------------------------------------------------ */

void control_drop(struct control_connection *c)
{
    if (c->fd >= 0)
        close(c->fd);
    free(c->answer);
    *c = (struct control_connection){.fd = -1};
}

static void enter(struct control_connection *c, enum control_state state, uint64_t ms)
{
    c->state = state;
    c->deadline = crew_now() + ms;
}

static void send_answer(struct control_connection *c)
{
    ssize_t n =
        send(c->fd, c->answer + c->sent, c->answer_len - c->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    c->sent += n > 0 ? (size_t)n : 0;
    if (n < 0 || c->sent == c->answer_len)
        control_drop(c);
}

void control_answer(struct control_connection *c, char *json)
{
    if (!json || asprintf(&c->answer, "%s\n", json) < 0) {
        free(json);
        c->answer = NULL;
        control_drop(c);
        return;
    }
    free(json);
    c->answer_len = strlen(c->answer);
    enter(c, CONTROL_ANSWERING, ANSWERING_MS);
    send_answer(c);
}

void control_wait(struct control_connection *c, uint64_t load, uint64_t ms)
{
    c->load = load;
    enter(c, CONTROL_WAITING, ms);
}

void control_settle(struct control *control, uint64_t load, const char *json)
{
    for (size_t i = 0; i < CONTROL_CONNECTIONS; i++) {
        struct control_connection *c = &control->connections[i];
        if (c->fd >= 0 && c->state == CONTROL_WAITING && c->load <= load)
            control_answer(c, json ? strdup(json) : NULL);
    }
}

static struct control_connection *free_entry(struct control *control)
{
    for (size_t i = 0; i < CONTROL_CONNECTIONS; i++) {
        if (control->connections[i].fd < 0)
            return &control->connections[i];
    }
    return NULL;
}

static void accept_all(struct control *control)
{
    struct control_connection *c;
    while ((c = free_entry(control))) {
        socklen_t len = sizeof c->peer;
        c->fd = accept4(control->now.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (c->fd < 0)
            return;
        if (getsockopt(c->fd, SOL_SOCKET, SO_PEERCRED, &c->peer, &len) < 0)
            control_drop(c);
        else
            enter(c, CONTROL_READING, READING_MS);
    }
}

static void read_line(struct control_connection *c, control_handler *handle, void *arg)
{
    ssize_t n = recv(c->fd, c->line + c->len, sizeof c->line - 1 - c->len, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        control_drop(c);
        return;
    }
    c->len += (size_t)n;
    char *end = memchr(c->line, '\n', c->len);
    if (end && !memchr(c->line, '\0', (size_t)(end - c->line))) {
        *end = '\0';
        if (end > c->line && end[-1] == '\r')
            end[-1] = '\0';
        handle(c, arg);
    } else if (end || c->len == sizeof c->line - 1) {
        control_answer(c, strdup("{\"error\":\"expected a command, as a line of text\"}"));
    }
}

static void serve(struct control_connection *c, short events, control_handler *handle, void *arg)
{
    if (events & (POLLERR | POLLNVAL) || (events & POLLHUP && c->state != CONTROL_READING))
        control_drop(c);
    else if (c->state == CONTROL_READING && events)
        read_line(c, handle, arg);
    else if (c->state == CONTROL_ANSWERING && events & POLLOUT)
        send_answer(c);
    if (c->fd >= 0 && crew_now() >= c->deadline)
        control_drop(c);
}

void control_poll(const struct control *control, struct pollfd *fds)
{
    bool room = false;
    for (size_t i = 0; i < CONTROL_CONNECTIONS; i++) {
        const struct control_connection *c = &control->connections[i];
        room |= c->fd < 0;
        fds[1 + i] = (struct pollfd){.fd = c->fd,
                                     .events = c->state == CONTROL_READING     ? POLLIN
                                               : c->state == CONTROL_ANSWERING ? POLLOUT
                                                                               : 0};
    }
    fds[0] = (struct pollfd){.fd = room ? control->now.fd : -1, .events = POLLIN};
}

void control_serve(struct control *control, const struct pollfd *fds, control_handler *handle,
                   void *arg)
{
    for (size_t i = 0; i < CONTROL_CONNECTIONS; i++) {
        struct control_connection *c = &control->connections[i];
        if (c->fd >= 0 && c->fd == fds[1 + i].fd)
            serve(c, fds[1 + i].revents, handle, arg);
    }
    if (fds[0].revents)
        accept_all(control);
}

void control_close(struct control *control)
{
    for (size_t i = 0; i < CONTROL_CONNECTIONS; i++)
        control_drop(&control->connections[i]);
    close_listener(&control->now);
    close_listener(&control->next);
}
