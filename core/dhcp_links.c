#include "dhcp_links.h"

#include <ifaddrs.h>
#include <netpacket/packet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define BELIEVED_SECONDS 1

static time_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec;
}

static bool add_link(struct dhcp_links *links, const struct dhcp_link *link)
{
    struct dhcp_link *grown = realloc(links->links, (links->n + 1) * sizeof *grown);
    if (!grown)
        return false;
    links->links = grown;
    links->links[links->n++] = *link;
    return true;
}

/* Interfaces by name first, then their addresses, whose names may be labels (eth0:1). */
void dhcp_links_read(struct dhcp_links *links)
{
    struct ifaddrs *all;
    if (getifaddrs(&all) < 0)
        return;
    links->n = 0;
    for (struct ifaddrs *a = all; a; a = a->ifa_next) {
        if (!a->ifa_addr || a->ifa_addr->sa_family != AF_PACKET)
            continue;
        struct dhcp_link link = {.index = ((struct sockaddr_ll *)a->ifa_addr)->sll_ifindex,
                                 .loopback = a->ifa_flags & IFF_LOOPBACK};
        strncpy(link.name, a->ifa_name, sizeof link.name - 1);
        add_link(links, &link);
    }
    size_t n = links->n;
    for (struct ifaddrs *a = all; a; a = a->ifa_next) {
        if (!a->ifa_addr || a->ifa_addr->sa_family != AF_INET)
            continue;
        size_t len = strcspn(a->ifa_name, ":");
        for (size_t i = 0; i < n; i++) {
            struct dhcp_link link = links->links[i];
            if (strlen(link.name) != len || strncmp(link.name, a->ifa_name, len) != 0)
                continue;
            link.address = ((struct sockaddr_in *)a->ifa_addr)->sin_addr;
            add_link(links, &link);
        }
    }
    freeifaddrs(all);
    links->read_at = now();
    links->known = true;
}

const struct dhcp_link *dhcp_links_find(struct dhcp_links *links, int index, struct in_addr address)
{
    if (!links->known || now() - links->read_at > BELIEVED_SECONDS)
        dhcp_links_read(links);
    for (size_t i = 0; i < links->n; i++) {
        const struct dhcp_link *link = &links->links[i];
        if (link->index == index && link->address.s_addr == address.s_addr)
            return link;
    }
    return NULL;
}

void dhcp_links_clear(struct dhcp_links *links)
{
    free(links->links);
    *links = (struct dhcp_links){.n = 0};
}
