/* An answer on its way out of a connection: bytes at once, as many as the kernel takes; a file
 * piece by piece, so that other connections have their turn however fast the client reads: by
 * sendfile, or, where bytes must be encrypted first, copied. */
#ifndef MOONBOOT_HTTP_TRANSFER_H
#define MOONBOOT_HTTP_TRANSFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

struct bufferevent;
struct evbuffer_file_segment;
struct http_response;

struct http_transfer {
    int fd;                                /* -1: no file is being sent */
    struct evbuffer_file_segment *segment; /* owns `fd`; NULL: it is copied */
    bool corked;
    off_t at; /* what has not been queued yet begins here */
    off_t end;
    uint64_t acked;   /* bytes that the client had when http_transfer_stalled looked last */
    unsigned in_vain; /* looks since then */
};

enum http_transfer_state { HTTP_TRANSFER_QUEUED, HTTP_TRANSFER_MORE, HTTP_TRANSFER_SHORT };

/* Sends an answer: its head, already text, and when it `has_body` that, of which a file's
 * descriptor is taken. `encrypted`: nothing may go to the socket as it is. False when memory is
 * out. */
bool http_transfer_answer(struct http_transfer *transfer, struct bufferevent *bev,
                          struct http_response *response, struct iovec head, bool has_body,
                          bool encrypted);

/* All that was queued has gone out: HTTP_TRANSFER_QUEUED, that was all; HTTP_TRANSFER_MORE, more
 * has been queued; HTTP_TRANSFER_SHORT, there is no more, although there should be, or no
 * memory. */
enum http_transfer_state http_transfer_go_on(struct http_transfer *transfer,
                                             struct bufferevent *bev);

/* Bytes that have not been queued yet. */
size_t http_transfer_left(const struct http_transfer *transfer);

/* True when the file, of which sendfile moved nothing, has become shorter than what was promised
 * of it. */
bool http_transfer_is_short(const struct http_transfer *transfer);

/* To be asked when output has waited for one of HTTP_TRANSFER_LOOKS parts of the time that it may
 * stand still. The kernel takes more only when much of what it holds has gone, which at a slow
 * client takes long; whether the client takes anything is seen by what it acknowledges. True when
 * that was next to nothing in all those parts. */
#define HTTP_TRANSFER_LOOKS 4
bool http_transfer_stalled(struct http_transfer *transfer, int fd);

/* Lets go of the file. */
void http_transfer_end(struct http_transfer *transfer);

#endif
