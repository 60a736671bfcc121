#include "dhcp.h"

#include <string.h>

#define MAGIC_COOKIE    0x63825363 /* RFC 2131, 3 */
#define OPTION_MAX      255
#define OVERLOAD_FILE   1
#define OVERLOAD_SNAME  2
#define N_OPTION_FIELDS 3 /* options, file, sname: in the order of RFC 3396, 5 */

static struct in_addr read_ip(struct bytes_reader *r)
{
    return (struct in_addr){htonl(bytes_u32(r))};
}

static void read_into(struct bytes_reader *r, uint8_t *out, size_t len)
{
    const uint8_t *data = bytes_take(r, len);
    if (data)
        memcpy(out, data, len);
    else
        memset(out, 0, len);
}

static bool read_header(struct bytes_reader *r, struct dhcp_header *h)
{
    h->op = bytes_u8(r);
    h->htype = bytes_u8(r);
    h->hlen = bytes_u8(r);
    h->hops = bytes_u8(r);
    h->xid = bytes_u32(r);
    h->secs = bytes_u16(r);
    h->flags = bytes_u16(r);
    h->ciaddr = read_ip(r);
    h->yiaddr = read_ip(r);
    h->siaddr = read_ip(r);
    h->giaddr = read_ip(r);
    read_into(r, h->chaddr, sizeof h->chaddr);
    read_into(r, h->sname, sizeof h->sname);
    read_into(r, h->file, sizeof h->file);
    uint32_t cookie = bytes_u32(r);
    return !r->failed && cookie == MAGIC_COOKIE &&
           (h->op == DHCP_BOOTREQUEST || h->op == DHCP_BOOTREPLY) && h->hlen <= sizeof h->chaddr &&
           (h->htype != DHCP_HTYPE_ETHERNET || h->hlen == 6);
}

static bool next(struct bytes_reader *r, bool framed, uint8_t *code, struct bytes *value)
{
    do {
        if (bytes_left(r) == 0)
            return false;
        *code = bytes_u8(r);
    } while (framed && *code == DHCP_OPT_PAD);
    if (framed && *code == DHCP_OPT_END)
        return false;
    value->len = bytes_u8(r);
    value->data = bytes_take(r, value->len);
    return value->data != NULL;
}

bool dhcp_option_next(struct bytes_reader *r, uint8_t *code, struct bytes *value)
{
    return next(r, true, code, value);
}

bool dhcp_relay_next(struct bytes_reader *r, uint8_t *code, struct bytes *value)
{
    return next(r, false, code, value);
}

static bool find(struct bytes option, bool framed, uint8_t code, struct bytes *value)
{
    struct bytes_reader r = bytes_reader(option.data, option.len);
    uint8_t found;
    while (next(&r, framed, &found, value)) {
        if (found == code)
            return true;
    }
    *value = (struct bytes){NULL, 0};
    return false;
}

bool dhcp_suboption(struct bytes option, uint8_t code, struct bytes *value)
{
    return find(option, true, code, value);
}

bool dhcp_relay_suboption(struct bytes option, uint8_t code, struct bytes *value)
{
    return find(option, false, code, value);
}

/* Notes each option of a field; one that was seen before grows by the new part's
 * length and is marked, for join_parts to copy. */
static bool note_options(struct bytes field, struct dhcp_packet *packet, bool parted[256])
{
    struct bytes_reader r = bytes_reader(field.data, field.len);
    struct bytes value;
    uint8_t code;
    while (dhcp_option_next(&r, &code, &value)) {
        if (!dhcp_has(packet, code)) {
            packet->options[code] = value;
        } else {
            packet->options[code].len += value.len;
            parted[code] = true;
        }
    }
    return !r.failed;
}

/* Lays the marked options out in the scratch buffer, which holds any: all options of a
 * datagram are together no longer than the datagram. */
static void join_parts(const struct bytes *fields, struct dhcp_packet *packet,
                       const bool parted[256])
{
    size_t ends[256];
    size_t used = 0;
    for (unsigned code = 0; code < 256; code++) {
        if (!parted[code])
            continue;
        packet->options[code].data = packet->scratch + used;
        ends[code] = used;
        used += packet->options[code].len;
    }
    for (size_t i = 0; used > 0 && i < N_OPTION_FIELDS; i++) {
        struct bytes_reader r = bytes_reader(fields[i].data, fields[i].len);
        struct bytes value;
        uint8_t code;
        while (dhcp_option_next(&r, &code, &value)) {
            if (!parted[code])
                continue;
            memcpy(packet->scratch + ends[code], value.data, value.len);
            ends[code] += value.len;
        }
    }
}

bool dhcp_parse(const void *data, size_t len, struct dhcp_packet *packet)
{
    struct bytes_reader r = bytes_reader(data, len);
    struct dhcp_header *h = &packet->header;
    if (len > DHCP_MAX_LEN || !read_header(&r, h))
        return false;

    bool parted[256] = {false};
    struct bytes fields[N_OPTION_FIELDS] = {{r.at, bytes_left(&r)}, {NULL, 0}, {NULL, 0}};
    memset(packet->options, 0, sizeof packet->options);
    if (!note_options(fields[0], packet, parted))
        return false;

    struct bytes overload = packet->options[DHCP_OPT_OVERLOAD];
    if (overload.len == 1 && overload.data[0] & OVERLOAD_FILE)
        fields[1] = (struct bytes){h->file, sizeof h->file};
    if (overload.len == 1 && overload.data[0] & OVERLOAD_SNAME)
        fields[2] = (struct bytes){h->sname, sizeof h->sname};
    if (!note_options(fields[1], packet, parted) || !note_options(fields[2], packet, parted))
        return false;
    join_parts(fields, packet, parted);
    return true;
}

uint8_t dhcp_message(const struct dhcp_packet *packet)
{
    struct bytes message = packet->options[DHCP_OPT_MESSAGE];
    return message.len == 1 ? message.data[0] : 0;
}

struct in_addr dhcp_option_ip(const struct dhcp_packet *packet, uint8_t code)
{
    struct in_addr ip = {INADDR_ANY};
    if (packet->options[code].len == sizeof ip)
        memcpy(&ip, packet->options[code].data, sizeof ip);
    return ip;
}

void dhcp_put_header(struct bytes_writer *w, const struct dhcp_header *h)
{
    bytes_put_u8(w, h->op);
    bytes_put_u8(w, h->htype);
    bytes_put_u8(w, h->hlen);
    bytes_put_u8(w, h->hops);
    bytes_put_u32(w, h->xid);
    bytes_put_u16(w, h->secs);
    bytes_put_u16(w, h->flags);
    bytes_put(w, &h->ciaddr, sizeof h->ciaddr);
    bytes_put(w, &h->yiaddr, sizeof h->yiaddr);
    bytes_put(w, &h->siaddr, sizeof h->siaddr);
    bytes_put(w, &h->giaddr, sizeof h->giaddr);
    bytes_put(w, h->chaddr, sizeof h->chaddr);
    bytes_put(w, h->sname, sizeof h->sname);
    bytes_put(w, h->file, sizeof h->file);
    bytes_put_u32(w, MAGIC_COOKIE);
}

void dhcp_put_option(struct bytes_writer *w, uint8_t code, const void *data, size_t len)
{
    const uint8_t *from = data;
    do {
        size_t part = len < OPTION_MAX ? len : OPTION_MAX;
        bytes_put_u8(w, code);
        bytes_put_u8(w, (uint8_t)part);
        bytes_put(w, from, part);
        len -= part;
        if (len > 0)
            from += part;
    } while (len > 0);
}

size_t dhcp_option_size(size_t len)
{
    size_t parts = len ? (len + OPTION_MAX - 1) / OPTION_MAX : 1;
    return len + 2 * parts;
}
