/* Recorded network traffic (pcap and pcapng, by libpcap), as the messages that a boot server is
 * sent: UDP datagrams, and HTTP requests put together from TCP segments.
 *
 * Read are IPv4 over Ethernet (VLAN tags included), Linux' cooked formats (v1, v2) and raw IP.
 * Fragments, IPv6 and whatever else there is are counted and passed over. A capture is as hostile
 * as the wire that it is of: all that is kept is bounded. */
#ifndef MOONBOOT_CAPTURE_H
#define MOONBOOT_CAPTURE_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/time.h>

#include "http.h"

#define CAPTURE_ERROR   512
#define CAPTURE_PORTS   16
#define CAPTURE_REQUEST 65536 /* bytes of an HTTP request, its body included */

struct capture_options {
    uint16_t http_ports[CAPTURE_PORTS]; /* TCP ports that HTTP is spoken to */
    size_t n_http_ports;
};

struct capture_message {
    uint64_t frame; /* it came with, counted from 1 as Wireshark does */
    struct timeval time;
    struct sockaddr_in from, to;
    bool has_ethernet;
    uint8_t ethernet[6]; /* the sender's */
    bool tcp;            /* an HTTP request; else a datagram */
    const uint8_t *data; /* the datagram, or the request's body; until the next message */
    size_t len;
    bool cut; /* a datagram of which not all was captured */

    int status;            /* of a request: 0, or the status that http_parse refuses it with */
    struct http_head head; /* when it is 0 */
    uint32_t seq, ack;     /* TCP's: where the answer begins, and what it acknowledges */
};

/* What was passed over. */
struct capture_counts {
    uint64_t frames;
    uint64_t other;     /* neither UDP nor TCP over IPv4 */
    uint64_t malformed; /* cut before or in its headers, or with lengths that cannot be */
    uint64_t fragments;
    uint64_t lost; /* HTTP streams with holes, or without a request in them */
    /* HTTP to ports that are not among the options', of the first CAPTURE_PORTS such ports. */
    struct capture_elsewhere {
        uint16_t port; /* 0: no more */
        uint64_t requests;
        struct sockaddr_in from; /* of the last one */
        uint32_t seq;
    } elsewhere[CAPTURE_PORTS];
};

struct capture;

/* `path` "-" is standard input. NULL with a message in `error`. */
struct capture *capture_open(const char *path, const struct capture_options *options,
                             char error[CAPTURE_ERROR]);
/* The same of an open file, which is then its own. */
struct capture *capture_open_file(FILE *file, const struct capture_options *options,
                                  char error[CAPTURE_ERROR]);
void capture_close(struct capture *capture);

/* 1 and the next message; 0 at the end; -1 when the file is damaged: capture_problem says how. */
int capture_next(struct capture *capture, struct capture_message *message);
const char *capture_problem(const struct capture *capture);
const struct capture_counts *capture_counts(const struct capture *capture);

#endif
