/* One exchange with a client, from its packet to the parsed answer. For tests only;
 * after cmocka.h. */
#ifndef TESTS_UNIT_DHCP_EXCHANGE_H
#define TESTS_UNIT_DHCP_EXCHANGE_H

#include "dhcp_make.h"
#include "dhcp_map.h"
#include "dhcp_rules.h"

#define OURS   0x0a000002
#define OTHER  0x0a000001
#define CLIENT 0x0a000032
#define RELAY  0x0a010001

/* One exchange: what the client sends, and all that comes of it. */
struct exchange {
    struct dhcp_make make;
    struct dhcp_map_arrival arrival;
    struct dhcp_packet packet;
    struct request request;
    struct reply_dhcp reply;
    uint8_t out[DHCP_MAP_REPLY_MAX];
    size_t len;
    struct dhcp_packet answer;
};

static inline struct sockaddr_in endpoint(uint32_t address, uint16_t port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(address)}};
}

static inline void begin(struct exchange *x, uint8_t message, bool boot_port)
{
    uint32_t ciaddr = boot_port ? CLIENT : 0;
    struct dhcp_header h = {.xid = 0xfeed, .secs = 4, .ciaddr = {htonl(ciaddr)}};
    *x = (struct exchange){.arrival = {.sender = endpoint(ciaddr, 68),
                                       .server = {htonl(OURS)},
                                       .boot_server_port = boot_port,
                                       .interface = "eth0"},
                           .reply = {.file = (char *)"boot/file",
                                     .server = {htonl(OURS)},
                                     .vendor_class = (char *)"PXEClient"}};
    dhcp_make(&x->make, &h, message);
}

/* Parses and maps; the reason why the message is not for us, or NULL. */
static inline const char *ask(struct exchange *x)
{
    assert_true(dhcp_parse(x->make.data, dhcp_make_end(&x->make), &x->packet));
    return dhcp_map_request(&x->packet, &x->arrival, &x->request);
}

static inline void answer(struct exchange *x)
{
    const char *why = ask(x);
    if (why)
        fail_msg("not for us: %s", why);
    x->len = dhcp_map_reply(&x->packet, &x->request, &x->reply, x->out, sizeof x->out);
    if (x->len == 0)
        return;
    const char *broken =
        dhcp_rules_broken(&x->packet, x->arrival.server, &x->reply, x->out, x->len);
    if (broken)
        fail_msg("broken: %s", broken);
    assert_true(dhcp_parse(x->out, x->len, &x->answer));
}

static inline void assert_bytes(struct bytes value, const void *data, size_t len)
{
    assert_int_equal(value.len, len);
    if (len)
        assert_memory_equal(value.data, data, len);
}

#define assert_text(value, text) assert_bytes((value), (text), sizeof(text) - 1)

#endif
