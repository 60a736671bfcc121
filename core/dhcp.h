/* The DHCP packet (RFC 2131, RFC 2132): between bytes and a struct. What a message
 * means is dhcp_map's affair. */
#ifndef MOONBOOT_DHCP_H
#define MOONBOOT_DHCP_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bytes.h"

#define DHCP_HEADER_LEN 240    /* the fixed fields and the magic cookie */
#define DHCP_MAX_LEN    2048   /* of a datagram that is looked at */
#define DHCP_BROADCAST  0x8000 /* of `flags` */

#define DHCP_HTYPE_ETHERNET 1

enum { DHCP_BOOTREQUEST = 1, DHCP_BOOTREPLY = 2 };

/* Option 53. */
enum dhcp_message {
    DHCP_DISCOVER = 1,
    DHCP_OFFER = 2,
    DHCP_REQUEST = 3,
    DHCP_DECLINE = 4,
    DHCP_ACK = 5,
    DHCP_NAK = 6,
    DHCP_RELEASE = 7,
    DHCP_INFORM = 8
};

enum dhcp_option {
    DHCP_OPT_PAD = 0,
    DHCP_OPT_HOSTNAME = 12,
    DHCP_OPT_VENDOR = 43,
    DHCP_OPT_ADDRESS = 50,
    DHCP_OPT_LEASE = 51,
    DHCP_OPT_OVERLOAD = 52,
    DHCP_OPT_MESSAGE = 53,
    DHCP_OPT_SERVER_ID = 54,
    DHCP_OPT_WANTED = 55,
    DHCP_OPT_MAX_SIZE = 57,
    DHCP_OPT_RENEWAL = 58,
    DHCP_OPT_REBINDING = 59,
    DHCP_OPT_VENDOR_CLASS = 60,
    DHCP_OPT_CLIENT_ID = 61,
    DHCP_OPT_TFTP_SERVER = 66,
    DHCP_OPT_BOOT_FILE = 67,
    DHCP_OPT_USER_CLASS = 77, /* RFC 3004 */
    DHCP_OPT_RELAY = 82,      /* RFC 3046 */
    DHCP_OPT_ARCH = 93,       /* RFC 4578, as the two below */
    DHCP_OPT_UNDI = 94,
    DHCP_OPT_UUID = 97,
    DHCP_OPT_IPXE = 175,
    DHCP_OPT_END = 255
};

struct dhcp_header {
    uint8_t op;
    uint8_t htype;
    uint8_t hlen; /* at most 16; 6 when htype is Ethernet */
    uint8_t hops;
    uint32_t xid;
    uint16_t secs;
    uint16_t flags;
    struct in_addr ciaddr;
    struct in_addr yiaddr;
    struct in_addr siaddr;
    struct in_addr giaddr;
    uint8_t chaddr[16];
    uint8_t sname[64];
    uint8_t file[128];
};

/* A packet that was read. Options are views into the datagram, or into the struct
 * itself (parts that were joined, overloaded fields), which must stay where it is. */
struct dhcp_packet {
    struct dhcp_header header;
    struct bytes options[256]; /* by code; `data` is NULL when the packet has none */
    uint8_t scratch[DHCP_MAX_LEN];
};

/* Reads a datagram. False when it is not DHCP or not sound: too short or too long, no
 * magic cookie, an op other than 1 and 2, a hardware address of impossible length, an
 * option that runs past the end. As firmware is found to need, the end option may be
 * missing, and anything may follow it.
 *
 * The parts of an option that occurs more than once are joined (RFC 3396); options in
 * the sname and file fields are read when option 52 says they are there (RFC 2132,
 * 9.3). Allocates nothing. */
bool dhcp_parse(const void *data, size_t len, struct dhcp_packet *packet);

static inline bool dhcp_has(const struct dhcp_packet *packet, uint8_t code)
{
    return packet->options[code].data != NULL;
}

/* The value of option 53; 0 when there is none of one byte (BOOTP). */
uint8_t dhcp_message(const struct dhcp_packet *packet);

/* An option that is one address; 0.0.0.0 when it is missing or of another length. */
struct in_addr dhcp_option_ip(const struct dhcp_packet *packet, uint8_t code);

/* The next of a run of options, or of the sub-options of 43 (RFC 2132, 8.4) and 175:
 * code, length, value; 0 pads and 255 ends. False at the end, and then `r->failed`
 * says whether the last one was cut short. */
bool dhcp_option_next(struct bytes_reader *r, uint8_t *code, struct bytes *value);

/* The same for option 82, which has neither pads nor an end (RFC 3046, 2.0). */
bool dhcp_relay_next(struct bytes_reader *r, uint8_t *code, struct bytes *value);

/* The first sub-option of that code in 43 or 175, or in 82; false when there is none. */
bool dhcp_suboption(struct bytes option, uint8_t code, struct bytes *value);
bool dhcp_relay_suboption(struct bytes option, uint8_t code, struct bytes *value);

/* The fixed fields and the magic cookie: DHCP_HEADER_LEN bytes. */
void dhcp_put_header(struct bytes_writer *w, const struct dhcp_header *header);

/* One option; a value of over 255 bytes goes out in parts (RFC 3396). */
void dhcp_put_option(struct bytes_writer *w, uint8_t code, const void *data, size_t len);

/* What dhcp_put_option writes for a value of `len` bytes. */
size_t dhcp_option_size(size_t len);

#endif
