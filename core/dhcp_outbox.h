/* Answers on their way out of a DHCP socket. Those of one wake-up leave by one system call, and
 * broadcasts of a size go through the kernel's stack as one datagram, which it cuts at its end
 * (UDP_SEGMENT): that is where most of an answer's time goes. */
#ifndef MOONBOOT_DHCP_OUTBOX_H
#define MOONBOOT_DHCP_OUTBOX_H

#include <net/if.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>

#include "dhcp_map.h"

#define DHCP_OUTBOX_MAX 32

struct dhcp_outbox_answer {
    struct sockaddr_in to;
    struct in_addr from;         /* an address of ours */
    int ifindex;                 /* where a broadcast leaves; the way of the rest is the routes' */
    char interface[IF_NAMESIZE]; /* where it was asked for */
    size_t len;
    int error; /* after sending: 0 or an errno */
    uint8_t data[DHCP_MAP_REPLY_MAX];
};

struct dhcp_outbox {
    size_t n;
    struct dhcp_outbox_answer answers[DHCP_OUTBOX_MAX];
};

/* Sends them all, in order, and notes each one's `error`. */
void dhcp_outbox_send(struct dhcp_outbox *outbox, int fd);

#endif
