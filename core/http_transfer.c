#include "http_transfer.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <linux/tcp.h> /* of which netinet/tcp.h has but a part */
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "http_response.h"

#define PIECE   ((off_t)4 << 20) /* by sendfile */
#define SLOWEST 4096 /* bytes between two looks: who takes less might as well take nothing */
#define COPY    ((off_t)128 << 10) /* of what is encrypted */

/* Pieces end where they end, not where a segment of TCP does. With TCP_NODELAY each end would be
 * sent as a short segment, which stops the kernel from making large ones of what follows. */
static void set_cork(struct http_transfer *t, struct bufferevent *bev, bool on)
{
    int value = on;
    if (t->corked != on &&
        setsockopt(bufferevent_getfd(bev), IPPROTO_TCP, TCP_CORK, &value, sizeof value) == 0)
        t->corked = on;
}

/* Nothing of the file is mapped or read. */
static bool queue_segment(struct http_transfer *t, struct evbuffer *output, off_t length)
{
    if (evbuffer_add_file_segment(output, t->segment, t->at, (ev_off_t)length) < 0)
        return false;
    t->at += length;
    return true;
}

/* Copied: a mapping would be a fault in our memory when the file becomes shorter. */
static bool queue_copy(struct http_transfer *t, struct evbuffer *output, off_t length)
{
    struct evbuffer_iovec room;
    if (evbuffer_reserve_space(output, (ev_ssize_t)length, &room, 1) != 1)
        return false;
    ssize_t n = pread(t->fd, room.iov_base, (size_t)length, t->at);
    if (n <= 0)
        return false;
    room.iov_len = (size_t)n;
    t->at += n;
    return evbuffer_commit_space(output, &room, 1) == 0;
}

static enum http_transfer_state queue_piece(struct http_transfer *t, struct bufferevent *bev)
{
    struct evbuffer *output = bufferevent_get_output(bev);
    off_t most = t->segment ? PIECE : COPY, left = t->end - t->at;
    off_t length = left < most ? left : most;
    bool good = t->segment ? queue_segment(t, output, length) : queue_copy(t, output, length);
    return good ? HTTP_TRANSFER_MORE : HTTP_TRANSFER_SHORT;
}

/* Writes what the kernel takes at once, and queues the rest. A bufferevent alone would write when
 * the loop comes round, after two calls to have the socket watched and not watched. */
static bool send_bytes(struct bufferevent *bev, struct iovec pieces[2], bool at_once, bool more)
{
    struct evbuffer *output = bufferevent_get_output(bev);
    struct msghdr message = {.msg_iov = pieces, .msg_iovlen = 2};
    ssize_t n = 0;
    /* What is wrong with the socket is found by the loop, when it writes the rest. */
    if (at_once && evbuffer_get_length(output) == 0)
        n = sendmsg(bufferevent_getfd(bev), &message,
                    MSG_DONTWAIT | MSG_NOSIGNAL | (more ? MSG_MORE : 0));
    size_t written = n > 0 ? (size_t)n : 0;
    for (int i = 0; i < 2; i++) {
        size_t gone = written < pieces[i].iov_len ? written : pieces[i].iov_len;
        if (gone < pieces[i].iov_len &&
            evbuffer_add(output, (const char *)pieces[i].iov_base + gone,
                         pieces[i].iov_len - gone) < 0)
            return false;
        written -= gone;
    }
    return true;
}

static bool begin_file(struct http_transfer *t, struct bufferevent *bev, int fd, off_t offset,
                       off_t length, bool encrypted)
{
    http_transfer_end(t); /* by TLS the next request may be here before we hear that all is out */
    *t = (struct http_transfer){.fd = fd, .at = offset, .end = offset + length};
    if (!encrypted) {
        t->segment = evbuffer_file_segment_new(fd, 0, t->end,
                                               EVBUF_FS_CLOSE_ON_FREE | EVBUF_FS_DISABLE_LOCKING);
        set_cork(t, bev, t->segment && length > PIECE);
    }
    bool good = (encrypted || t->segment) && queue_piece(t, bev) == HTTP_TRANSFER_MORE;
    if (!good)
        http_transfer_end(t);
    return good;
}

bool http_transfer_answer(struct http_transfer *transfer, struct bufferevent *bev,
                          struct http_response *response, struct iovec head, bool has_body,
                          bool encrypted)
{
    int fd = has_body ? response->fd : -1;
    struct iovec pieces[2] = {head};
    if (has_body && fd < 0)
        pieces[1] = (struct iovec){(void *)response->data, (size_t)response->length};
    if (!send_bytes(bev, pieces, !encrypted, fd >= 0))
        return false;
    if (fd < 0)
        return true;
    response->fd = -1;
    return begin_file(transfer, bev, fd, response->offset, (off_t)response->length, encrypted);
}

enum http_transfer_state http_transfer_go_on(struct http_transfer *transfer,
                                             struct bufferevent *bev)
{
    if (http_transfer_left(transfer) > 0)
        return queue_piece(transfer, bev);
    set_cork(transfer, bev, false);
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

bool http_transfer_stalled(struct http_transfer *transfer, int fd)
{
    struct tcp_info info = {0};
    socklen_t len = sizeof info;
    bool known = getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0;
    if (known && info.tcpi_bytes_acked - transfer->acked >= SLOWEST)
        transfer->in_vain = 0;
    else
        transfer->in_vain++;
    transfer->acked = info.tcpi_bytes_acked;
    return transfer->in_vain >= HTTP_TRANSFER_LOOKS;
}

void http_transfer_end(struct http_transfer *transfer)
{
    if (transfer->segment)
        evbuffer_file_segment_free(transfer->segment); /* what is queued holds on to it */
    else if (transfer->fd >= 0)
        close(transfer->fd);
    *transfer = (struct http_transfer){.fd = -1};
}
