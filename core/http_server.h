/* The HTTP/1.1 server: connections, routing to the policy side, static files. */
#ifndef MOONBOOT_HTTP_SERVER_H
#define MOONBOOT_HTTP_SERVER_H

#include <event2/event.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>

#include "files.h"
#include "metrics.h"
#include "policy.h"

struct http_server;

struct http_server_options {
    const int *fds; /* from http_server_bind */
    size_t n_fds;
    unsigned max_connections;
    size_t max_request;        /* bytes of a request's head, and of its body */
    unsigned header_seconds;   /* for a request's head and body to arrive: 10 */
    unsigned idle_seconds;     /* between requests of a connection: 60 */
    unsigned stall_seconds;    /* without progress while sending: 30 */
    const struct files *files; /* outlives the server */
    struct policy *policy;
    struct metrics *metrics;
    const struct metrics_board *board; /* for /metrics and /readyz */
    void (*idle)(void *arg);           /* after http_server_drain: the last connection has closed */
    void *arg;
};

/* A listening, non-blocking socket (SO_REUSEPORT when `n` workers > 1 share the
 * address), or a negative errno. */
int http_server_bind(const struct sockaddr_in *address, unsigned n);

/* Starts to accept. The descriptors stay the caller's. NULL when memory is out. */
struct http_server *http_server_open(struct event_base *base,
                                     const struct http_server_options *options);

/* Accepts no more, closes idle connections, lets answers in flight end; calls `idle`
 * when no connection is left (at once, when there is none). */
void http_server_drain(struct http_server *server);

/* Ends everything. */
void http_server_close(struct http_server *server);

#endif
