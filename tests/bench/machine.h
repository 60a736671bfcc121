/* Machines that boot by the network, as their packets show them: what UEFI and, later, iPXE
 * send byte for byte as tests/wire/captures/uefi-pxe-4011.pcap has it, apart from what tells
 * one machine from another. */
#ifndef BENCH_MACHINE_H
#define BENCH_MACHINE_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr.h"

#define MACHINE_PACKET_MAX 512

enum machine_ask {
    MACHINE_DISCOVER,      /* UEFI's, broadcast */
    MACHINE_REQUEST,       /* UEFI's to port 4011, from port 4011 */
    MACHINE_IPXE_DISCOVER, /* broadcast */
    MACHINE_IPXE_REQUEST,  /* to port 4011, from port 68 */
    MACHINE_ASKS
};

/* Machine number n, of 2^24: 52:54:00 and its number are its MAC. */
void machine_mac(uint32_t n, uint8_t mac[ADDR_MAC_LEN]);
void machine_uuid(uint32_t n, uint8_t wire[ADDR_UUID_LEN]);

/* Its packet; `own` is its address (ciaddr), 0.0.0.0 in a broadcast, and `server` whom
 * iPXE names in option 54. The length. */
size_t machine_packet(enum machine_ask ask, uint32_t n, uint32_t xid, struct in_addr own,
                      struct in_addr server, uint8_t out[MACHINE_PACKET_MAX]);

/* What an answer told. */
struct machine_answer {
    uint8_t message;
    struct in_addr server; /* siaddr */
    char file[256];        /* of the header, else option 67; "": none */
};

/* The transaction that a datagram answers; false: it is no answer. */
bool machine_xid(const uint8_t *data, size_t len, uint32_t *xid);

/* NULL, or what is wrong with the answer to this packet: op, xid and hardware address copied,
 * yiaddr 0 (a proxy's), OFFER or ACK as asked, options 54, 60 and 97. With `boots` a boot
 * server and a file have to stand in it: dnsmasq's OFFER leaves them to the ACK. */
const char *machine_check(enum machine_ask ask, uint32_t n, uint32_t xid, bool boots,
                          const uint8_t *data, size_t len, struct machine_answer *answer);

#endif
