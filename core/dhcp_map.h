/* Between a DHCP packet and what policy sees of it: which messages a boot server
 * answers, what they ask, what the answer holds and where it goes (PXE 2.1, RFC 4578,
 * RFC 3046, RFC 3004).
 *
 * Only what is impossible is turned away here. Whether a vendor class is served, and
 * whether a client must tell its architecture, is for the policy side. */
#ifndef MOONBOOT_DHCP_MAP_H
#define MOONBOOT_DHCP_MAP_H

#include "dhcp.h"
#include "reply.h"
#include "request.h"

#define DHCP_MAP_RELAY_PORT 67
#define DHCP_MAP_REPLY_MAX  1472 /* an Ethernet MTU less the IP and UDP headers */
#define DHCP_MAP_REPLY_MIN  300  /* RFC 1542, 2.1: some drop what is shorter */

/* How a datagram came in. */
struct dhcp_map_arrival {
    struct sockaddr_in sender;
    struct in_addr server;       /* what this host calls itself there: option 54 */
    bool boot_server_port;       /* 4011, or what stands for it; else 67 */
    char interface[IF_NAMESIZE]; /* "": not known */
};

/* Fills `request`, with views into `packet`. NULL, or why the message is not for a
 * boot server to answer (a phrase for a debug log, `request` being undefined). These
 * are for us: DISCOVER on port 67; REQUEST and INFORM on port 67 with a boot item
 * (43.71: boot-server discovery), and on port 4011 with an address (ciaddr). Not when
 * they name another server (54) or want a signed boot item (BIS).
 *
 * request->client is the sender's address, but ciaddr when the sender is a relay. */
const char *dhcp_map_request(const struct dhcp_packet *packet,
                             const struct dhcp_map_arrival *arrival, struct request *request);

/* Whether a reply may carry that option. It may not when the codec itself owns it
 * (pads, 52-54, 57, 60, 82, 97), when only clients send it (50, 55, 61, 77, 93, 94), or
 * when it would grant a lease (51, 58, 59), which is another server's affair. Options 66
 * and 67 are filled in when asked for; a reply's own take their place. */
bool dhcp_map_option_allowed(uint8_t code);

/* Writes the OFFER or ACK; its length, or 0 when no sound answer can be made: there is
 * no server address, or what every answer must hold does not fit.
 *
 * The size is the client's limit (option 57; taken as 576 when missing or below, and
 * capped at the MTU), which counts the IP and UDP headers. When it is short, options are
 * left out, in this order: 66, the reply's options from the last to the first (those that
 * do fit stay), 67 if the file stands in the header too, 43. An option 43 that is empty,
 * over 255 bytes, or for an HTTPClient, is never sent; where the client named a boot item
 * it is sent with that item added. */
size_t dhcp_map_reply(const struct dhcp_packet *packet, const struct request *request,
                      const struct reply_dhcp *reply, void *out, size_t capacity);

/* Where the answer goes. From port 4011 to the sender; from port 67 to the relay (giaddr,
 * port 67), else to the sender when it has an address (ciaddr), else to 255.255.255.255
 * and `client_port` on the interface that the request came in on. */
struct sockaddr_in dhcp_map_destination(const struct dhcp_packet *packet,
                                        const struct dhcp_map_arrival *arrival,
                                        uint16_t client_port);

#endif
