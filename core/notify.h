/* What nurseries and workers tell the supervisor: fixed messages on one datagram socket
 * that they all inherit. */
#ifndef MOONBOOT_NOTIFY_H
#define MOONBOOT_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

enum notify_kind {
    NOTIFY_LOADED,  /* nursery: the policy is good */
    NOTIFY_REFUSED, /* nursery: it is not, and the log says why */
    NOTIFY_SPAWNED, /* nursery: worker `pid` exists */
    NOTIFY_READY,   /* worker: everything is open; waits for SIGUSR2 to serve */
    NOTIFY_STOPPED  /* worker: reads its sockets no more; ends when transfers have */
};

struct notify {
    enum notify_kind kind;
    pid_t pid;
    uint64_t generation;
    unsigned slot;
};

static inline bool notify_send(int fd, const struct notify *message)
{
    return send(fd, message, sizeof *message, MSG_NOSIGNAL) == (ssize_t)sizeof *message;
}

#endif
