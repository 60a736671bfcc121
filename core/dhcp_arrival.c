#include "dhcp_arrival.h"

#include <errno.h>
#include <string.h>

int dhcp_arrival_adopt(int fd)
{
    int on = 1;
    if (setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof on) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_RXQ_OVFL, &on, sizeof on) < 0)
        return -errno;
    return 0;
}

struct dhcp_arrival dhcp_arrival_read(struct msghdr *message)
{
    struct dhcp_arrival arrival = {.at = {0}};
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
        if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
            memcpy(&arrival.info, CMSG_DATA(c), sizeof arrival.info);
        } else if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_TIMESTAMPNS) {
            memcpy(&arrival.at, CMSG_DATA(c), sizeof arrival.at);
        } else if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_RXQ_OVFL) {
            memcpy(&arrival.lost, CMSG_DATA(c), sizeof arrival.lost);
            arrival.knows_lost = true;
        }
    }
    return arrival;
}

bool dhcp_arrival_late(const struct dhcp_arrival *arrival, int64_t ms)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    int64_t age = (int64_t)(now.tv_sec - arrival->at.tv_sec) * 1000 +
                  (now.tv_nsec - arrival->at.tv_nsec) / 1000000;
    return arrival->at.tv_sec != 0 && age > ms;
}
