/* Recorded messages as the requests that the servers would make of them, and replies as the
 * frames that they would send: by the same codecs, without sockets. */
#ifndef MOONBOOT_REPLAY_H
#define MOONBOOT_REPLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "capture.h"
#include "capture_write.h"
#include "dhcp_map.h"
#include "files.h"
#include "reply.h"
#include "request.h"
#include "tftp.h"

#define REPLAY_BODY_MAX (1u << 20) /* bytes of an HTTP body that are written; more are left out */

struct replay {
    struct in_addr server; /* what this host calls itself; 0.0.0.0: the address that was asked */
    uint16_t dhcp_port, boot_port, tftp_port;
    char interface[IF_NAMESIZE]; /* where all came in; "": not known */
    struct files files;
    struct capture_writer *writer; /* NULL: nothing is written */
};

enum replay_kind {
    REPLAY_NOTHING,   /* no request that boots anything: somebody else's traffic */
    REPLAY_UNSOUND,   /* one that is refused, or not answered, whatever the policy says: `why` */
    REPLAY_UNDECIDED, /* HTTP that the core answers itself */
    REPLAY_REQUEST
};

/* A message, understood. Views into the message. */
struct replay_question {
    enum replay_kind kind;
    const char *why;
    int status;             /* of HTTP that is refused */
    enum tftp_error code;   /* of TFTP that is refused */
    struct request request; /* its protocol is set but for REPLAY_NOTHING */
    struct dhcp_map_arrival arrival;
    struct dhcp_packet packet; /* of DHCP; what the request has views into */
    struct tftp_request tftp;
};

/* What would have been sent. */
struct replay_answer {
    enum {
        REPLAY_SILENCE,
        REPLAY_OFFER,
        REPLAY_ACK,
        REPLAY_OACK,
        REPLAY_DATA,
        REPLAY_ERROR,
        REPLAY_RESPONSE
    } kind;
    struct sockaddr_in to;
    size_t length;  /* bytes of the datagram, or of the response's body */
    int status;     /* HTTP's, or the code of a TFTP error */
    int error;      /* the status that a response tells of: to iPXE in a script, with 200; or 0 */
    char what[512]; /* the boot file, the path of a file, the message of an error; "": nothing */
};

void replay_ask(const struct replay *replay, const struct capture_message *message,
                struct replay_question *question);

/* The answer to a request; takes the reply over. */
void replay_answer(const struct replay *replay, const struct capture_message *message,
                   const struct replay_question *question, struct reply *reply,
                   struct replay_answer *answer);

/* The answer to what is refused whatever the policy says. */
void replay_refuse(const struct replay *replay, const struct capture_message *message,
                   const struct replay_question *question, struct replay_answer *answer);

#endif
