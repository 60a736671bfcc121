/* proxyDHCP on ports 67 and 4011: from sockets to policy and back. */
#ifndef MOONBOOT_DHCP_SERVER_H
#define MOONBOOT_DHCP_SERVER_H

#include <event2/event.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "metrics.h"
#include "policy.h"

struct dhcp_server;

struct dhcp_server_options {
    int fd;                        /* from dhcp_server_bind, port 67 or what stands for it */
    int boot_fd;                   /* the same for port 4011 */
    const char *const *interfaces; /* names; n_interfaces 0: all but loopback */
    size_t n_interfaces;
    struct in_addr advertise; /* 0.0.0.0: the address of the interface asked */
    uint16_t client_port;     /* where answers to clients without an address go: 68 */
    struct policy *policy;
    struct metrics *metrics;
};

/* A bound, non-blocking UDP socket with everything that proxyDHCP needs set
 * (SO_REUSEADDR, SO_BROADCAST, IP_PKTINFO, no path-MTU discovery), or a negative
 * errno. Needs CAP_NET_BIND_SERVICE for ports below 1024. -EADDRINUSE: another program
 * holds the port and does not share it (SO_REUSEADDR must be set on both sockets). */
int dhcp_server_bind(uint16_t port);

/* Sets the same for a socket that somebody else has bound: 0 or a negative errno. */
int dhcp_server_adopt(int fd);

/* The same for broadcasts alone, so that neither requests from relays nor anything else
 * sent to this host's own addresses arrives: for port 67, when a server holds it that
 * shares nothing but binds to its addresses only, as Kea does. */
int dhcp_server_bind_broadcast(uint16_t port);

/* Starts to read. The descriptors stay the caller's. NULL when memory is out. */
struct dhcp_server *dhcp_server_open(struct event_base *base,
                                     const struct dhcp_server_options *options);

/* Stops to read, at once; decisions still being made are not answered. What the options
 * name is not touched afterwards. */
void dhcp_server_close(struct dhcp_server *server);

#endif
