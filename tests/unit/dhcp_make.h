/* Makes DHCP packets as clients send them, from a text of options. For tests only. */
#ifndef TESTS_UNIT_DHCP_MAKE_H
#define TESTS_UNIT_DHCP_MAKE_H

#include <string.h>

#include "dhcp.h"

struct dhcp_make {
    struct dhcp_header header;
    uint8_t data[DHCP_MAX_LEN];
    struct bytes_writer w;
};

/* A client's header for 52:54:00:12:34:56, followed by option 53. */
static inline void dhcp_make(struct dhcp_make *make, const struct dhcp_header *fields,
                             uint8_t message)
{
    static const uint8_t mac[] = {0x52, 0x54, 0x00, 0x12, 0x34, 0x56};
    make->header = *fields;
    make->header.op = make->header.op ? make->header.op : DHCP_BOOTREQUEST;
    make->header.htype = make->header.htype ? make->header.htype : DHCP_HTYPE_ETHERNET;
    make->header.hlen = make->header.hlen ? make->header.hlen : 6;
    memcpy(make->header.chaddr, mac, sizeof mac);
    make->w = bytes_writer(make->data, sizeof make->data);
    dhcp_put_header(&make->w, &make->header);
    if (message)
        dhcp_put_option(&make->w, DHCP_OPT_MESSAGE, &message, 1);
}

#define dhcp_make_option(make, code, literal)                                                      \
    dhcp_put_option(&(make)->w, (code), (literal), sizeof(literal) - 1)

/* Ends the packet with an end option; its length. */
static inline size_t dhcp_make_end(struct dhcp_make *make)
{
    bytes_put_u8(&make->w, DHCP_OPT_END);
    return bytes_written(&make->w);
}

#endif
