#include "tftp_socket.h"

#include <errno.h>
#include <linux/filter.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ETHERNET_MTU       1500
#define IP_SOURCE_OFFSET   12        /* in an IPv4 header */
#define LISTEN_BUFFER_SIZE (1 << 20) /* a rack that is switched on asks all at once */

static bool set_int(int fd, int level, int option, int value)
{
    return setsockopt(fd, level, option, &value, sizeof value) == 0;
}

/* The kernel gives each datagram to socket number "source address modulo n" of the
 * group, in the order in which they were bound. So a client's requests always meet the
 * same worker, which knows its transfers: a repeated request, and how many there are. */
static bool spread_by_client(int fd, unsigned n)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(SKF_NET_OFF + IP_SOURCE_OFFSET)),
        BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, n),
        BPF_STMT(BPF_RET | BPF_A, 0),
    };
    struct sock_fprog program;
    memset(&program, 0, sizeof program); /* what lies between its members is the kernel's to see */
    program.len = sizeof code / sizeof *code;
    program.filter = code;
    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program, sizeof program) == 0;
}

int tftp_socket_adopt(int fd, unsigned n)
{
    if (!set_int(fd, IPPROTO_IP, IP_PKTINFO, 1) ||
        !set_int(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT) ||
        (n > 1 && !spread_by_client(fd, n)))
        return -errno;
    set_int(fd, SOL_SOCKET, SO_RCVBUF, LISTEN_BUFFER_SIZE);
    return 0;
}

int tftp_socket_new(unsigned n)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    int error = tftp_socket_adopt(fd, 1);
    if (!error && n > 1 && !set_int(fd, SOL_SOCKET, SO_REUSEPORT, 1))
        error = -errno;
    if (!error)
        return fd;
    close(fd);
    return error;
}

int tftp_socket_bind(int fd, uint16_t port, unsigned n)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0 ||
        (n > 1 && !spread_by_client(fd, n)))
        return -errno;
    return 0;
}

int tftp_socket_listen(uint16_t port, unsigned n)
{
    int fd = tftp_socket_new(n);
    int error = fd < 0 ? fd : tftp_socket_bind(fd, port, n);
    if (error < 0 && fd >= 0)
        close(fd);
    return error < 0 ? error : fd;
}

/* Room for one IP_PKTINFO, aligned for it. */
union control {
    struct cmsghdr header;
    char space[CMSG_SPACE(sizeof(struct in_pktinfo))];
};

int tftp_socket_receive(int fd, struct tftp_socket_request *request)
{
    union control control;
    struct iovec iov = {.iov_base = request->data, .iov_len = sizeof request->data};
    struct msghdr msg = {
        .msg_name = &request->client,
        .msg_namelen = sizeof request->client,
        .msg_iov = &iov,
        .msg_iovlen = 1,
        .msg_control = &control,
        .msg_controllen = sizeof control,
    };
    ssize_t got = recvmsg(fd, &msg, MSG_DONTWAIT);
    if (got < 0)
        return -errno;
    request->len = 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c)) {
        if (c->cmsg_level != IPPROTO_IP || c->cmsg_type != IP_PKTINFO)
            continue;
        struct in_pktinfo info;
        memcpy(&info, CMSG_DATA(c), sizeof info);
        request->server = info.ipi_spec_dst;
        request->interface = info.ipi_ifindex;
        /* They differ for broadcasts, which get no answer (RFC 1123, 4.2.3.5). */
        if (info.ipi_addr.s_addr == info.ipi_spec_dst.s_addr && !(msg.msg_flags & MSG_TRUNC))
            request->len = (size_t)got;
    }
    return 0;
}

void tftp_socket_answer(int fd, const struct tftp_socket_request *request, const void *data,
                        size_t len)
{
    union control control;
    memset(&control, 0, sizeof control);
    struct sockaddr_in client = request->client;
    struct iovec iov = {.iov_base = (void *)data, .iov_len = len};
    struct msghdr msg = {
        .msg_name = &client,
        .msg_namelen = sizeof client,
        .msg_iov = &iov,
        .msg_iovlen = 1,
        .msg_control = &control,
        .msg_controllen = sizeof control,
    };
    struct in_pktinfo info = {.ipi_spec_dst = request->server};
    struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
    c->cmsg_level = IPPROTO_IP;
    c->cmsg_type = IP_PKTINFO;
    c->cmsg_len = CMSG_LEN(sizeof info);
    memcpy(CMSG_DATA(c), &info, sizeof info);
    (void)!sendmsg(fd, &msg, MSG_DONTWAIT);
}

int tftp_socket_connect(struct in_addr server, const struct sockaddr_in *client)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = server};
    if (!set_int(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT) ||
        bind(fd, (struct sockaddr *)&address, sizeof address) < 0 ||
        connect(fd, (const struct sockaddr *)client, sizeof *client) < 0) {
        int error = errno;
        close(fd);
        return -error;
    }
    return fd;
}

int tftp_socket_mtu(int fd)
{
    int mtu;
    socklen_t len = sizeof mtu;
    return getsockopt(fd, IPPROTO_IP, IP_MTU, &mtu, &len) < 0 ? ETHERNET_MTU : mtu;
}
