/* One running transfer: its socket, its timer and its bytes around the state machine of
 * tftp_transfer.h. */
#ifndef MOONBOOT_TFTP_SESSION_H
#define MOONBOOT_TFTP_SESSION_H

#include <event2/event.h>
#include <netinet/in.h>
#include <stdbool.h>

#include "files.h"
#include "metrics.h"
#include "reply.h"
#include "tftp.h"

/* What a window holds at most, in blocks and bytes. A client that asks for more would
 * lose what its socket has no room for: Linux's default receive buffer takes some 90
 * datagrams of 1468 bytes, or 48 of 2048. */
#define TFTP_SESSION_WINDOW_MAX       64
#define TFTP_SESSION_WINDOW_BYTES_MAX 98304

enum tftp_session_end {
    TFTP_SESSION_COMPLETED,
    TFTP_SESSION_ABORTED, /* by the client, or because the file cannot be read */
    TFTP_SESSION_TIMED_OUT
};

struct tftp_session;

struct tftp_session_options {
    struct in_addr server;
    struct sockaddr_in client;
    enum tftp_mode mode;         /* octet or netascii */
    struct tftp_options options; /* what was asked for */
    struct metrics *metrics;

    /* Called once, from the event loop, when the transfer is over; it has to close the
     * session. `why` says more, or is NULL. Not called after tftp_session_close. */
    void (*ended)(void *arg, enum tftp_session_end end, const char *why);
    void *arg;
};

/* Sends `file`, or the body of `reply`; the other is NULL. Takes both over. 0, or a
 * negative errno after freeing them. */
int tftp_session_open(struct tftp_session **session, struct event_base *base,
                      const struct tftp_session_options *options, const struct file *file,
                      struct reply *reply);
void tftp_session_close(struct tftp_session *session);

/* The client has not answered yet. */
bool tftp_session_fresh(const struct tftp_session *session);

#endif
