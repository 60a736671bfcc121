/* The HTTP/1.1 server: connections, routing to the policy side, static files.
 *
 * /healthz, /readyz and /metrics are answered here; all else is the policy's. Requests are
 * read strictly (http.h), answers come in order (http_connection.h), files go out by
 * sendfile with ranges and conditions (http_select.h), and an error is a line of text, or
 * for iPXE a script that prints it and tries again (http_response.h).
 *
 * At the limit of connections, of all or of its client, a new one gets a 503 with Retry-After at
 * once; with no descriptor left it is closed. Neither spins, and both are logged at most each 10 s.
 */
#ifndef MOONBOOT_HTTP_SERVER_H
#define MOONBOOT_HTTP_SERVER_H

#include <event2/event.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>

#include "files.h"
#include "metrics.h"
#include "policy.h"
#include "rate.h"
#include "signer.h"

struct http_server;
struct tls;

/* Who may see what the service says of itself. */
struct http_server_admin {
    bool restricted; /* else everybody */
    size_t n_fds;    /* listening sockets that are for this alone */
    bool client_cert;
    const char *token; /* an argon2id hash; NULL: none */
};

struct http_server_options {
    const int *fds; /* from http_server_bind */
    size_t n_fds;
    size_t n_tls;    /* the last of them: these speak TLS; those of `admin` are before them */
    struct tls *tls; /* for these */
    struct http_server_admin admin;
    unsigned max_connections;
    unsigned max_per_client;   /* of them for one address; 0: all of them */
    size_t max_request;        /* bytes of a request's head, and of its body */
    unsigned header_seconds;   /* for a request's head and body to arrive: 10 */
    unsigned idle_seconds;     /* between requests of a connection: 60 */
    unsigned stall_seconds;    /* in which a client takes next to nothing of what is sent: 30 */
    const struct files *files; /* outlives the server */
    struct policy *policy;
    struct signer *signer; /* signs what is rendered; NULL: nothing is signed */
    struct rate *rate;     /* NULL: clients may ask as often as they like */
    struct metrics *metrics;
    const struct metrics_board *board; /* for /metrics and /readyz */
    void (*idle)(void *arg);           /* after http_server_drain: the last connection has closed */
    void *arg;
};

/* A listening, non-blocking socket (SO_REUSEPORT when `n` workers > 1 share the
 * address; TCP_NODELAY, which accepted ones inherit), or a negative errno. */
int http_server_bind(const struct sockaddr_in *address, unsigned n);

/* Sets the same for a listening socket that somebody else has bound: 0 or a negative errno. */
int http_server_adopt(int fd);

/* Starts to accept. The descriptors stay the caller's. SIGPIPE is ignored from here on.
 * NULL when memory is out. */
struct http_server *http_server_open(struct event_base *base,
                                     const struct http_server_options *options);

/* How many connections are open. */
unsigned http_server_connections(const struct http_server *server);

/* Accepts no more, closes idle connections, lets answers in flight end; calls `idle`
 * when no connection is left (at once, when there is none). One that has not asked
 * anything yet has two seconds: it may be a machine whose request is under way. */
void http_server_drain(struct http_server *server);

/* Ends everything. What the policy is still deciding is dropped when it comes. NULL is
 * allowed. */
void http_server_close(struct http_server *server);

#endif
