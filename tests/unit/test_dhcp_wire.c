/* Every packet that clients sent in tests/wire/captures, as it is, cut at every byte and
 * with every byte changed: what is answered keeps all rules, and nothing crashes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>

#include "dhcp_map.h"
#include "dhcp_rules.h"
#include "wire.h"

#define CAPTURES "tests/wire/captures/*.pcap"

enum outcome { UNSOUND, NOT_FOR_US, ANSWERED };

struct counts {
    unsigned packets;
    unsigned answered;
    unsigned changed;
    unsigned changed_answered;
};

/* What a policy may well decide; everything that the client wants has room in it. */
static struct reply_dhcp plausible_reply(const struct request *request)
{
    static uint8_t boot_now[] = {6, 1, 8, 255};
    static uint8_t ipxe[] = {1, 1, 10, 176, 1, 1};
    static uint8_t prefix[] = "http://10.99.0.2/";
    static struct reply_option options[] = {
        {43, sizeof boot_now, boot_now}, {175, sizeof ipxe, ipxe}, {210, sizeof prefix, prefix}};
    struct bytes class = request->dhcp.vendor_class;
    bool http = class.len >= 4 && !memcmp(class.data, "HTTP", 4);
    const char *file = http ? "http://10.99.0.2:8080/tftp/ipxe/snponly.efi" : "ipxe/snponly.efi";
    return (struct reply_dhcp){.file = (char *)file,
                               .server = {htonl(0x0a630002)},
                               .vendor_class = (char *)(http ? "HTTPClient" : "PXEClient"),
                               .options = options,
                               .n_options = sizeof options / sizeof *options};
}

static enum outcome answer(const uint8_t *data, size_t len, struct sockaddr_in from, bool boot_port,
                           struct dhcp_packet *answered)
{
    static struct dhcp_packet packet;
    struct dhcp_map_arrival arrival = {.sender = from,
                                       .server = {htonl(0x0a630002)},
                                       .boot_server_port = boot_port,
                                       .interface = "eth0"};
    struct request request;
    uint8_t out[DHCP_MAP_REPLY_MAX];
    static uint8_t kept[DHCP_MAP_REPLY_MAX];

    /* On the heap, to the byte: a read past the end is seen. */
    uint8_t *exact = malloc(len ? len : 1);
    assert_non_null(exact);
    memcpy(exact, data, len);
    enum outcome outcome = UNSOUND;
    if (!dhcp_parse(exact, len, &packet))
        goto done;
    outcome = NOT_FOR_US;
    if (dhcp_map_request(&packet, &arrival, &request))
        goto done;
    struct reply_dhcp reply = plausible_reply(&request);
    size_t n = dhcp_map_reply(&packet, &request, &reply, out, sizeof out);
    if (n == 0)
        goto done;
    const char *broken = dhcp_rules_broken(&packet, arrival.server, &reply, out, n);
    if (broken)
        fail_msg("broken: %s", broken);
    outcome = ANSWERED;
    memcpy(kept, out, n);
    assert_true(dhcp_parse(kept, n, answered));
done:
    free(exact);
    return outcome;
}

static bool expect_answer(const struct dhcp_packet *packet, bool boot_port)
{
    switch (dhcp_message(packet)) {
    case DHCP_DISCOVER:
        return !boot_port;
    case DHCP_REQUEST:
        return boot_port;
    default:
        return false;
    }
}

static void whole_packet(const struct wire_payload *p, bool boot_port, struct counts *counts)
{
    struct dhcp_packet asked, answered;
    assert_true(dhcp_parse(p->data, p->len, &asked));
    bool expected = expect_answer(&asked, boot_port);
    assert_int_equal(answer(p->data, p->len, p->from, boot_port, &answered),
                     expected ? ANSWERED : NOT_FOR_US);
    counts->packets++;
    counts->answered += expected;
    if (!expected)
        return;
    /* None of them is so short of room that something wanted is left out. */
    assert_true(dhcp_has(&answered, 175) && dhcp_has(&answered, 210));
    for (size_t i = 0; i < asked.options[55].len; i++) {
        uint8_t wanted = asked.options[55].data[i];
        if (wanted == 66 || wanted == 67)
            assert_true(dhcp_has(&answered, wanted));
    }
}

static void changed_packets(const struct wire_payload *p, bool boot_port, struct counts *counts)
{
    static const uint8_t flips[] = {0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0xff, 0x7f};
    uint8_t data[DHCP_MAX_LEN];
    struct dhcp_packet answered;
    for (size_t len = 0; len < p->len; len++) {
        counts->changed++;
        counts->changed_answered += answer(p->data, len, p->from, boot_port, &answered) == ANSWERED;
    }
    memcpy(data, p->data, p->len);
    for (size_t at = 0; at < p->len; at++) {
        for (size_t i = 0; i < sizeof flips + 2; i++) {
            data[at] = i < sizeof flips ? p->data[at] ^ flips[i] : i == sizeof flips ? 0 : 0xff;
            counts->changed++;
            counts->changed_answered +=
                answer(data, p->len, p->from, boot_port, &answered) == ANSWERED;
        }
        data[at] = p->data[at];
    }
}

static void walk(struct counts *counts,
                 void (*visit)(const struct wire_payload *, bool, struct counts *))
{
    glob_t files;
    assert_int_equal(glob(CAPTURES, 0, NULL, &files), 0);
    for (size_t i = 0; i < files.gl_pathc; i++) {
        struct wire wire;
        struct wire_payload p;
        assert_true(wire_open(&wire, files.gl_pathv[i]));
        while (wire_next(&wire, &p)) {
            in_port_t port = ntohs(p.to.sin_port);
            if (p.tcp || (port != 67 && port != 4011) || p.data[0] != DHCP_BOOTREQUEST)
                continue;
            visit(&p, port == 4011, counts);
        }
        wire_close(&wire);
    }
    globfree(&files);
}

static void test_captured_packets(void **state)
{
    (void)state;
    struct counts counts = {0};
    walk(&counts, whole_packet);
    print_message("%u packets, %u answered\n", counts.packets, counts.answered);
    assert_true(counts.packets > 50 && counts.answered > 30);
}

static void test_changed_packets(void **state)
{
    (void)state;
    struct counts counts = {0};
    walk(&counts, changed_packets);
    print_message("%u changed packets, %u answered\n", counts.changed, counts.changed_answered);
    assert_true(counts.changed_answered > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_captured_packets),
        cmocka_unit_test(test_changed_packets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
