/* Writes captures: frames of Ethernet, as a server would have sent them. */
#ifndef MOONBOOT_CAPTURE_WRITE_H
#define MOONBOOT_CAPTURE_WRITE_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/time.h>

#include "capture.h"

#define CAPTURE_WRITE_UDP_MAX 65507 /* bytes of a datagram */

struct capture_writer;

/* What the frames of one answer have in common. */
struct capture_target {
    struct timeval time;
    struct sockaddr_in from, to;
    uint8_t ethernet[6]; /* the receiver's; a broadcast address goes to all */
};

/* `path` "-" is standard output. NULL with a message in `error`. */
struct capture_writer *capture_write_open(const char *path, char error[CAPTURE_ERROR]);

/* False: something could not be written, now or before. */
bool capture_write_close(struct capture_writer *writer);

void capture_write_datagram(struct capture_writer *writer, const struct capture_target *target,
                            const void *data, size_t len);

/* Bytes of a TCP stream, in as many segments as they need; the last one ends the stream when
 * `fin` is set. */
void capture_write_stream(struct capture_writer *writer, const struct capture_target *target,
                          uint32_t seq, uint32_t ack, const void *data, size_t len, bool fin);

#endif
