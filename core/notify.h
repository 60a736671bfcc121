/* What nurseries and workers tell the supervisor: short messages on one datagram socket
 * that they all inherit. The kernel vouches for who sent one, as workers are not trusted. */
#ifndef MOONBOOT_NOTIFY_H
#define MOONBOOT_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum notify_kind {
    NOTIFY_PROBLEM,   /* nursery: one thing that is wrong with the policy, as text */
    NOTIFY_WARNING,   /* nursery: something that went wrong in a trial, as text */
    NOTIFY_CHANGED,   /* nursery: a file that was read has changed; its name as text */
    NOTIFY_LOADED,    /* nursery: the policy is good; its hash as text */
    NOTIFY_REFUSED,   /* nursery: it is not, and the log says why */
    NOTIFY_SPAWNED,   /* nursery: worker `pid` exists; it runs once this has been sent */
    NOTIFY_FAILED,    /* nursery: no worker could be forked for `slot` */
    NOTIFY_READY,     /* worker: everything is open; waits for SIGUSR2 to serve */
    NOTIFY_FORBIDDEN, /* worker: it ends for a system call that it may not make */
    NOTIFY_STOPPED    /* worker: reads its sockets no more; ends when transfers have */
};

#define NOTIFY_TEXT 1024

struct notify {
    enum notify_kind kind;
    pid_t pid; /* the worker that it is about */
    uint64_t generation;
    unsigned slot;
    int call;               /* NOTIFY_FORBIDDEN: its number */
    char text[NOTIFY_TEXT]; /* ends with NUL; what follows is not sent */
};

/* The two ends: [0] to receive from, [1] for children. False with errno. */
bool notify_open(int ends[2]);

bool notify_send(int fd, const struct notify *message);

/* The next message and the process that sent it; false when there is none. */
bool notify_receive(int fd, struct notify *message, pid_t *sender);

#endif
