/* TFTP packets: RFC 1350 with the options of RFC 2347 (how they are negotiated), 2348
 * (blksize), 2349 (timeout, tsize) and 7440 (windowsize). A pure codec: no sockets, no
 * memory of its own, hostile input expected. */
#ifndef MOONBOOT_TFTP_H
#define MOONBOOT_TFTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bytes.h"

#define TFTP_NAME_MAX         511 /* bytes of a file name */
#define TFTP_HEADER           4   /* bytes before the data of a DATA packet */
#define TFTP_REPLY_MAX        512 /* room for any OACK or ERROR that this codec writes */
#define TFTP_BLKSIZE_DEFAULT  512 /* RFC 1350 */
#define TFTP_BLKSIZE_MIN      8   /* RFC 2348 */
#define TFTP_BLKSIZE_MAX      65464
#define TFTP_WINDOWSIZE_MAX   65535 /* RFC 7440 */
#define TFTP_DATAGRAM_HEADERS 32    /* IPv4 without options, UDP, and TFTP_HEADER */

enum tftp_opcode {
    TFTP_RRQ = 1,
    TFTP_WRQ = 2,
    TFTP_DATA = 3,
    TFTP_ACK = 4,
    TFTP_ERROR = 5,
    TFTP_OACK = 6
};

enum tftp_error {
    TFTP_UNDEFINED = 0, /* see the message */
    TFTP_NOT_FOUND = 1,
    TFTP_ACCESS = 2,
    TFTP_ILLEGAL = 4,
    TFTP_UNKNOWN_TID = 5,
    TFTP_OPTION = 8 /* RFC 2347: the client ends the transfer over the options */
};

enum tftp_mode { TFTP_OCTET, TFTP_NETASCII, TFTP_OTHER_MODE };

/* A set of options: those asked for in a request, or those granted in an OACK. Zero
 * and false: not in the set. */
struct tftp_options {
    uint32_t blksize;    /* 8 … 65464 */
    uint32_t windowsize; /* 1 … 65535 */
    uint8_t timeout;     /* seconds, 1 … 255 */
    bool has_tsize;
    uint64_t tsize; /* only in an OACK */
};

struct tftp_request {
    enum tftp_opcode opcode; /* TFTP_RRQ or TFTP_WRQ */
    enum tftp_mode mode;
    const char *file; /* in the packet, NUL-terminated there; any bytes */
    struct tftp_options options;
};

/* What a client sends to a transfer's port. */
struct tftp_packet {
    enum tftp_opcode opcode; /* TFTP_ACK or TFTP_ERROR */
    uint16_t number;         /* the block, or the error's code */
    struct bytes message;    /* an ERROR's, without its NUL */
};

/* Parses a read or write request. False: this is none, or its name or mode does not
 * end in the packet.
 *
 * Names of modes and options are taken in any case. An option that is unknown,
 * repeated, cut off, not a decimal number or below its smallest value is left out, as
 * if it had not been asked for (RFC 2347). One that is above its largest value counts
 * as the largest, because an answer may always be smaller than what was asked; except
 * for timeout, which is granted as asked or not at all. */
bool tftp_request_parse(const void *data, size_t len, struct tftp_request *request);

/* Why this server refuses the request whatever the file: it is a write, its mode is
 * neither octet nor netascii, its name is empty, longer than TFTP_NAME_MAX or has
 * control characters. NULL: it does not. */
const char *tftp_request_refusal(const struct tftp_request *request, enum tftp_error *code);

/* Parses an ACK or ERROR. False: it is neither. */
bool tftp_packet_parse(const void *data, size_t len, struct tftp_packet *packet);

/* Each writes a whole packet into `out` and returns its length. A message that does
 * not fit is cut. */
size_t tftp_put_error(uint8_t out[TFTP_REPLY_MAX], enum tftp_error code, const char *message);
size_t tftp_put_oack(uint8_t out[TFTP_REPLY_MAX], const struct tftp_options *granted);

/* The header of a DATA packet. Block numbers wrap from 65535 to 0. */
void tftp_put_data(uint8_t out[TFTP_HEADER], uint64_t block);

/* What is granted of the options that were asked for, to a file of `size` bytes over a path of
 * `mtu` bytes, with windows of at most `window_bytes` and `window_max` blocks. Returns the block
 * size. */
size_t tftp_options_grant(const struct tftp_options *asked, enum tftp_mode mode, uint64_t size,
                          int mtu, uint32_t window_bytes, uint32_t window_max,
                          struct tftp_options *granted);

bool tftp_options_empty(const struct tftp_options *options);

/* Text with Unix line ends as netascii: LF as CR LF, CR as CR NUL (RFC 764). `out` has
 * room for 2 * len bytes and does not overlap. The number of bytes written. */
size_t tftp_netascii(const uint8_t *in, size_t len, uint8_t *out);

#endif
