/* Asking other servers by HTTP: libcurl's multi interface on the event loop, with connections that
 * are kept. Nothing waits but who asked. */
#ifndef MOONBOOT_HTTP_CLIENT_H
#define MOONBOOT_HTTP_CLIENT_H

#include <event2/event.h>
#include <stdbool.h>
#include <stddef.h>

#include "bytes.h"

struct http_client;
struct http_client_transfer;

/* Everything is copied. Optional texts are NULL. */
struct http_question {
    const char *method;
    const char *url;            /* http or https */
    const char *const *headers; /* "Name: value", ending in NULL; or NULL */
    struct bytes body;
    bool has_body;
    unsigned timeout_ms;
    size_t max_bytes;   /* of the answer's body */
    unsigned redirects; /* that are followed at most */
    const char *proxy;  /* NULL: none, whatever the environment says */
    const char *unix_socket;
    struct bytes ca;        /* certificates to trust, PEM; empty: those of the system */
    struct bytes cert, key; /* who we are, PEM */
    bool insecure;          /* takes any certificate */
};

/* What came of it. */
struct http_answer {
    int status;          /* 0: there was no answer, `problem` says why */
    const char *problem; /* NULL: there was one */
    const char *type;    /* Content-Type; "": none */
    struct bytes body;
    int64_t age_ms; /* since it came, where it was kept (http_cache.h) */
};

/* Called once, from the event loop; the answer lives until it returns, and so does the transfer. */
typedef void http_client_done(const struct http_answer *answer, void *arg);

/* NULL when memory is out. */
struct http_client *http_client_open(struct event_base *base);

/* Counts what is asked there. */
struct metrics;
void http_client_measure(struct http_client *client, struct metrics *metrics);

/* Ends what is under way without an answer. */
void http_client_close(struct http_client *client);

/* NULL when memory is out, or too much is asked already. */
struct http_client_transfer *http_client_ask(struct http_client *client,
                                             const struct http_question *question,
                                             http_client_done *done, void *arg);

/* `done` is not called any more. */
void http_client_cancel(struct http_client_transfer *transfer);

#endif
