/* HTTP as iPXE speaks it: one GET after another over a connection that is kept. */
#ifndef BENCH_FETCH_H
#define BENCH_FETCH_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FETCH_REQUEST 2048
#define FETCH_KEPT    16384 /* bytes of a head and of a script */

enum fetch_step {
    FETCH_WAIT,
    FETCH_DONE,
    FETCH_FAILED /* for the reason `why` */
};

/* A response is kept as text when it is no longer than FETCH_KEPT with its head, else only
 * counted, and compared when there is something to compare with. */
struct fetch {
    int fd; /* -1: not connected */
    struct sockaddr_in server;
    int poll; /* the epoll descriptor it is in, and as what */
    void *data;
    struct in_addr own;
    bool connecting;
    bool reused;  /* it has carried another request: should it end now, another is opened */
    bool closing; /* the server has said that it ends after this */
    bool in_body;
    bool discard; /* the body is long: let the kernel forget it */
    uint64_t length, got;
    size_t head_len, kept_len;
    const uint8_t *expected; /* NULL: nothing to compare with; set by the caller */
    uint64_t expected_len;
    const char *why;
    char request[FETCH_REQUEST];
    char kept[FETCH_KEPT + 1];
};

/* Reads "http://10.0.0.1:8080/path" and sends a GET for it, from `own` when it is not
 * 0.0.0.0; connects first when need be, and joins epoll descriptor `poll` then, with `data`. */
enum fetch_step fetch_get(struct fetch *f, const char *url, struct in_addr own, int poll,
                          void *data);

/* Something has happened to it. FETCH_DONE: status 200 and a whole body. */
enum fetch_step fetch_on_event(struct fetch *f);

/* The kept body, NUL-terminated. */
const char *fetch_body(const struct fetch *f);

void fetch_close(struct fetch *f);

#endif
