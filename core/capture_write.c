#include "capture_write.h"

#include <net/ethernet.h>
#include <pcap/pcap.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"

#define IP_HEADER  20
#define UDP_HEADER 8
#define TCP_HEADER 20
#define SEGMENT    1460
#define TTL        64
#define FIN_PSH    0x09
#define ACK        0x10

struct capture_writer {
    pcap_t *pcap;
    pcap_dumper_t *dumper;
    uint16_t id; /* of the next IP packet */
    bool failed;
    uint8_t frame[ETHER_HDR_LEN + IP_HEADER + UDP_HEADER + CAPTURE_WRITE_UDP_MAX];
};

struct capture_writer *capture_write_open(const char *path, char error[CAPTURE_ERROR])
{
    struct capture_writer *w = calloc(1, sizeof *w);
    if (!w || !(w->pcap = pcap_open_dead(DLT_EN10MB, 262144))) {
        snprintf(error, CAPTURE_ERROR, "no memory");
        free(w);
        return NULL;
    }
    w->dumper = pcap_dump_open(w->pcap, path);
    if (w->dumper)
        return w;
    const char *message = pcap_geterr(w->pcap);
    size_t len = strlen(path);
    bool named = !strncmp(message, path, len) && !strncmp(message + len, ": ", 2);
    snprintf(error, CAPTURE_ERROR, "%s", named ? message + len + 2 : message);
    pcap_close(w->pcap);
    free(w);
    return NULL;
}

bool capture_write_close(struct capture_writer *w)
{
    if (!w)
        return true;
    bool good = pcap_dump_flush(w->dumper) == 0 && !ferror(pcap_dump_file(w->dumper));
    pcap_dump_close(w->dumper);
    pcap_close(w->pcap);
    free(w);
    return good;
}

/* RFC 1071. */
static uint32_t sum(const uint8_t *data, size_t len)
{
    uint32_t total = 0;
    for (size_t i = 0; i < len; i++)
        total += i % 2 ? data[i] : (uint32_t)data[i] << 8;
    return total;
}

static uint16_t fold(uint32_t total)
{
    while (total >> 16)
        total = (total & 0xffff) + (total >> 16);
    return (uint16_t)~total;
}

static void set_u16(uint8_t *at, uint16_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static void put_headers(struct capture_writer *w, struct bytes_writer *out,
                        const struct capture_target *t, uint8_t protocol, size_t payload)
{
    static const uint8_t server[6] = {0x02}; /* locally administered */
    static const uint8_t everyone[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    bool broadcast = t->to.sin_addr.s_addr == htonl(INADDR_BROADCAST);
    bytes_put(out, broadcast ? everyone : t->ethernet, 6);
    bytes_put(out, server, sizeof server);
    bytes_put_u16(out, ETHERTYPE_IP);
    uint8_t *ip = out->at;
    bytes_put_u16(out, 0x4500);
    bytes_put_u16(out, (uint16_t)(IP_HEADER + payload));
    bytes_put_u16(out, w->id++);
    bytes_put_u16(out, 0);
    bytes_put_u8(out, TTL);
    bytes_put_u8(out, protocol);
    bytes_put_u16(out, 0);
    bytes_put_u32(out, ntohl(t->from.sin_addr.s_addr));
    bytes_put_u32(out, ntohl(t->to.sin_addr.s_addr));
    set_u16(ip + 10, fold(sum(ip, IP_HEADER)));
}

/* The checksum that UDP and TCP share, into its place in their header. */
static void finish(struct capture_writer *w, const struct bytes_writer *out,
                   const struct capture_target *t, uint8_t protocol, size_t checksum_at)
{
    uint8_t *ip = out->start + ETHER_HDR_LEN, *payload = ip + IP_HEADER;
    size_t len = (size_t)(out->at - payload);
    uint32_t total = sum(ip + 12, 8) + protocol + (uint32_t)len + sum(payload, len);
    uint16_t checksum = fold(total);
    set_u16(payload + checksum_at, checksum ? checksum : 0xffff);
    struct pcap_pkthdr header = {.ts = t->time,
                                 .caplen = (bpf_u_int32)bytes_written(out),
                                 .len = (bpf_u_int32)bytes_written(out)};
    pcap_dump((u_char *)w->dumper, &header, out->start);
}

void capture_write_datagram(struct capture_writer *w, const struct capture_target *t,
                            const void *data, size_t len)
{
    if (len > CAPTURE_WRITE_UDP_MAX)
        len = CAPTURE_WRITE_UDP_MAX;
    struct bytes_writer out = bytes_writer(w->frame, sizeof w->frame);
    put_headers(w, &out, t, IPPROTO_UDP, UDP_HEADER + len);
    bytes_put_u16(&out, ntohs(t->from.sin_port));
    bytes_put_u16(&out, ntohs(t->to.sin_port));
    bytes_put_u16(&out, (uint16_t)(UDP_HEADER + len));
    bytes_put_u16(&out, 0);
    bytes_put(&out, data, len);
    finish(w, &out, t, IPPROTO_UDP, 6);
}

void capture_write_stream(struct capture_writer *w, const struct capture_target *t, uint32_t seq,
                          uint32_t ack, const void *data, size_t len, bool fin)
{
    const uint8_t *at = data;
    do {
        size_t n = len < SEGMENT ? len : SEGMENT;
        bool last = n == len;
        struct bytes_writer out = bytes_writer(w->frame, sizeof w->frame);
        put_headers(w, &out, t, IPPROTO_TCP, TCP_HEADER + n);
        bytes_put_u16(&out, ntohs(t->from.sin_port));
        bytes_put_u16(&out, ntohs(t->to.sin_port));
        bytes_put_u32(&out, seq);
        bytes_put_u32(&out, ack);
        bytes_put_u8(&out, TCP_HEADER / 4 << 4);
        bytes_put_u8(&out, last ? (fin ? FIN_PSH | ACK : 0x08 | ACK) : ACK);
        bytes_put_u16(&out, 0xffff); /* the window */
        bytes_put_u32(&out, 0);
        bytes_put(&out, at, n);
        finish(w, &out, t, IPPROTO_TCP, 16);
        at += n;
        seq += (uint32_t)n;
        len -= n;
    } while (len > 0);
}
