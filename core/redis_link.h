/* One connection to Redis, by TCP, a UNIX socket or TLS: made again and again, with pauses that
 * grow and differ, until it stands; then commands go out in order, and their replies come in order.
 * hiredis makes commands and reads replies; nothing blocks. */
#ifndef MOONBOOT_REDIS_LINK_H
#define MOONBOOT_REDIS_LINK_H

#include <event2/event.h>
#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct redis_link;
struct tls_client;

/* Of a reply, before all of it is there. */
#define REDIS_LINK_REPLY_MAX ((size_t)4 << 20)
#define REDIS_LINK_LIST_MAX  4096

/* Texts and certificates are to outlive the link, but for `socket`. */
struct redis_link_options {
    const char *host; /* or a path in `socket` */
    uint16_t port;
    const char *socket;
    const char *user, *password; /* NULL: none */
    unsigned db;
    struct tls_client *tls; /* NULL: without */
    const char *tls_name;   /* that its certificate has; NULL: the host */
    unsigned timeout_ms;    /* for connecting, and from one sign of life to the next */
    /* The connection stands, and the user is known: sends what is to be asked before all else. */
    void (*begun)(void *arg);
    /* A reply to something that was sent, to be freed. False: it makes no sense. */
    bool (*replied)(redisReply *reply, void *arg);
    /* The connection is gone, or could not be made: a negative errno. */
    void (*lost)(int64_t error, void *arg);
    void *arg;
};

/* NULL when memory is out. Begins to connect at once. */
struct redis_link *redis_link_open(struct event_base *base,
                                   const struct redis_link_options *options);
void redis_link_close(struct redis_link *link);

/* Only while it stands (`begun`, not yet `lost`). False when memory is out. */
bool redis_link_send(struct redis_link *link, int argc, const char *const *argv,
                     const size_t *lengths);

/* When the last byte came, or the connection stood: CLOCK_MONOTONIC, in milliseconds. */
int64_t redis_link_heard(const struct redis_link *link);

/* The connection is good for what it is for: pauses begin anew, and the log says so. */
void redis_link_stands(struct redis_link *link);

/* Gives the connection up: `lost` is called, with this error, and it is made anew after a pause.
 * `why` is for the log. */
void redis_link_fail(struct redis_link *link, int64_t error, const char *why);

#endif
