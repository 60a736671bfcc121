#include "dhcp_map.h"

#include <arpa/inet.h>
#include <string.h>

#include "addr.h"

#define SUB_CIRCUIT_ID 1 /* of 82: RFC 3046, 3.1 and 3.2 */
#define SUB_REMOTE_ID  2
#define SUB_BOOT_ITEM  71  /* of 43: PXE 2.1, table 2-1 */
#define SUB_BUS_ID     177 /* of 175, as iPXE sends it */
#define SUB_VERSION    235

#define LAYER_CREDENTIALS 0x8000 /* of a boot item: a signed one is asked for (BIS) */

#define HEADERS    (20 + 8) /* IP and UDP */
#define SIZE_MIN   576      /* RFC 2132, 9.10 */
#define VENDOR_MAX 255
#define FILE_MAX   127 /* of the header's field, its NUL apart */

/* RFC 2132, 2: text may come with NULs at its end, which are not part of it. */
static struct bytes text(struct bytes option)
{
    while (option.len > 0 && option.data[option.len - 1] == '\0')
        option.len--;
    return option;
}

static bool equals(struct bytes a, const char *b)
{
    return a.len == strlen(b) && (a.len == 0 || !memcmp(a.data, b, a.len));
}

static bool starts(struct bytes a, const char *prefix)
{
    size_t n = strlen(prefix);
    return a.len >= n && !memcmp(a.data, prefix, n);
}

/* The next class of an option 77 in the form of RFC 3004, 4. */
static bool next_class(struct bytes_reader *r, struct bytes *class)
{
    if (bytes_left(r) == 0)
        return false;
    class->len = bytes_u8(r);
    class->data = bytes_take(r, class->len);
    if (class->len == 0)
        r->failed = true;
    return !r->failed;
}

/* Whether option 77 keeps to RFC 3004. iPXE and others send bare text; some put a
 * length before it that is wrong. */
static bool class_list(struct bytes option)
{
    struct bytes_reader r = bytes_reader(option.data, option.len);
    struct bytes class;
    while (next_class(&r, &class))
        ;
    return option.len > 0 && !r.failed;
}

static struct bytes first_class(struct bytes option)
{
    struct bytes_reader r = bytes_reader(option.data, option.len);
    struct bytes class;
    if (class_list(option) && next_class(&r, &class))
        return text(class);
    if (option.len > 0 && option.data[0] < ' ')
        option = (struct bytes){option.data + 1, option.len - 1};
    return text(option);
}

static bool has_class(struct bytes option, const char *name)
{
    struct bytes_reader r = bytes_reader(option.data, option.len);
    struct bytes class;
    if (!class_list(option))
        return equals(first_class(option), name);
    while (next_class(&r, &class)) {
        if (equals(text(class), name))
            return true;
    }
    return false;
}

/* iPXE's option 175 is well-formed, and tells its version or its network card. */
static bool ipxe_form(struct bytes option)
{
    struct bytes_reader r = bytes_reader(option.data, option.len);
    struct bytes value;
    uint8_t code;
    bool known = false;
    while (dhcp_option_next(&r, &code, &value))
        known |= (code == SUB_BUS_ID && value.len == 5) || (code == SUB_VERSION && value.len == 3);
    return known && !r.failed;
}

/* gPXE, iPXE's ancestor, has the same option 175, but runs other scripts. */
static bool is_ipxe(const struct dhcp_packet *packet)
{
    struct bytes classes = packet->options[DHCP_OPT_USER_CLASS];
    return has_class(classes, "iPXE") ||
           (ipxe_form(packet->options[DHCP_OPT_IPXE]) && !has_class(classes, "gPXE"));
}

static void map_identity(const struct dhcp_packet *packet, struct request_dhcp *dhcp)
{
    struct bytes uuid = packet->options[DHCP_OPT_UUID];
    struct bytes arch = packet->options[DHCP_OPT_ARCH];

    dhcp->has_mac = packet->header.htype == DHCP_HTYPE_ETHERNET;
    if (dhcp->has_mac)
        memcpy(dhcp->mac, packet->header.chaddr, ADDR_MAC_LEN);
    if (uuid.len == 1 + ADDR_UUID_LEN && uuid.data[0] == 0) {
        memcpy(dhcp->uuid, uuid.data + 1, ADDR_UUID_LEN);
        dhcp->has_uuid = !addr_uuid_absent(dhcp->uuid);
    }
    /* RFC 4578, 2.1: a list of 16-bit types, the one preferred first. */
    dhcp->arch = REQUEST_NO_ARCH;
    if (arch.len >= 2 && arch.len % 2 == 0)
        dhcp->arch = arch.data[0] << 8 | arch.data[1];
    dhcp->vendor_class = text(packet->options[DHCP_OPT_VENDOR_CLASS]);
    dhcp->user_class = first_class(packet->options[DHCP_OPT_USER_CLASS]);
    dhcp->hostname = text(packet->options[DHCP_OPT_HOSTNAME]);
    dhcp->ipxe = packet->options[DHCP_OPT_IPXE];
    dhcp->is_ipxe = is_ipxe(packet);
}

static void map_boot_item(struct bytes vendor, struct request_dhcp *dhcp)
{
    struct bytes item;
    if (!dhcp_suboption(vendor, SUB_BOOT_ITEM, &item) || item.len != 4)
        return;
    dhcp->has_boot_item = true;
    dhcp->boot_item_type = (uint16_t)(item.data[0] << 8 | item.data[1]);
    dhcp->boot_item_layer = (uint16_t)(item.data[2] << 8 | item.data[3]);
}

static void map_rest(const struct dhcp_packet *packet, struct request_dhcp *dhcp)
{
    struct bytes relay = packet->options[DHCP_OPT_RELAY];
    struct bytes wanted = packet->options[DHCP_OPT_WANTED];

    dhcp->ciaddr = packet->header.ciaddr;
    dhcp->giaddr = packet->header.giaddr;
    dhcp->server_id = dhcp_option_ip(packet, DHCP_OPT_SERVER_ID);
    dhcp_relay_suboption(relay, SUB_CIRCUIT_ID, &dhcp->circuit_id);
    dhcp_relay_suboption(relay, SUB_REMOTE_ID, &dhcp->remote_id);
    for (size_t i = 0; i < wanted.len; i++)
        dhcp->wanted[wanted.data[i] / 8] |= (uint8_t)(1 << wanted.data[i] % 8);
}

static const char *not_for_us(const struct request_dhcp *dhcp, struct in_addr server)
{
    if (dhcp->has_boot_item && dhcp->boot_item_layer & LAYER_CREDENTIALS)
        return "a boot item with credentials (BIS)";
    if (dhcp->message == REQUEST_DISCOVER)
        return dhcp->boot_server_port ? "a DISCOVER on the boot server's port" : NULL;
    if (dhcp->server_id.s_addr && dhcp->server_id.s_addr != server.s_addr)
        return "meant for another server";
    if (dhcp->boot_server_port)
        return dhcp->ciaddr.s_addr ? NULL : "without an address";
    return dhcp->has_boot_item ? NULL : "without a boot item";
}

const char *dhcp_map_request(const struct dhcp_packet *packet,
                             const struct dhcp_map_arrival *arrival, struct request *request)
{
    const struct dhcp_header *h = &packet->header;
    struct request_dhcp *dhcp = &request->dhcp;

    if (h->op != DHCP_BOOTREQUEST)
        return "a reply";
    *request = (struct request){
        .protocol = REQUEST_DHCP,
        .client = h->giaddr.s_addr ? h->ciaddr : arrival->sender.sin_addr,
        .server = arrival->server,
        .dhcp = {.boot_server_port = arrival->boot_server_port},
    };
    memcpy(request->interface, arrival->interface, sizeof request->interface);
    switch (dhcp_message(packet)) {
    case DHCP_DISCOVER:
        dhcp->message = REQUEST_DISCOVER;
        break;
    case DHCP_REQUEST:
        dhcp->message = REQUEST_REQUEST;
        break;
    case DHCP_INFORM:
        dhcp->message = REQUEST_INFORM;
        break;
    default:
        return "not a DISCOVER, REQUEST or INFORM";
    }
    map_identity(packet, dhcp);
    map_boot_item(packet->options[DHCP_OPT_VENDOR], dhcp);
    map_rest(packet, dhcp);
    return not_for_us(dhcp, arrival->server);
}

bool dhcp_map_option_allowed(uint8_t code)
{
    switch (code) {
    case DHCP_OPT_PAD:
    case DHCP_OPT_ADDRESS:
    case DHCP_OPT_LEASE:
    case DHCP_OPT_OVERLOAD:
    case DHCP_OPT_MESSAGE:
    case DHCP_OPT_SERVER_ID:
    case DHCP_OPT_WANTED:
    case DHCP_OPT_MAX_SIZE:
    case DHCP_OPT_RENEWAL:
    case DHCP_OPT_REBINDING:
    case DHCP_OPT_VENDOR_CLASS:
    case DHCP_OPT_CLIENT_ID:
    case DHCP_OPT_USER_CLASS:
    case DHCP_OPT_RELAY:
    case DHCP_OPT_ARCH:
    case DHCP_OPT_UNDI:
    case DHCP_OPT_UUID:
    case DHCP_OPT_END:
        return false;
    default:
        return true;
    }
}

/* What may still be written, and which options already are. */
struct builder {
    struct bytes_writer w;
    uint8_t written[32];
};

static void put(struct builder *b, uint8_t code, const void *data, size_t len)
{
    b->written[code / 8] |= (uint8_t)(1 << code % 8);
    dhcp_put_option(&b->w, code, data, len);
}

static void put_if_room(struct builder *b, uint8_t code, const void *data, size_t len)
{
    bool written = b->written[code / 8] >> code % 8 & 1;
    if (!written && dhcp_option_size(len) <= (size_t)(b->w.end - b->w.at))
        put(b, code, data, len);
}

static const struct reply_option *reply_option(const struct reply_dhcp *reply, uint8_t code)
{
    for (size_t i = 0; i < reply->n_options; i++) {
        if (reply->options[i].code == code)
            return &reply->options[i];
    }
    return NULL;
}

/* What option 67 says when it is sent. */
static struct bytes boot_file(const struct reply_dhcp *reply)
{
    const struct reply_option *own = reply_option(reply, DHCP_OPT_BOOT_FILE);
    if (own)
        return (struct bytes){own->data, own->len};
    return (struct bytes){(const uint8_t *)reply->file, reply->file ? strlen(reply->file) : 0};
}

/* The sub-options that the reply gives, with the client's boot item in place of any
 * such among them; its length, 0 when there is no room. */
static size_t add_boot_item(const struct request_dhcp *dhcp, struct bytes given,
                            uint8_t out[VENDOR_MAX])
{
    struct bytes_reader r = bytes_reader(given.data, given.len);
    struct bytes_writer w = bytes_writer(out, VENDOR_MAX);
    struct bytes value;
    uint8_t code;
    while (dhcp_option_next(&r, &code, &value)) {
        if (code != SUB_BOOT_ITEM)
            dhcp_put_option(&w, code, value.data, value.len);
    }
    bytes_put_u8(&w, SUB_BOOT_ITEM);
    bytes_put_u8(&w, 4);
    bytes_put_u16(&w, dhcp->boot_item_type);
    bytes_put_u16(&w, dhcp->boot_item_layer);
    bytes_put_u8(&w, DHCP_OPT_END);
    return w.failed ? 0 : bytes_written(&w);
}

/* An ACK without its boot item is dropped, so it is not sent without: the reply's own
 * sub-options make room for it. */
static void put_vendor_options(struct builder *b, const struct request_dhcp *dhcp,
                               const struct reply_dhcp *reply)
{
    const struct reply_option *option = reply_option(reply, DHCP_OPT_VENDOR);
    struct bytes given = {NULL, 0};
    uint8_t merged[VENDOR_MAX];

    if (starts(dhcp->vendor_class, "HTTPClient"))
        return;
    if (option && option->len <= VENDOR_MAX)
        given = (struct bytes){option->data, option->len};
    if (dhcp->has_boot_item && dhcp->message != REQUEST_DISCOVER) {
        size_t len = add_boot_item(dhcp, given, merged);
        if (len == 0 || dhcp_option_size(len) > (size_t)(b->w.end - b->w.at))
            len = add_boot_item(dhcp, (struct bytes){NULL, 0}, merged);
        put(b, DHCP_OPT_VENDOR, merged, len);
        return;
    }
    if (given.len > 0)
        put_if_room(b, DHCP_OPT_VENDOR, given.data, given.len);
}

/* What every answer holds: without it firmware drops the packet, so it is not sent
 * without. A file that the header has no room for is such. */
static void put_required(struct builder *b, const struct dhcp_packet *packet,
                         const struct request *request, const struct reply_dhcp *reply)
{
    bool offer = request->dhcp.message == REQUEST_DISCOVER;
    struct bytes uuid = packet->options[DHCP_OPT_UUID];
    struct bytes file = boot_file(reply);

    put(b, DHCP_OPT_MESSAGE, &(uint8_t){offer ? DHCP_OFFER : DHCP_ACK}, 1);
    put(b, DHCP_OPT_SERVER_ID, &request->server, sizeof request->server);
    if (reply->vendor_class && *reply->vendor_class)
        put(b, DHCP_OPT_VENDOR_CLASS, reply->vendor_class, strlen(reply->vendor_class));
    if (uuid.data)
        put(b, DHCP_OPT_UUID, uuid.data, uuid.len);
    if (reply->file && strlen(reply->file) > FILE_MAX)
        put(b, DHCP_OPT_BOOT_FILE, file.data, file.len);
}

static void put_optional(struct builder *b, const struct request *request,
                         const struct reply_dhcp *reply, const char *sname)
{
    const struct request_dhcp *dhcp = &request->dhcp;
    struct bytes file = boot_file(reply);

    put_vendor_options(b, dhcp, reply);
    if (file.len > 0 && request_wants(dhcp, DHCP_OPT_BOOT_FILE))
        put_if_room(b, DHCP_OPT_BOOT_FILE, file.data, file.len);
    for (size_t i = 0; i < reply->n_options; i++) {
        const struct reply_option *option = &reply->options[i];
        if (option->code != DHCP_OPT_VENDOR && dhcp_map_option_allowed(option->code))
            put_if_room(b, option->code, option->data, option->len);
    }
    if (request_wants(dhcp, DHCP_OPT_TFTP_SERVER))
        put_if_room(b, DHCP_OPT_TFTP_SERVER, sname, strlen(sname));
}

/* RFC 2132, 9.10. EDK2 sends 65280 for 255 by a slip; nobody takes more than the MTU. */
static size_t size_limit(const struct dhcp_packet *packet)
{
    struct bytes option = packet->options[DHCP_OPT_MAX_SIZE];
    size_t size = option.len == 2 ? (size_t)(option.data[0] << 8 | option.data[1]) : SIZE_MIN;
    if (size < SIZE_MIN)
        size = SIZE_MIN;
    if (size > DHCP_MAP_REPLY_MAX + HEADERS)
        size = DHCP_MAP_REPLY_MAX + HEADERS;
    return size - HEADERS;
}

static struct dhcp_header reply_header(const struct dhcp_header *asked, bool offer,
                                       const struct reply_dhcp *reply, struct in_addr server,
                                       const char *sname)
{
    struct dhcp_header h = {
        .op = DHCP_BOOTREPLY,
        .htype = asked->htype,
        .hlen = asked->hlen,
        .xid = asked->xid,
        .flags = asked->flags | (asked->ciaddr.s_addr ? 0 : DHCP_BROADCAST),
        .ciaddr = offer ? (struct in_addr){INADDR_ANY} : asked->ciaddr,
        .siaddr = server,
        .giaddr = asked->giaddr,
    };
    memcpy(h.chaddr, asked->chaddr, sizeof h.chaddr);
    memcpy(h.sname, sname, strlen(sname));
    if (reply->file && strlen(reply->file) <= FILE_MAX)
        memcpy(h.file, reply->file, strlen(reply->file));
    return h;
}

size_t dhcp_map_reply(const struct dhcp_packet *packet, const struct request *request,
                      const struct reply_dhcp *reply, void *out, size_t capacity)
{
    bool offer = request->dhcp.message == REQUEST_DISCOVER;
    struct in_addr server = reply->server.s_addr ? reply->server : request->server;
    struct bytes relay = packet->options[DHCP_OPT_RELAY];
    size_t tail = 1 + (relay.data ? dhcp_option_size(relay.len) : 0);
    size_t limit = size_limit(packet);
    char sname[INET_ADDRSTRLEN];

    if (capacity < limit)
        limit = capacity;
    if (!request->server.s_addr || limit < DHCP_HEADER_LEN + tail)
        return 0;
    addr_ip_text(server, sname);
    struct dhcp_header h = reply_header(&packet->header, offer, reply, server, sname);
    struct builder b = {.w = bytes_writer(out, limit - tail)};
    dhcp_put_header(&b.w, &h);
    put_required(&b, packet, request, reply);
    if (b.w.failed)
        return 0;
    put_optional(&b, request, reply, sname);

    b.w.end += tail; /* kept free until here: option 82 comes last (RFC 3046, 2.1) */
    if (relay.data)
        dhcp_put_option(&b.w, DHCP_OPT_RELAY, relay.data, relay.len);
    bytes_put_u8(&b.w, DHCP_OPT_END);
    if (bytes_written(&b.w) < DHCP_MAP_REPLY_MIN)
        bytes_put_zeros(&b.w, DHCP_MAP_REPLY_MIN - bytes_written(&b.w));
    return b.w.failed ? 0 : bytes_written(&b.w);
}

struct sockaddr_in dhcp_map_destination(const struct dhcp_packet *packet,
                                        const struct dhcp_map_arrival *arrival,
                                        uint16_t client_port)
{
    const struct dhcp_header *h = &packet->header;
    struct sockaddr_in to = arrival->sender;
    bool has_address = to.sin_addr.s_addr != INADDR_ANY;

    if (arrival->boot_server_port && has_address)
        return to;
    if (!arrival->boot_server_port && h->giaddr.s_addr)
        return (struct sockaddr_in){
            .sin_family = AF_INET, .sin_port = htons(DHCP_MAP_RELAY_PORT), .sin_addr = h->giaddr};
    if (h->ciaddr.s_addr && has_address)
        return to;
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons(client_port),
                                .sin_addr = {htonl(INADDR_BROADCAST)}};
}
