#include "dhcp_outbox.h"

#include <errno.h>
#include <netinet/udp.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

_Static_assert(DHCP_OUTBOX_MAX *DHCP_MAP_REPLY_MAX < 65000, "one datagram, before it is cut");

/* What the kernel is given of several answers, each message one or more of them. */
struct sending {
    struct mmsghdr messages[DHCP_OUTBOX_MAX];
    size_t first[DHCP_OUTBOX_MAX]; /* of a message's answers */
    struct iovec vectors[DHCP_OUTBOX_MAX];
    _Alignas(
        struct cmsghdr) uint8_t control[DHCP_OUTBOX_MAX][CMSG_SPACE(sizeof(struct in_pktinfo)) +
                                                         CMSG_SPACE(sizeof(uint16_t))];
};

static bool broadcast(const struct dhcp_outbox_answer *a)
{
    return a->to.sin_addr.s_addr == htonl(INADDR_BROADCAST);
}

/* How many from `first` on are one message: broadcasts that leave alike, of one size; the last
 * may be shorter. Not others: a relay that reads raw frames would see the uncut datagram, where
 * the network is a virtual one. */
static size_t alike(const struct dhcp_outbox *outbox, size_t first, size_t end)
{
    const struct dhcp_outbox_answer *a = &outbox->answers[first], *b = a + 1;
    if (!broadcast(a))
        return 1;
    while (b < &outbox->answers[end] && broadcast(b) && b->to.sin_port == a->to.sin_port &&
           b->ifindex == a->ifindex && b->from.s_addr == a->from.s_addr && b[-1].len == a->len &&
           b->len <= a->len)
        b++;
    return (size_t)(b - a);
}

static void put_control(struct msghdr *message, struct cmsghdr *header, int level, int type,
                        const void *data, size_t len)
{
    header->cmsg_level = level;
    header->cmsg_type = type;
    header->cmsg_len = CMSG_LEN(len);
    memcpy(CMSG_DATA(header), data, len);
    message->msg_controllen += CMSG_SPACE(len);
}

/* From the address that was asked, when it is ours. */
static void put_message(struct sending *s, size_t i, struct dhcp_outbox *outbox, size_t first,
                        size_t n)
{
    struct dhcp_outbox_answer *a = &outbox->answers[first];
    struct msghdr *message = &s->messages[i].msg_hdr;
    struct in_pktinfo info = {.ipi_ifindex = broadcast(a) ? a->ifindex : 0,
                              .ipi_spec_dst = a->from};
    uint16_t size = (uint16_t)a->len;
    for (size_t j = first; j < first + n; j++)
        s->vectors[j] = (struct iovec){outbox->answers[j].data, outbox->answers[j].len};
    s->first[i] = first;
    memset(s->control[i], 0, sizeof s->control[i]);
    *message = (struct msghdr){.msg_name = &a->to,
                               .msg_namelen = sizeof a->to,
                               .msg_iov = &s->vectors[first],
                               .msg_iovlen = n,
                               .msg_control = s->control[i]};
    struct cmsghdr *header = (struct cmsghdr *)(void *)s->control[i];
    put_control(message, header, IPPROTO_IP, IP_PKTINFO, &info, sizeof info);
    if (n > 1) {
        header = (struct cmsghdr *)(void *)(s->control[i] + message->msg_controllen);
        put_control(message, header, SOL_UDP, UDP_SEGMENT, &size, sizeof size);
    }
}

static void send_from(struct dhcp_outbox *outbox, int fd, size_t first, size_t end, bool segments);

/* Not every device, and no device for what is larger than it takes, has it cut: one by one then. */
static void note_error(struct dhcp_outbox *outbox, int fd, size_t first, size_t n, int error)
{
    if (n > 1 && error != EAGAIN && error != ENOBUFS) {
        send_from(outbox, fd, first, first + n, false);
        return;
    }
    for (size_t i = first; i < first + n; i++)
        outbox->answers[i].error = error;
}

static void send_from(struct dhcp_outbox *outbox, int fd, size_t first, size_t end, bool segments)
{
    struct sending s;
    size_t n = 0, at = 0;
    for (size_t i = first; i < end; i += s.messages[n++].msg_hdr.msg_iovlen) {
        put_message(&s, n, outbox, i, segments ? alike(outbox, i, end) : 1);
        outbox->answers[i].error = 0;
    }
    while (at < n) {
        int sent = sendmmsg(fd, s.messages + at, (unsigned)(n - at), MSG_DONTWAIT);
        if (sent > 0) {
            at += (size_t)sent;
            continue;
        }
        note_error(outbox, fd, s.first[at], s.messages[at].msg_hdr.msg_iovlen, errno);
        at++;
    }
}

void dhcp_outbox_send(struct dhcp_outbox *outbox, int fd)
{
    for (size_t i = 0; i < outbox->n; i++)
        outbox->answers[i].error = 0;
    send_from(outbox, fd, 0, outbox->n, true);
}
