/* A file on its way out of a connection: by sendfile in one segment whatever its size, or, where
 * bytes must be encrypted first, piece by piece. */
#ifndef MOONBOOT_HTTP_TRANSFER_H
#define MOONBOOT_HTTP_TRANSFER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct bufferevent;

struct http_transfer {
    int fd; /* -1: no file is being sent */
    bool in_pieces;
    off_t at; /* what has not been queued yet begins here */
    off_t end;
};

enum http_transfer_state { HTTP_TRANSFER_QUEUED, HTTP_TRANSFER_MORE, HTTP_TRANSFER_SHORT };

/* Queues a file's bytes; takes the descriptor in any case. False when memory is out. */
bool http_transfer_begin(struct http_transfer *transfer, struct bufferevent *bev, int fd,
                         off_t offset, size_t length, bool in_pieces);

/* All that was queued has gone out: HTTP_TRANSFER_QUEUED, that was all; HTTP_TRANSFER_MORE, more
 * has been queued; HTTP_TRANSFER_SHORT, there is no more, although there should be. */
enum http_transfer_state http_transfer_go_on(struct http_transfer *transfer,
                                             struct bufferevent *bev);

/* Bytes that have not been queued yet. */
size_t http_transfer_left(const struct http_transfer *transfer);

/* True when the file, of which sendfile moved nothing, has become shorter than what was promised
 * of it. */
bool http_transfer_is_short(const struct http_transfer *transfer);

/* Lets go of the file. */
void http_transfer_end(struct http_transfer *transfer);

#endif
