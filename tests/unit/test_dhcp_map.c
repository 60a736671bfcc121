/* From packet to request, and where the answer goes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "dhcp_exchange.h"

static void test_what_is_for_us(void **state)
{
    (void)state;
    const struct {
        uint8_t message;
        bool boot_port;
        const char *vendor; /* option 43; eight bytes */
        const char *server_id;
        bool for_us;
    } cases[] = {
        {DHCP_DISCOVER, false, NULL, NULL, true},
        {DHCP_DISCOVER, true, NULL, NULL, false},
        {DHCP_REQUEST, false, NULL, NULL, false},
        {DHCP_INFORM, false, NULL, NULL, false},
        {DHCP_REQUEST, false, "\x47\x04\x80\x00\x00\x00\xff", NULL, true},
        {DHCP_INFORM, false, "\x47\x04\x00\x01\x00\x00\xff", NULL, true},
        {DHCP_REQUEST, false, "\x47\x03\x80\x00\x00\xff\xff", NULL, false},
        {DHCP_REQUEST, false, "\x47\x04\x80\x00\x80\x00\xff", NULL, false}, /* BIS */
        {DHCP_REQUEST, true, "\x47\x04\x80\x00\x80\x00\xff", NULL, false},
        {DHCP_REQUEST, false, "\x47\x04\x80\x00\x00\x00\xff", "\x0a\x00\x00\x01", false},
        {DHCP_REQUEST, false, "\x47\x04\x80\x00\x00\x00\xff", "\x0a\x00\x00\x02", true},
        {DHCP_REQUEST, true, NULL, NULL, true},
        {DHCP_INFORM, true, NULL, NULL, true},
        {DHCP_REQUEST, true, NULL, "\x0a\x00\x00\x01", false},
        {DHCP_REQUEST, true, NULL, "\x0a\x00\x00\x02", true},
        {DHCP_DECLINE, false, NULL, NULL, false},
        {DHCP_RELEASE, true, NULL, NULL, false},
        {DHCP_ACK, false, NULL, NULL, false},
        {0, false, NULL, NULL, false}, /* BOOTP */
        {13, true, NULL, NULL, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct exchange x;
        begin(&x, cases[i].message, cases[i].boot_port);
        if (cases[i].vendor)
            dhcp_put_option(&x.make.w, 43, cases[i].vendor, 7);
        if (cases[i].server_id)
            dhcp_put_option(&x.make.w, 54, cases[i].server_id, 4);
        assert_int_equal(ask(&x) == NULL, cases[i].for_us);
        if (cases[i].for_us)
            assert_int_equal(x.request.dhcp.boot_server_port, cases[i].boot_port);
    }
}

static void test_4011_needs_an_address(void **state)
{
    (void)state;
    struct exchange x;
    begin(&x, DHCP_REQUEST, true);
    memset(x.make.data + 12, 0, 4);
    assert_string_equal(ask(&x), "without an address");
}

static void test_replies_are_not_for_us(void **state)
{
    (void)state;
    struct exchange x;
    begin(&x, DHCP_DISCOVER, false);
    x.make.data[0] = DHCP_BOOTREPLY;
    assert_string_equal(ask(&x), "a reply");
}

static void test_fields(void **state)
{
    (void)state;
    struct exchange x;
    begin(&x, DHCP_DISCOVER, false);
    dhcp_make_option(&x.make, 12, "host\0");
    dhcp_make_option(&x.make, 55, "\x01\x42\x43\xff");
    dhcp_make_option(&x.make, 60, "PXEClient:Arch:00007:UNDI:003000\0\0");
    dhcp_make_option(&x.make, 82, "\x01\x04port\x02\x03rid");
    dhcp_make_option(&x.make, 93, "\x00\x07\x00\x09");
    dhcp_make_option(&x.make, 97,
                     "\0\x33\x22\x11\0\x55\x44\x77\x66\x88\x99\xaa\xbb\xcc\xdd\xee\xff");
    assert_null(ask(&x));
    const struct request_dhcp *dhcp = &x.request.dhcp;
    char uuid[ADDR_UUID_TEXT];
    assert_int_equal(x.request.protocol, REQUEST_DHCP);
    assert_string_equal(x.request.interface, "eth0");
    assert_int_equal(x.request.server.s_addr, htonl(OURS));
    assert_int_equal(x.request.client.s_addr, 0);
    assert_int_equal(dhcp->message, REQUEST_DISCOVER);
    assert_true(dhcp->has_mac);
    assert_memory_equal(dhcp->mac, "\x52\x54\x00\x12\x34\x56", 6);
    assert_true(dhcp->has_uuid);
    addr_uuid_text(dhcp->uuid, uuid);
    assert_string_equal(uuid, "00112233-4455-6677-8899-aabbccddeeff");
    assert_int_equal(dhcp->arch, 7);
    assert_text(dhcp->vendor_class, "PXEClient:Arch:00007:UNDI:003000");
    assert_text(dhcp->hostname, "host");
    assert_text(dhcp->circuit_id, "port");
    assert_text(dhcp->remote_id, "rid");
    assert_false(dhcp->is_ipxe);
    assert_false(dhcp->has_boot_item);
    assert_true(request_wants(dhcp, 1) && request_wants(dhcp, 66) && request_wants(dhcp, 255));
    assert_false(request_wants(dhcp, 2));
}

static void test_identities_that_are_none(void **state)
{
    (void)state;
    static const char *const uuids[] = {
        "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",                                 /* filler */
        "\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", /* filler */
        "\1\x33\x22\x11\0\x55\x44\x77\x66\x88\x99\xaa\xbb\xcc\xdd\xee\xff",   /* type 1 */
    };
    for (size_t i = 0; i < 3; i++) {
        struct exchange x;
        begin(&x, DHCP_DISCOVER, false);
        dhcp_put_option(&x.make.w, 97, uuids[i], 17);
        answer(&x); /* which echoes it all the same */
        assert_false(x.request.dhcp.has_uuid);
    }
    struct exchange x;
    begin(&x, DHCP_DISCOVER, false);
    x.make.data[1] = 32; /* InfiniBand: chaddr is empty (RFC 4390) */
    x.make.data[2] = 0;
    dhcp_make_option(&x.make, 93, "\x00\x07\x09"); /* an odd length */
    dhcp_make_option(&x.make, 97, "\0\x33\x22\x11");
    answer(&x);
    assert_false(x.request.dhcp.has_mac);
    assert_false(x.request.dhcp.has_uuid);
    assert_int_equal(x.request.dhcp.arch, REQUEST_NO_ARCH);
}

static void test_user_class(void **state)
{
    (void)state;
    const struct {
        const char *option;
        size_t len;
        const char *class;
        bool ipxe;
    } cases[] = {
        {"iPXE", 4, "iPXE", true},       /* as iPXE sends it */
        {"\4iPXE", 5, "iPXE", true},     /* RFC 3004 */
        {"\3foo\4iPXE", 9, "foo", true}, /* RFC 3004, two classes */
        {"\4iPXE\0", 6, "iPXE", true},   /* with a NUL after the list */
        {"\5iPXE\0", 6, "iPXE", true},   /* with a NUL in the class */
        {"\5iPXE", 5, "iPXE", true},     /* the length counts itself */
        {"\3iPXE", 5, "iPXE", true},     /* too short a length */
        {"\x12iPXE", 5, "iPXE", true},   /* too long a length */
        {"iPXE\0", 5, "iPXE", true},     {"iPXEx", 5, "iPXEx", false}, {"ipxe", 4, "ipxe", false},
        {"gPXE", 4, "gPXE", false},      {"\0", 1, "", false},         {"", 0, "", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct exchange x;
        begin(&x, DHCP_DISCOVER, false);
        dhcp_put_option(&x.make.w, 77, cases[i].option, cases[i].len);
        assert_null(ask(&x));
        assert_bytes(x.request.dhcp.user_class, cases[i].class, strlen(cases[i].class));
        assert_int_equal(x.request.dhcp.is_ipxe, cases[i].ipxe);
    }
}

#define IPXE_175 "\xb1\x05\x01\x1a\xf4\x10\x00\xeb\x03\x01\x00\x00\x17\x01\x01"

static void test_ipxe_by_option_175(void **state)
{
    (void)state;
    const struct {
        const char *option;
        size_t len;
        const char *class;
        bool ipxe;
    } cases[] = {
        {IPXE_175, sizeof IPXE_175 - 1, NULL, true}, /* FlexBoot: no user class */
        {IPXE_175, sizeof IPXE_175 - 1, "site", true},
        {IPXE_175, sizeof IPXE_175 - 1, "gPXE", false},
        {IPXE_175, sizeof IPXE_175 - 2, NULL, false}, /* cut short */
        {"\x17\x01\x01", 3, NULL, false},
        {"E45741", 6, NULL, false}, /* Etherboot's magic */
        {"", 0, NULL, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct exchange x;
        begin(&x, DHCP_DISCOVER, false);
        dhcp_put_option(&x.make.w, 175, cases[i].option, cases[i].len);
        if (cases[i].class)
            dhcp_put_option(&x.make.w, 77, cases[i].class, strlen(cases[i].class));
        assert_null(ask(&x));
        assert_int_equal(x.request.dhcp.is_ipxe, cases[i].ipxe);
        assert_bytes(x.request.dhcp.ipxe, cases[i].option, cases[i].len);
    }
}

static void test_destination(void **state)
{
    (void)state;
    const struct {
        uint32_t ciaddr, giaddr, sender;
        uint16_t port;
        bool boot_port;
        uint32_t to;
        uint16_t to_port;
    } cases[] = {
        {0, 0, 0, 68, false, INADDR_BROADCAST, 68},
        {0, RELAY, RELAY, 67, false, RELAY, 67},
        {0, RELAY, OTHER, 1067, false, RELAY, 67}, /* not the source's address or port */
        {CLIENT, RELAY, RELAY, 67, false, RELAY, 67},
        {CLIENT, 0, CLIENT, 68, false, CLIENT, 68},
        {CLIENT, 0, CLIENT, 4011, false, CLIENT, 4011},
        {CLIENT, 0, 0, 68, false, INADDR_BROADCAST, 68},
        {CLIENT, 0, CLIENT, 4011, true, CLIENT, 4011},
        {CLIENT, 0, OTHER, 68, true, OTHER, 68},
        {CLIENT, RELAY, CLIENT, 68, true, CLIENT, 68},
        {CLIENT, 0, 0, 4011, true, INADDR_BROADCAST, 68},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct dhcp_packet packet = {
            .header = {.ciaddr = {htonl(cases[i].ciaddr)}, .giaddr = {htonl(cases[i].giaddr)}}};
        struct dhcp_map_arrival arrival = {.sender = endpoint(cases[i].sender, cases[i].port),
                                           .boot_server_port = cases[i].boot_port};
        struct sockaddr_in to = dhcp_map_destination(&packet, &arrival, 68);
        assert_int_equal(to.sin_family, AF_INET);
        assert_int_equal(ntohl(to.sin_addr.s_addr), cases[i].to);
        assert_int_equal(ntohs(to.sin_port), cases[i].to_port);
    }
}

static void test_relayed(void **state)
{
    (void)state;
    struct exchange x;
    begin(&x, DHCP_DISCOVER, false);
    x.arrival.sender = endpoint(RELAY, 67);
    memcpy(x.make.data + 24, &(uint32_t){htonl(RELAY)}, 4);
    answer(&x);
    assert_int_equal(x.request.client.s_addr, 0); /* the sender is not the client */
    assert_int_equal(x.request.dhcp.giaddr.s_addr, htonl(RELAY));
    assert_int_equal(x.answer.header.flags, DHCP_BROADCAST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_for_us),
        cmocka_unit_test(test_4011_needs_an_address),
        cmocka_unit_test(test_replies_are_not_for_us),
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_identities_that_are_none),
        cmocka_unit_test(test_user_class),
        cmocka_unit_test(test_ipxe_by_option_175),
        cmocka_unit_test(test_destination),
        cmocka_unit_test(test_relayed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
