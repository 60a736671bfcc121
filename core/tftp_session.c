#include "tftp_session.h"

#include <errno.h>
#include <event2/event_struct.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tftp_socket.h"
#include "tftp_source.h"
#include "tftp_transfer.h"

#define SEGMENTS_BYTES_MAX 65000 /* of one datagram before it is cut: with headers, 65535 */
#define PACKETS_AT_ONCE    16    /* that are read before other sessions get their turn */

struct tftp_session {
    struct tftp_session_options options;
    struct tftp_transfer transfer;
    struct tftp_source source;
    struct tftp_options granted;
    size_t block_size;
    int fd;
    bool no_segments; /* a window cannot be sent as one */
    struct event readable;
    struct event writable; /* pending while the socket's buffer is full */
    struct event timer;    /* fires at `alarm`, which may be before the deadline */
    int64_t alarm;
};

static int64_t milliseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void finish(struct tftp_session *s, enum tftp_session_end end, const char *why)
{
    static const enum metrics_counter counters[] = {
        [TFTP_SESSION_COMPLETED] = METRICS_TFTP_COMPLETED,
        [TFTP_SESSION_ABORTED] = METRICS_TFTP_ABORTED,
        [TFTP_SESSION_TIMED_OUT] = METRICS_TFTP_TIMED_OUT,
    };
    metrics_inc(s->options.metrics, counters[end]);
    s->options.ended(s->options.arg, end, why);
}

/* The client's port is closed: it has what it wants, or it is gone. */
static void finish_refused(struct tftp_session *s)
{
    if (tftp_transfer_all_sent(&s->transfer))
        finish(s, TFTP_SESSION_COMPLETED, NULL);
    else
        finish(s, TFTP_SESSION_ABORTED, "the client has closed its port");
}

static void finish_unreadable(struct tftp_session *s, int error)
{
    uint8_t packet[TFTP_REPLY_MAX];
    size_t len = tftp_put_error(packet, TFTP_UNDEFINED, "the file cannot be read any more");
    (void)!send(s->fd, packet, len, MSG_DONTWAIT);
    finish(s, TFTP_SESSION_ABORTED,
           error == -ESTALE ? "the file has become shorter meanwhile" : strerror(-error));
}

/* The timer is not touched when the deadline moves on, as it does with every packet. It
 * fires early then, and is set again for the rest. */
static void set_alarm(struct tftp_session *s, int64_t now)
{
    int64_t wait = s->transfer.deadline > now ? s->transfer.deadline - now : 0;
    struct timeval tv = {.tv_sec = wait / 1000, .tv_usec = wait % 1000 * 1000};
    s->alarm = s->transfer.deadline;
    evtimer_add(&s->timer, &tv);
}

/* 0, -EAGAIN or -ECONNREFUSED. Whatever else keeps a packet from leaving (no route for
 * a moment, no memory in the kernel) counts as its loss on the way. */
static int send_result(int result)
{
    if (result >= 0)
        return 0;
    return errno == EAGAIN || errno == ECONNREFUSED ? -errno : 0;
}

static int send_oack(struct tftp_session *s)
{
    uint8_t packet[TFTP_REPLY_MAX];
    size_t len = tftp_put_oack(packet, &s->granted);
    int error = send_result((int)send(s->fd, packet, len, MSG_DONTWAIT));
    if (!error)
        tftp_transfer_sent(&s->transfer, 0, milliseconds());
    return error;
}

/* As one datagram that the kernel, or the network card, cuts into `n` (UDP_SEGMENT): it goes
 * through the stack once. What is returned is sendmmsg's. */
static int send_segments(struct tftp_session *s, struct iovec (*iov)[2], uint32_t n)
{
    _Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(sizeof(uint16_t))] = {0};
    uint16_t size = (uint16_t)(s->block_size + TFTP_HEADER);
    struct msghdr message = {.msg_iov = iov[0],
                             .msg_iovlen = (size_t)2 * n,
                             .msg_control = control,
                             .msg_controllen = sizeof control};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_UDP;
    header->cmsg_type = UDP_SEGMENT;
    header->cmsg_len = CMSG_LEN(sizeof size);
    memcpy(CMSG_DATA(header), &size, sizeof size);
    return sendmsg(s->fd, &message, MSG_DONTWAIT) < 0 ? -1 : (int)n;
}

static int send_datagrams(struct tftp_session *s, struct iovec (*iov)[2], uint32_t n)
{
    struct mmsghdr messages[TFTP_SESSION_WINDOW_MAX];
    for (uint32_t i = 0; i < n; i++)
        messages[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = iov[i], .msg_iovlen = 2}};
    return sendmmsg(s->fd, messages, n, MSG_DONTWAIT);
}

/* Where it cannot be done (the card, the route, an old kernel) it is not tried again. */
static int send_window(struct tftp_session *s, struct iovec (*iov)[2], uint32_t n)
{
    if (n > 1 && !s->no_segments && n * (s->block_size + TFTP_HEADER) <= SEGMENTS_BYTES_MAX) {
        int sent = send_segments(s, iov, n);
        if (sent >= 0 || errno == EAGAIN || errno == ECONNREFUSED)
            return sent;
        s->no_segments = true;
    }
    return send_datagrams(s, iov, n);
}

/* Sends `n` blocks, all of them at hand, in one system call. */
static int send_blocks(struct tftp_session *s, uint32_t n)
{
    uint8_t headers[TFTP_SESSION_WINDOW_MAX][TFTP_HEADER];
    struct iovec iov[TFTP_SESSION_WINDOW_MAX][2];
    const struct tftp_transfer *t = &s->transfer;
    size_t at = (size_t)(t->sent - t->acked) * s->block_size;
    uint8_t *data = (uint8_t *)tftp_source_data(&s->source) + at;
    size_t left = tftp_source_len(&s->source) - at;
    for (uint32_t i = 0; i < n; i++) {
        size_t len = left < s->block_size ? left : s->block_size;
        tftp_put_data(headers[i], t->sent + 1 + i);
        iov[i][0] = (struct iovec){.iov_base = headers[i], .iov_len = TFTP_HEADER};
        iov[i][1] = (struct iovec){.iov_base = data, .iov_len = len};
        data += len;
        left -= len;
    }
    int sent = send_window(s, iov, n);
    int error = send_result(sent);
    if (error)
        return error;
    uint64_t bytes = 0;
    for (int i = 0; i < sent; i++)
        bytes += iov[i][1].iov_len;
    metrics_add(s->options.metrics, METRICS_TFTP_BYTES, bytes);
    tftp_transfer_sent(&s->transfer, sent < 0 ? n : (uint32_t)sent, milliseconds());
    return 0;
}

/* Reads what the window needs and notes the final block once the end is in sight. */
static int fill_window(struct tftp_session *s)
{
    int error = tftp_source_fill(&s->source, s->transfer.window * s->block_size);
    if (!error && tftp_source_ended(&s->source))
        s->transfer.last = s->transfer.acked + tftp_source_len(&s->source) / s->block_size + 1;
    return error;
}

/* Sends all that is due, as far as the socket takes it. May end the session: the last
 * thing to call. */
static void pump(struct tftp_session *s)
{
    int error = s->transfer.negotiating ? send_oack(s) : fill_window(s);
    if (error && error != -EAGAIN && error != -ECONNREFUSED) {
        finish_unreadable(s, error);
        return;
    }
    uint32_t due;
    while (!error && (due = tftp_transfer_due(&s->transfer)) > 0)
        error = send_blocks(s, due);
    if (error == -ECONNREFUSED) {
        finish_refused(s);
        return;
    }
    if (error == -EAGAIN)
        event_add(&s->writable, NULL);
    if (s->transfer.deadline < s->alarm)
        set_alarm(s, milliseconds());
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    pump(arg);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct tftp_session *s = arg;
    int64_t now = milliseconds();
    enum tftp_transfer_step step = tftp_transfer_expire(&s->transfer, now);
    if (step == TFTP_TRANSFER_DONE) {
        finish(s, TFTP_SESSION_COMPLETED, NULL);
    } else if (step == TFTP_TRANSFER_LOST) {
        finish(s, TFTP_SESSION_TIMED_OUT, NULL);
    } else {
        set_alarm(s, now);
        if (step == TFTP_TRANSFER_SEND) {
            metrics_inc(s->options.metrics, METRICS_TFTP_RETRANSMITS);
            pump(s);
        }
    }
}

static enum tftp_transfer_step take_ack(struct tftp_session *s, uint16_t block)
{
    uint64_t before = s->transfer.acked;
    enum tftp_transfer_step step = tftp_transfer_ack(&s->transfer, block, milliseconds());
    uint64_t bytes = (s->transfer.acked - before) * s->block_size;
    size_t len = tftp_source_len(&s->source);
    tftp_source_consume(&s->source, bytes < len ? (size_t)bytes : len);
    return step;
}

static void finish_by_client(struct tftp_session *s, const struct tftp_packet *error)
{
    char why[128];
    int len = error->message.len < 80 ? (int)error->message.len : 80;
    (void)snprintf(why, sizeof why, "error %u: %.*s", error->number, len,
                   len ? (const char *)error->message.data : "");
    finish(s, TFTP_SESSION_ABORTED, why);
}

/* With a window several ACKs may be waiting; the last one says what to send. */
static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    (void)what;
    struct tftp_session *s = arg;
    uint8_t data[TFTP_REPLY_MAX];
    bool send_on = false;
    for (int n = s->transfer.window > 1 ? PACKETS_AT_ONCE : 1; n > 0; n--) {
        ssize_t len = recv(fd, data, sizeof data, MSG_DONTWAIT);
        if (len < 0 && errno == ECONNREFUSED) {
            finish_refused(s);
            return;
        }
        if (len < 0)
            break;
        struct tftp_packet packet;
        if (!tftp_packet_parse(data, (size_t)len, &packet)) {
            metrics_inc(s->options.metrics, METRICS_TFTP_MALFORMED);
            continue;
        }
        if (packet.opcode == TFTP_ERROR) {
            finish_by_client(s, &packet);
            return;
        }
        enum tftp_transfer_step step = take_ack(s, packet.number);
        if (step == TFTP_TRANSFER_DONE) {
            finish(s, TFTP_SESSION_COMPLETED, NULL);
            return;
        }
        send_on |= step == TFTP_TRANSFER_SEND;
    }
    if (send_on)
        pump(s);
    else if (s->transfer.deadline < s->alarm)
        set_alarm(s, milliseconds());
}

static int start(struct tftp_session *s, struct event_base *base, const struct file *file,
                 struct reply *reply)
{
    s->fd = tftp_socket_connect(s->options.server, &s->options.client);
    if (s->fd < 0)
        return s->fd;
    s->block_size =
        tftp_options_grant(&s->options.options, s->options.mode,
                           file ? (uint64_t)file->size : reply->body.len, tftp_socket_mtu(s->fd),
                           TFTP_SESSION_WINDOW_BYTES_MAX, TFTP_SESSION_WINDOW_MAX, &s->granted);
    uint32_t window = s->granted.windowsize ? s->granted.windowsize : 1;
    int error = tftp_source_open(&s->source, file, reply, s->options.mode == TFTP_NETASCII,
                                 window * s->block_size);
    if (error) {
        close(s->fd);
        return error;
    }
    int64_t now = milliseconds();
    tftp_transfer_start(&s->transfer, window, (int64_t)s->granted.timeout * 1000,
                        !tftp_options_empty(&s->granted), now);
    event_assign(&s->readable, base, s->fd, EV_READ | EV_PERSIST, on_readable, s);
    event_assign(&s->writable, base, s->fd, EV_WRITE, on_writable, s);
    evtimer_assign(&s->timer, base, on_timer, s);
    event_add(&s->readable, NULL);
    set_alarm(s, now);
    /* The first packet leaves from the event loop, like all others. */
    event_active(&s->writable, EV_WRITE, 0);
    return 0;
}

int tftp_session_open(struct tftp_session **session, struct event_base *base,
                      const struct tftp_session_options *options, const struct file *file,
                      struct reply *reply)
{
    struct tftp_session *s = calloc(1, sizeof *s);
    int error = -ENOMEM;
    if (s) {
        s->options = *options;
        error = start(s, base, file, reply);
    }
    if (error) {
        if (file)
            close(file->fd);
        reply_free(reply);
        free(s);
        return error;
    }
    *session = s;
    return 0;
}

void tftp_session_close(struct tftp_session *s)
{
    if (!s)
        return;
    event_del(&s->readable);
    event_del(&s->writable);
    event_del(&s->timer);
    close(s->fd);
    tftp_source_close(&s->source);
    free(s);
}

bool tftp_session_fresh(const struct tftp_session *s)
{
    return tftp_transfer_fresh(&s->transfer);
}
