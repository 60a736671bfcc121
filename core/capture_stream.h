/* Inside capture.c: one direction of TCP connections, as HTTP requests. */
#ifndef MOONBOOT_CAPTURE_STREAM_H
#define MOONBOOT_CAPTURE_STREAM_H

#include "capture.h"

#define CAPTURE_STREAMS      256 /* at once; of more, those that were silent longest are let go */
#define CAPTURE_STREAM_HELD  16  /* segments that came too early */
#define CAPTURE_STREAM_EARLY 32768

struct capture_segment {
    struct sockaddr_in from, to;
    uint32_t seq, ack;
    bool syn, reset;
    bool cut; /* more was sent than was captured */
    const uint8_t *data;
    size_t len;
};

struct capture_stream;
struct capture_streams;

struct capture_streams *capture_streams_alloc(void);
void capture_streams_free(struct capture_streams *streams);
uint64_t capture_streams_lost(const struct capture_streams *streams);

/* Adds a segment: the stream that it belongs to, for capture_stream_take; NULL: nothing can
 * have come of it. */
struct capture_stream *capture_streams_add(struct capture_streams *streams,
                                           const struct capture_segment *segment, uint64_t now);

/* Takes the next request that is whole out of the stream: fills in status, head, data, len, seq
 * and ack, which are good until the next call of either function. */
bool capture_stream_take(struct capture_streams *streams, struct capture_stream *stream,
                         struct capture_message *message);

#endif
