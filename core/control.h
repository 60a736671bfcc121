/* The control socket: a UNIX stream socket on which a command is one line, and its answer one
 * line of JSON. Never blocks; what a peer may hold is bounded in number, bytes and time. */
#ifndef MOONBOOT_CONTROL_H
#define MOONBOOT_CONTROL_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "channel.h"
#include "config.h"
#include "problems.h"

#define CONTROL_CONNECTIONS 16
#define CONTROL_POLL        (1 + CONTROL_CONNECTIONS)

enum control_state { CONTROL_READING, CONTROL_WAITING, CONTROL_ANSWERING };

struct control_connection {
    int fd; /* -1: the entry is free */
    enum control_state state;
    uint64_t deadline; /* of the state; crew_now() */
    uint64_t load;     /* CONTROL_WAITING: for the outcome of that one */
    struct ucred peer;
    char line[CHANNEL_TEXT];
    size_t len;
    char *answer;
    size_t answer_len, sent;
};

/* A listening socket and its name in the file system. */
struct control_listener {
    int fd; /* -1: none */
    char *path;
    dev_t device; /* of the name, so that no other's is removed */
    ino_t inode;
    bool given; /* by a service manager: the name and its mode are his */
};

struct control {
    struct control_listener now, next; /* `next`: of a generation that is being loaded */
    struct control_connection connections[CONTROL_CONNECTIONS];
};

void control_init(struct control *control);
void control_close(struct control *control);

/* Opens the socket that `config` wants, to take the place of the one in use, if that is another,
 * at control_commit; or never, by control_abandon. False after adding to `problems`. A default
 * that cannot be had is warned of. */
bool control_prepare(struct control *control, const struct config *config,
                     struct problems *problems);
void control_commit(struct control *control);
void control_abandon(struct control *control);

/* What to poll for: CONTROL_POLL entries. */
void control_poll(const struct control *control, struct pollfd *fds);

/* Serves what poll has found. `handle` answers (now or later), hands over or drops. */
typedef void control_handler(struct control_connection *connection, void *arg);
void control_serve(struct control *control, const struct pollfd *fds, control_handler *handle,
                   void *arg);

/* Answers with a line of JSON, which is freed; NULL: memory is out. */
void control_answer(struct control_connection *connection, char *json);

/* The answer will be that of load number `load`, by control_settle, in `ms` at most. */
void control_wait(struct control_connection *connection, uint64_t load, uint64_t ms);

/* Answers all that wait for this load or an earlier one; `json` stays the caller's. */
void control_settle(struct control *control, uint64_t load, const char *json);

/* Closes this process's descriptor; another may have its own. */
void control_drop(struct control_connection *connection);

#endif
