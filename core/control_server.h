/* A worker's half of the control socket: connections that the supervisor has handed on, each with
 * the line that it asked. The commands stand in a table in control_server.c. */
#ifndef MOONBOOT_CONTROL_SERVER_H
#define MOONBOOT_CONTROL_SERVER_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

#include "policy.h"

struct control_server;
struct control_session;

struct control_server_options {
    struct policy *policy;
    struct metrics *metrics;
    unsigned slot;
    uint64_t generation;
    void (*idle)(void *arg); /* after control_server_drain: the last answer has been sent */
    void *arg;
};

/* NULL when memory is out. */
struct control_server *control_server_open(struct event_base *base,
                                           const struct control_server_options *options);

/* Answers `line` on that connection, which is the server's from here on. */
void control_server_take(struct control_server *server, int fd, const char *line);

/* Answers a session, at any time after its command was called: one JSON value, which is freed
 * (NULL: memory is out). Exactly once; the session may be gone when it returns. */
void control_server_answer(struct control_session *session, char *json);

/* Calls `idle` when no session is left (at once, when there is none). */
void control_server_drain(struct control_server *server);

/* Ends everything. NULL is allowed. */
void control_server_close(struct control_server *server);

#endif
