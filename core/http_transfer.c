#include "http_transfer.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE ((off_t)128 << 10)

/* Nothing of the file is mapped or read; the output owns the descriptor. */
static bool queue_segment(struct http_transfer *t, struct bufferevent *bev, off_t length)
{
    struct evbuffer_file_segment *segment = evbuffer_file_segment_new(
        t->fd, t->at, (ev_off_t)length, EVBUF_FS_CLOSE_ON_FREE | EVBUF_FS_DISABLE_LOCKING);
    if (!segment) {
        close(t->fd);
        return false;
    }
    bool added =
        evbuffer_add_file_segment(bufferevent_get_output(bev), segment, 0, (ev_off_t)length) == 0;
    evbuffer_file_segment_free(segment); /* the output holds on to it */
    t->at = t->end;
    return added;
}

/* The next piece, copied: a mapping would be a fault in our memory when the file becomes shorter.
 * HTTP_TRANSFER_SHORT for want of memory, too. */
static enum http_transfer_state queue_piece(struct http_transfer *t, struct bufferevent *bev)
{
    struct evbuffer *output = bufferevent_get_output(bev);
    struct evbuffer_iovec room;
    off_t wanted = t->end - t->at < PIECE ? t->end - t->at : PIECE;
    if (evbuffer_reserve_space(output, (ev_ssize_t)wanted, &room, 1) != 1)
        return HTTP_TRANSFER_SHORT;
    ssize_t n = pread(t->fd, room.iov_base, (size_t)wanted, t->at);
    if (n <= 0)
        return HTTP_TRANSFER_SHORT;
    room.iov_len = (size_t)n;
    t->at += n;
    return evbuffer_commit_space(output, &room, 1) == 0 ? HTTP_TRANSFER_MORE : HTTP_TRANSFER_SHORT;
}

bool http_transfer_begin(struct http_transfer *transfer, struct bufferevent *bev, int fd,
                         off_t offset, size_t length, bool in_pieces)
{
    *transfer = (struct http_transfer){fd, in_pieces, offset, offset + (off_t)length};
    bool good = in_pieces ? queue_piece(transfer, bev) == HTTP_TRANSFER_MORE
                          : queue_segment(transfer, bev, (off_t)length);
    if (!good)
        http_transfer_end(transfer);
    return good;
}

enum http_transfer_state http_transfer_go_on(struct http_transfer *transfer,
                                             struct bufferevent *bev)
{
    if (http_transfer_left(transfer) > 0)
        return queue_piece(transfer, bev);
    http_transfer_end(transfer);
    return HTTP_TRANSFER_QUEUED;
}

size_t http_transfer_left(const struct http_transfer *transfer)
{
    return transfer->fd < 0 ? 0 : (size_t)(transfer->end - transfer->at);
}

bool http_transfer_is_short(const struct http_transfer *transfer)
{
    struct stat st;
    return transfer->fd < 0 || fstat(transfer->fd, &st) < 0 || st.st_size < transfer->end;
}

void http_transfer_end(struct http_transfer *transfer)
{
    if (transfer->fd >= 0 && transfer->in_pieces)
        close(transfer->fd);
    transfer->fd = -1;
    transfer->at = transfer->end;
}
