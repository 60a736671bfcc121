/* The built-in TFTP server: read-only, RFC 1350, 2347, 2348, 2349 and 7440. */
#ifndef MOONBOOT_TFTP_SERVER_H
#define MOONBOOT_TFTP_SERVER_H

#include <event2/event.h>
#include <stddef.h>
#include <stdint.h>

#include "files.h"
#include "metrics.h"
#include "policy.h"
#include "rate.h"

struct tftp_server;

struct tftp_server_options {
    int fd;                    /* from tftp_server_bind */
    unsigned max_transfers;    /* at once, of this worker */
    unsigned max_per_client;   /* at once, by address */
    const struct files *files; /* outlives the server */
    struct policy *policy;
    struct rate *rate; /* NULL: clients may ask as often as they like */
    struct metrics *metrics;
    void (*idle)(void *arg); /* after tftp_server_drain: the last transfer has ended */
    void *arg;
};

/* A bound, non-blocking UDP socket for read requests, one of `n` that share the port
 * (SO_REUSEPORT); a client's address always leads to the same one. Or a negative
 * errno. Bind all `n` in order. */
int tftp_server_bind(uint16_t port, unsigned n);

/* The same in two steps, for a port that another program has still to leave: such a socket, and
 * when it can be bound 0, else a negative errno. */
int tftp_server_socket(unsigned n);
int tftp_server_bind_later(int fd, uint16_t port, unsigned n);

/* Sets what such a socket needs for one of `n` that somebody else has bound to one port: 0 or a
 * negative errno. */
int tftp_server_adopt(int fd, unsigned n);

/* Starts to read. The descriptor stays the caller's. NULL when memory is out. */
struct tftp_server *tftp_server_open(struct event_base *base,
                                     const struct tftp_server_options *options);

/* How many transfers are under way. */
unsigned tftp_server_transfers(const struct tftp_server *server);

/* Takes no more requests; transfers in flight go on, and `idle` is called when there
 * is none left (at once, when there is none). */
void tftp_server_drain(struct tftp_server *server);

/* Ends everything, transfers too. */
void tftp_server_close(struct tftp_server *server);

#endif
