#include "capture.h"

#include <net/ethernet.h>
#include <pcap/pcap.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "capture_stream.h"

#define VLAN_TAGS 4 /* one in another, at most */
#define SYN       0x02
#define RST       0x04

struct capture {
    pcap_t *pcap;
    int link;
    struct capture_options options;
    struct capture_counts counts;
    struct capture_streams *streams;
    struct capture_stream *stream;  /* may have more than was taken of it; NULL: none */
    struct capture_message message; /* what the requests of `stream` have in common */
};

static bool is_readable(int link)
{
    return link == DLT_EN10MB || link == DLT_LINUX_SLL || link == DLT_LINUX_SLL2 ||
           link == DLT_RAW || link == DLT_IPV4;
}

static struct capture *open_pcap(pcap_t *pcap, const struct capture_options *options,
                                 char error[CAPTURE_ERROR])
{
    struct capture *c = calloc(1, sizeof *c);
    struct capture_streams *streams = c ? capture_streams_alloc() : NULL;
    if (!streams) {
        snprintf(error, CAPTURE_ERROR, "no memory to read it");
        goto fail;
    }
    c->pcap = pcap;
    c->options = *options;
    c->streams = streams;
    c->link = pcap_datalink(pcap);
    if (is_readable(c->link))
        return c;
    const char *name = pcap_datalink_val_to_name(c->link);
    snprintf(error, CAPTURE_ERROR,
             "it is of link type %s (%d), expected Ethernet, Linux cooked or raw IP",
             name ? name : "unknown", c->link);
fail:
    capture_streams_free(streams);
    free(c);
    pcap_close(pcap);
    return NULL;
}

struct capture *capture_open(const char *path, const struct capture_options *options,
                             char error[CAPTURE_ERROR])
{
    char message[PCAP_ERRBUF_SIZE] = "";
    pcap_t *pcap = pcap_open_offline(path, message);
    if (pcap)
        return open_pcap(pcap, options, error);
    size_t len = strlen(path); /* libpcap names the file in some messages */
    bool named = !strncmp(message, path, len) && !strncmp(message + len, ": ", 2);
    snprintf(error, CAPTURE_ERROR, "%s", named ? message + len + 2 : message);
    return NULL;
}

struct capture *capture_open_file(FILE *file, const struct capture_options *options,
                                  char error[CAPTURE_ERROR])
{
    char message[PCAP_ERRBUF_SIZE] = "";
    pcap_t *pcap = pcap_fopen_offline(file, message);
    if (pcap)
        return open_pcap(pcap, options, error);
    snprintf(error, CAPTURE_ERROR, "%s", message);
    fclose(file);
    return NULL;
}

void capture_close(struct capture *c)
{
    if (!c)
        return;
    capture_streams_free(c->streams);
    pcap_close(c->pcap);
    free(c);
}

const char *capture_problem(const struct capture *c)
{
    return pcap_geterr(c->pcap);
}

const struct capture_counts *capture_counts(const struct capture *c)
{
    return &c->counts;
}

/* Past the link layer's header, VLAN tags included; the EtherType. */
static uint16_t link_header(int link, struct bytes_reader *r, struct capture_message *m)
{
    uint16_t type = ETHERTYPE_IP;
    const uint8_t *sender;
    switch (link) {
    case DLT_EN10MB:
        bytes_take(r, 6);
        sender = bytes_take(r, 6);
        if (sender)
            memcpy(m->ethernet, sender, sizeof m->ethernet);
        m->has_ethernet = sender != NULL;
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
    default: /* raw: the version is in the header itself */
        break;
    }
    for (int tags = 0; tags < VLAN_TAGS && (type == ETHERTYPE_VLAN || type == 0x88a8); tags++) {
        bytes_take(r, 2);
        type = bytes_u16(r);
    }
    return type;
}

struct ip_header {
    uint8_t protocol;
    size_t payload; /* bytes, as sent */
};

/* Past the IPv4 header; what follows the datagram's end is taken off. NULL, or the count that
 * the frame belongs to. */
static uint64_t *ip_header(struct capture *c, struct bytes_reader *r, struct capture_message *m,
                           struct ip_header *ip)
{
    uint8_t first = bytes_u8(r);
    size_t header = (size_t)(first & 0x0f) * 4;
    if (first >> 4 == 6)
        return &c->counts.other;
    bytes_u8(r);
    size_t total = bytes_u16(r);
    bytes_u16(r);
    uint16_t fragment = bytes_u16(r);
    bytes_u8(r);
    ip->protocol = bytes_u8(r);
    bytes_u16(r);
    m->from = m->to = (struct sockaddr_in){.sin_family = AF_INET};
    m->from.sin_addr.s_addr = htonl(bytes_u32(r));
    m->to.sin_addr.s_addr = htonl(bytes_u32(r));
    if (total == 0) /* left to the network card (TSO) when it was captured */
        total = 20 + bytes_left(r);
    if (r->failed || first >> 4 != 4 || header < 20 || total < header)
        return &c->counts.malformed;
    if (fragment & 0x3fff) /* more to come, or not the first */
        return &c->counts.fragments;
    bytes_take(r, header - 20);
    ip->payload = total - header;
    if (bytes_left(r) > ip->payload) /* Ethernet pads short frames */
        r->end = r->at + ip->payload;
    return r->failed ? &c->counts.malformed : NULL;
}

static uint64_t *datagram(struct capture *c, struct bytes_reader *r, struct capture_message *m,
                          const struct ip_header *ip)
{
    m->from.sin_port = htons(bytes_u16(r));
    m->to.sin_port = htons(bytes_u16(r));
    size_t len = bytes_u16(r);
    bytes_u16(r);
    if (r->failed || len < 8 || len > ip->payload)
        return &c->counts.malformed;
    m->tcp = false;
    m->cut = bytes_left(r) < len - 8;
    m->len = m->cut ? bytes_left(r) : len - 8;
    m->data = bytes_take(r, m->len);
    return NULL;
}

static bool is_http(const struct capture *c, uint16_t port)
{
    for (size_t i = 0; i < c->options.n_http_ports; i++) {
        if (c->options.http_ports[i] == port)
            return true;
    }
    return false;
}

static bool begins_request(const uint8_t *data, size_t len)
{
    static const char *const methods[] = {"GET /", "HEAD /", "POST /"};
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        size_t method = strlen(methods[i]);
        if (len >= method && !memcmp(data, methods[i], method))
            return true;
    }
    return false;
}

/* Counts what begins a request to a port that HTTP is not read from; sent again, it is the same. */
static void count_elsewhere(struct capture *c, const struct capture_segment *segment)
{
    uint16_t port = ntohs(segment->to.sin_port);
    struct capture_elsewhere *e = c->counts.elsewhere, *end = e + CAPTURE_PORTS;
    if (!begins_request(segment->data, segment->len))
        return;
    while (e < end && e->port && e->port != port)
        e++;
    if (e == end ||
        (e->port && e->seq == segment->seq && e->from.sin_port == segment->from.sin_port &&
         e->from.sin_addr.s_addr == segment->from.sin_addr.s_addr))
        return;
    e->port = port;
    e->from = segment->from;
    e->seq = segment->seq;
    e->requests++;
}

static uint64_t *segment(struct capture *c, struct bytes_reader *r, struct capture_message *m,
                         const struct ip_header *ip)
{
    m->from.sin_port = htons(bytes_u16(r));
    m->to.sin_port = htons(bytes_u16(r));
    struct capture_segment segment = {.from = m->from, .to = m->to};
    segment.seq = bytes_u32(r);
    segment.ack = bytes_u32(r);
    size_t header = (size_t)(bytes_u8(r) >> 4) * 4;
    uint8_t flags = bytes_u8(r);
    bytes_take(r, 6);
    if (r->failed || header < 20 || header > ip->payload)
        return &c->counts.malformed;
    bytes_take(r, header - 20);
    if (r->failed)
        return &c->counts.malformed;
    segment.syn = flags & SYN;
    segment.reset = flags & RST;
    segment.len = bytes_left(r);
    segment.data = bytes_take(r, segment.len);
    if (!is_http(c, ntohs(m->to.sin_port))) {
        count_elsewhere(c, &segment);
        return NULL;
    }
    segment.cut = segment.len < ip->payload - header;
    c->message = *m;
    c->stream = capture_streams_add(c->streams, &segment, c->counts.frames);
    return NULL;
}

/* True: a datagram, in *m. */
static bool frame(struct capture *c, struct bytes_reader *r, struct capture_message *m)
{
    struct ip_header ip = {0};
    uint64_t *count = NULL;
    if (link_header(c->link, r, m) != ETHERTYPE_IP)
        count = r->failed ? &c->counts.malformed : &c->counts.other;
    else
        count = ip_header(c, r, m, &ip);
    if (!count && ip.protocol == IPPROTO_UDP)
        count = datagram(c, r, m, &ip);
    else if (!count && ip.protocol == IPPROTO_TCP)
        count = segment(c, r, m, &ip);
    else if (!count)
        count = &c->counts.other;
    if (count)
        ++*count;
    return !count && ip.protocol == IPPROTO_UDP;
}

int capture_next(struct capture *c, struct capture_message *message)
{
    for (;;) {
        if (c->stream) {
            *message = c->message;
            if (capture_stream_take(c->streams, c->stream, message))
                return 1;
            c->stream = NULL;
        }
        struct pcap_pkthdr *header;
        const u_char *data;
        int result = pcap_next_ex(c->pcap, &header, &data);
        c->counts.lost = capture_streams_lost(c->streams);
        if (result != 1)
            return result == PCAP_ERROR_BREAK ? 0 : -1;
        *message = (struct capture_message){.frame = ++c->counts.frames, .time = header->ts};
        struct bytes_reader r = bytes_reader(data, header->caplen);
        if (frame(c, &r, message))
            return 1;
    }
}
