/* What a machine asked, whatever protocol it spoke: the struct that the servers
 * fill and the policy reads.
 *
 * Views (`struct bytes`, `const char *`) point into the server's buffers and live
 * for as long as the call that takes the request. Text comes from the wire: its
 * bytes are any bytes. */
#ifndef MOONBOOT_REQUEST_H
#define MOONBOOT_REQUEST_H

#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "addr.h"
#include "bytes.h"

enum request_protocol { REQUEST_DHCP, REQUEST_TFTP, REQUEST_HTTP, REQUEST_CONTROL };

enum request_dhcp_message { REQUEST_DISCOVER, REQUEST_REQUEST, REQUEST_INFORM };

#define REQUEST_NO_ARCH (-1)

struct request_dhcp {
    enum request_dhcp_message message;
    bool boot_server_port; /* came to port 4011, not 67 */
    bool has_mac;
    bool has_uuid;      /* option 97 of type 0, and not a filler value */
    bool has_boot_item; /* option 43.71 */
    uint8_t mac[ADDR_MAC_LEN];
    uint8_t uuid[ADDR_UUID_LEN]; /* wire order */
    int arch;                    /* option 93, the first listed; or REQUEST_NO_ARCH */
    uint16_t boot_item_type;     /* option 43.71 */
    uint16_t boot_item_layer;
    struct in_addr ciaddr;     /* 0.0.0.0: none */
    struct in_addr giaddr;     /* 0.0.0.0: not relayed */
    struct in_addr server_id;  /* option 54; 0.0.0.0: none */
    struct bytes vendor_class; /* option 60 */
    struct bytes user_class;   /* option 77: the first class, raw or RFC 3004 form */
    struct bytes hostname;     /* option 12 */
    struct bytes circuit_id;   /* option 82.1 */
    struct bytes remote_id;    /* option 82.2 */
    bool is_ipxe;              /* by option 77, or an option 175 of iPXE's form */
    struct bytes ipxe;         /* option 175, whole: encapsulated sub-options */
    uint8_t wanted[32];        /* option 55 as a bitmap: bit N = option N asked for */
};

struct request_tftp {
    const char *file; /* as the client wrote it */
};

/* What a client told by its handshake; "" where it did not. */
struct request_tls {
    const char *version; /* "TLSv1.3" */
    const char *subject; /* of its certificate, which was verified: "CN=node1,O=lab" */
    const char *name;    /* the common name of that */
    const char *fingerprint;
};

struct request_http {
    const char *method;     /* "GET", "HEAD", "POST" */
    const char *path;       /* percent-decoded, "/" first, NUL-free */
    const char *query;      /* as sent, after "?"; NULL: none */
    const char *host;       /* the Host field; NULL: none (HTTP/1.0) */
    const char *user_agent; /* NULL: none */
    struct bytes body;
    const struct request_tls *tls; /* NULL: in the clear */
    bool admin;                    /* he may see what the service knows */
};

/* A command on the control socket: who may open that may ask. */
struct request_control {
    const char *command;   /* its name */
    const char *arguments; /* what follows it; "" when nothing does */
};

struct request {
    enum request_protocol protocol;
    struct in_addr client;       /* the machine's address; 0.0.0.0: it has none */
    struct in_addr server;       /* the address of ours that it reached */
    char interface[IF_NAMESIZE]; /* where it came in; "": not known */
    union {
        struct request_dhcp dhcp;
        struct request_tftp tftp;
        struct request_http http;
        struct request_control control;
    };
};

static inline bool request_wants(const struct request_dhcp *dhcp, uint8_t option)
{
    return (dhcp->wanted[option / 8] >> (option % 8)) & 1;
}

#endif
