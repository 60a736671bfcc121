/* What the kernel tells of a datagram beside its bytes: where and when it came in, and how many
 * were lost before it. */
#ifndef MOONBOOT_DHCP_ARRIVAL_H
#define MOONBOOT_DHCP_ARRIVAL_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <time.h>

/* Bytes of control messages. */
#define DHCP_ARRIVAL_CONTROL                                                                       \
    (CMSG_SPACE(sizeof(struct in_pktinfo)) + CMSG_SPACE(sizeof(struct timespec)) +                 \
     CMSG_SPACE(sizeof(uint32_t)))

struct dhcp_arrival {
    struct in_pktinfo info;
    struct timespec at; /* CLOCK_REALTIME; tv_sec is 0 when the kernel does not say */
    bool knows_lost;
    uint32_t lost; /* since the socket was opened */
};

/* Has the kernel tell of what comes in on that socket. 0 or a negative errno. */
int dhcp_arrival_adopt(int fd);

struct dhcp_arrival dhcp_arrival_read(struct msghdr *message);

/* Whether it has waited for longer than that. */
bool dhcp_arrival_late(const struct dhcp_arrival *arrival, int64_t ms);

#endif
