/* The interfaces of this host and their IPv4 addresses, as DHCP needs to know them. What is known
 * is believed for a second. */
#ifndef MOONBOOT_DHCP_LINKS_H
#define MOONBOOT_DHCP_LINKS_H

#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <time.h>

/* An IPv4 address of an interface; an interface has an entry of 0.0.0.0 as well. */
struct dhcp_link {
    int index;
    bool loopback;
    char name[IF_NAMESIZE];
    struct in_addr address;
};

/* All 0 at first. */
struct dhcp_links {
    struct dhcp_link *links;
    size_t n;
    bool known;
    time_t read_at; /* CLOCK_MONOTONIC */
};

/* Reads them now: it takes a descriptor. Keeps what it knew when there is none. */
void dhcp_links_read(struct dhcp_links *links);

/* The entry of that address at that interface, valid until the next call; NULL: there is none. */
const struct dhcp_link *dhcp_links_find(struct dhcp_links *links, int index,
                                        struct in_addr address);

void dhcp_links_clear(struct dhcp_links *links);

#endif
