/* What the supervisor tells a nursery or a worker: small messages on a socket of that
 * process's own, each with a descriptor that is the receiver's from then on. */
#ifndef MOONBOOT_CHANNEL_H
#define MOONBOOT_CHANNEL_H

#include <stdbool.h>

#define CHANNEL_TEXT 4096

enum channel_kind {
    CHANNEL_SPAWN,   /* to a nursery: fork the worker of `slot`; its own channel comes along */
    CHANNEL_CONTROL, /* to a worker: a connection of the control socket, which has asked `text` */
    CHANNEL_LOG      /* to either: the decision log, opened anew */
};

struct channel_message {
    enum channel_kind kind;
    unsigned slot;
    char text[CHANNEL_TEXT]; /* ends with NUL; what follows is not sent */
};

/* The two ends: [0] the supervisor's, which never blocks, [1] the other's. False with errno. */
bool channel_open(int ends[2]);

/* Sends a message and a copy of `descriptor` (-1: none), which stays the caller's. 0 or a
 * negative errno: -EAGAIN when the receiver is behind with reading. */
int channel_send(int fd, const struct channel_message *message, int descriptor);

/* The next message, and its descriptor (-1: none came). 1, 0 when the other end is closed, or
 * a negative errno; waits when `fd` does. */
int channel_receive(int fd, struct channel_message *message, int *descriptor);

#endif
