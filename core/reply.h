/* What the policy side answered: the struct that the policy fills and the servers
 * put on the wire. A reply owns everything it points to. */
#ifndef MOONBOOT_REPLY_H
#define MOONBOOT_REPLY_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum reply_kind {
    REPLY_SILENCE, /* DHCP and TFTP: send nothing. HTTP: never */
    REPLY_DHCP,    /* an OFFER or ACK */
    REPLY_FILE,    /* a file under one of the roots */
    REPLY_BODY,    /* bytes made for this request */
    REPLY_ERROR    /* a refusal: TFTP ERROR, or an HTTP status with a message */
};

/* Which directory a REPLY_FILE is under (files.h). */
enum reply_root { REPLY_ROOT_TFTP, REPLY_ROOT_ASSETS };

/* Why, where a protocol can say so. */
enum reply_reason {
    REPLY_NOT_FOUND, /* TFTP 1, HTTP 404 */
    REPLY_DENIED,    /* TFTP 2, HTTP 403 */
    REPLY_FAILED,    /* TFTP 0, HTTP 500: the policy failed */
    REPLY_BUSY       /* TFTP 0, HTTP 503: too much is under way, ask again */
};

struct reply_option {
    uint8_t code;
    uint16_t len; /* over 255: sent in parts (RFC 3396) */
    uint8_t *data;
};

struct reply_dhcp {
    char *file;            /* boot file name or URL; NULL: none */
    struct in_addr server; /* siaddr; never 0 */
    char *vendor_class;    /* option 60; NULL: none */
    struct reply_option *options;
    size_t n_options;
};

struct reply_file {
    enum reply_root root;
    char *path;              /* relative to the root */
    char *content_type;      /* NULL: by suffix */
    struct reply *otherwise; /* the answer when there is no such file: REPLY_BODY or REPLY_ERROR;
                              * NULL: that there is none */
};

struct reply_body {
    int status;    /* HTTP's; TFTP ignores it */
    char *machine; /* whom it was made for; NULL: anybody */
    char *content_type;
    uint8_t *data;
    size_t len;
};

struct reply_error {
    enum reply_reason reason;
    char *message;
};

struct reply {
    enum reply_kind kind;
    union {
        struct reply_dhcp dhcp;
        struct reply_file file;
        struct reply_body body;
        struct reply_error error;
    };
};

/* The answer that says nothing. Needs no memory, so it is what remains when that is out;
 * reply_free leaves it alone. */
struct reply *reply_silence(void);

/* A zeroed reply of that kind; NULL when memory is out. */
struct reply *reply_alloc(enum reply_kind kind);

/* REPLY_ERROR with a copy of `message`; NULL when memory is out. */
struct reply *reply_error(enum reply_reason reason, const char *message);

void reply_free(struct reply *reply);

/* Takes a REPLY_FILE's `otherwise` out of it, and frees the rest; NULL, and nothing is
 * freed, when it has none. */
struct reply *reply_otherwise(struct reply *reply);

#endif
