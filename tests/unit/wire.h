/* Reads a capture, datagram by datagram: the payloads of UDP and TCP over IPv4. For
 * tests only. */
#ifndef TESTS_UNIT_WIRE_H
#define TESTS_UNIT_WIRE_H

#include <netinet/in.h>
#include <pcap/pcap.h>
#include <stdbool.h>
#include <stdint.h>

#include "bytes.h"

#define WIRE_IPV4_ 0x0800

struct wire {
    pcap_t *pcap;
    int link;
    unsigned frame;
    char error[PCAP_ERRBUF_SIZE];
};

struct wire_payload {
    unsigned frame; /* counted from 1, as Wireshark does */
    bool tcp;
    struct sockaddr_in from;
    struct sockaddr_in to;
    const uint8_t *data; /* until the next wire_next */
    size_t len;
};

static inline bool wire_open(struct wire *wire, const char *path)
{
    *wire = (struct wire){.pcap = NULL};
    wire->pcap = pcap_open_offline(path, wire->error);
    if (wire->pcap)
        wire->link = pcap_datalink(wire->pcap);
    return wire->pcap != NULL;
}

static inline void wire_close(struct wire *wire)
{
    pcap_close(wire->pcap);
}

/* Past the link layer's header, VLAN tags included; the EtherType. */
static inline uint16_t wire_link_(int link, struct bytes_reader *r)
{
    uint16_t type = WIRE_IPV4_;
    switch (link) {
    case DLT_EN10MB:
        bytes_take(r, 12);
        type = bytes_u16(r);
        break;
    case DLT_LINUX_SLL:
        bytes_take(r, 14);
        type = bytes_u16(r);
        break;
    case DLT_LINUX_SLL2:
        type = bytes_u16(r);
        bytes_take(r, 18);
        break;
    case DLT_RAW:
    case DLT_IPV4:
        break;
    default:
        r->failed = true;
    }
    while (type == 0x8100 || type == 0x88a8) {
        bytes_take(r, 2);
        type = bytes_u16(r);
    }
    return type;
}

static inline bool wire_packet_(struct bytes_reader *r, struct wire_payload *p)
{
    uint8_t first = bytes_u8(r);
    size_t header = (size_t)(first & 0x0f) * 4;
    bytes_u8(r);
    size_t total = bytes_u16(r);
    bytes_u16(r);
    uint16_t fragment = bytes_u16(r);
    bytes_u8(r);
    uint8_t protocol = bytes_u8(r);
    bytes_u16(r);
    p->from = p->to = (struct sockaddr_in){.sin_family = AF_INET};
    p->from.sin_addr.s_addr = htonl(bytes_u32(r));
    p->to.sin_addr.s_addr = htonl(bytes_u32(r));
    if (r->failed || first >> 4 != 4 || header < 20 || total < header || fragment & 0x1fff)
        return false;
    bytes_take(r, header - 20);
    if (bytes_left(r) > total - header) /* Ethernet pads short frames */
        r->end = r->at + (total - header);

    p->tcp = protocol == IPPROTO_TCP;
    p->from.sin_port = htons(bytes_u16(r));
    p->to.sin_port = htons(bytes_u16(r));
    if (p->tcp) {
        bytes_take(r, 8);
        size_t tcp = (size_t)(bytes_u8(r) >> 4) * 4;
        bytes_take(r, tcp < 20 ? bytes_left(r) + 1 : tcp - 13);
    } else {
        bytes_take(r, 4);
    }
    p->len = bytes_left(r);
    p->data = bytes_take(r, p->len);
    return !r->failed && (p->tcp || protocol == IPPROTO_UDP);
}

/* The next payload; false at the end of the capture. */
static inline bool wire_next(struct wire *wire, struct wire_payload *payload)
{
    struct pcap_pkthdr *header;
    const u_char *data;
    while (pcap_next_ex(wire->pcap, &header, &data) == 1) {
        struct bytes_reader r = bytes_reader(data, header->caplen);
        payload->frame = ++wire->frame;
        if (wire_link_(wire->link, &r) == WIRE_IPV4_ && wire_packet_(&r, payload))
            return true;
    }
    return false;
}

#endif
