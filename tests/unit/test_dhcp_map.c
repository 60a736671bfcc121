#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

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

static struct sockaddr_in endpoint(uint32_t address, uint16_t port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(address)}};
}

static void begin(struct exchange *x, uint8_t message, bool boot_port)
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
static const char *ask(struct exchange *x)
{
    assert_true(dhcp_parse(x->make.data, dhcp_make_end(&x->make), &x->packet));
    return dhcp_map_request(&x->packet, &x->arrival, &x->request);
}

static void answer(struct exchange *x)
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

static void assert_bytes(struct bytes value, const void *data, size_t len)
{
    assert_int_equal(value.len, len);
    if (len)
        assert_memory_equal(value.data, data, len);
}

#define assert_text(value, text) assert_bytes((value), (text), sizeof(text) - 1)

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

static void test_offer(void **state)
{
    (void)state;
    struct exchange x;
    begin(&x, DHCP_DISCOVER, false);
    x.make.data[3] = 1; /* hops */
    dhcp_make_option(&x.make, 97,
                     "\0\x33\x22\x11\0\x55\x44\x77\x66\x88\x99\xaa\xbb\xcc\xdd\xee\xff");
    answer(&x);
    assert_int_equal(x.len, 300);
    assert_string_equal((const char *)x.answer.header.file, "boot/file");
    assert_string_equal((const char *)x.answer.header.sname, "10.0.0.2");
    assert_false(dhcp_has(&x.answer, 66) || dhcp_has(&x.answer, 67) || dhcp_has(&x.answer, 43));
}

static void test_ack(void **state)
{
    (void)state;
    struct exchange x;
    begin(&x, DHCP_REQUEST, true);
    dhcp_make_option(&x.make, 55, "\x42\x43");
    x.reply.server.s_addr = htonl(OTHER);
    answer(&x);
    assert_int_equal(x.answer.header.flags, 0);
    assert_int_equal(x.answer.header.ciaddr.s_addr, htonl(CLIENT));
    assert_text(x.answer.options[66], "10.0.0.1");
    assert_text(x.answer.options[67], "boot/file");
}

static void test_siaddr_defaults_to_us(void **state)
{
    (void)state;
    struct exchange x;
    begin(&x, DHCP_DISCOVER, false);
    assert_null(ask(&x));
    x.reply.server.s_addr = 0;
    x.len = dhcp_map_reply(&x.packet, &x.request, &x.reply, x.out, sizeof x.out);
    assert_true(dhcp_parse(x.out, x.len, &x.answer));
    assert_int_equal(x.answer.header.siaddr.s_addr, htonl(OURS));
    x.request.server.s_addr = 0;
    assert_int_equal(dhcp_map_reply(&x.packet, &x.request, &x.reply, x.out, sizeof x.out), 0);
}

static void test_long_file(void **state)
{
    (void)state;
    const size_t lens[] = {126, 127, 128, 255, 256, 280};
    for (size_t i = 0; i < sizeof lens / sizeof *lens; i++) {
        char file[301] = "";
        struct exchange x;
        memset(file, 'f', lens[i]);
        begin(&x, DHCP_DISCOVER, false);
        x.reply.file = file;
        answer(&x);
        assert_true(x.len > 0);
        if (lens[i] > 127)
            assert_bytes(x.answer.options[67], file, lens[i]);
        else
            assert_false(dhcp_has(&x.answer, 67));
    }
    /* Where even that is too long there is no answer. */
    char file[301] = "";
    struct exchange x;
    memset(file, 'f', 300);
    begin(&x, DHCP_DISCOVER, false);
    x.reply.file = file;
    answer(&x);
    assert_int_equal(x.len, 0);
}

static void test_no_file_no_class(void **state)
{
    (void)state;
    struct exchange x;
    begin(&x, DHCP_DISCOVER, false);
    dhcp_make_option(&x.make, 55, "\x43");
    x.reply.file = NULL;
    x.reply.vendor_class = NULL;
    answer(&x);
    assert_int_equal(x.len, 300);
    assert_false(dhcp_has(&x.answer, 67));
}

static void test_relay_information_is_last(void **state)
{
    (void)state;
    struct exchange x;
    struct reply_option options[] = {{254, 3, (uint8_t *)"end"}};
    uint8_t relay[262];
    for (size_t i = 0; i < sizeof relay; i++)
        relay[i] = (uint8_t)i;
    begin(&x, DHCP_DISCOVER, false);
    dhcp_put_option(&x.make.w, 82, relay, sizeof relay);
    x.reply.options = options;
    x.reply.n_options = 1;
    answer(&x);
    assert_bytes(x.answer.options[82], relay, sizeof relay);
    assert_text(x.answer.options[254], "end");
}

static void test_reply_options(void **state)
{
    (void)state;
    struct exchange x;
    uint8_t nothing[4] = {0};
    struct reply_option options[259] = {{0}};
    size_t n = 0;
    for (unsigned code = 0; code < 256; code++) {
        if (!dhcp_map_option_allowed((uint8_t)code))
            options[n++] = (struct reply_option){(uint8_t)code, 4, nothing};
    }
    assert_int_equal(n, 18);
    options[n++] = (struct reply_option){66, 4, (uint8_t *)"name"};
    options[n++] = (struct reply_option){175, 3, (uint8_t *)"\1\1\1"};
    options[n++] = (struct reply_option){175, 3, (uint8_t *)"\1\1\2"};
    begin(&x, DHCP_DISCOVER, false);
    dhcp_make_option(&x.make, 55, "\x42");
    x.reply.options = options;
    x.reply.n_options = n;
    answer(&x);
    assert_text(x.answer.options[66], "name");
    assert_text(x.answer.options[175], "\1\1\1");
    assert_false(dhcp_has(&x.answer, 51) || dhcp_has(&x.answer, 255));
}

static void test_option_43(void **state)
{
    (void)state;
    static uint8_t long_43[256];
    const struct {
        const char *class;
        uint16_t len;
        uint8_t *data;
        bool sent;
    } cases[] = {
        {"PXEClient", 4, (uint8_t *)"\6\1\10\xff", true},
        {"PXEClient", 0, NULL, false},
        {"PXEClient", 255, long_43, true},
        {"PXEClient", 256, long_43, false},
        {"HTTPClient:Arch:00016", 4, (uint8_t *)"\6\1\10\xff", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct exchange x;
        struct reply_option option = {43, cases[i].len, cases[i].data};
        begin(&x, DHCP_DISCOVER, false);
        dhcp_put_option(&x.make.w, 60, cases[i].class, strlen(cases[i].class));
        dhcp_make_option(&x.make, 57, "\x05\xc0");
        x.reply.options = &option;
        x.reply.n_options = 1;
        answer(&x);
        assert_int_equal(dhcp_has(&x.answer, 43), cases[i].sent);
        if (cases[i].sent)
            assert_bytes(x.answer.options[43], cases[i].data, cases[i].len);
    }
}

static void test_boot_item_is_echoed(void **state)
{
    (void)state;
    static uint8_t menu[255] = {9, 250};
    const struct {
        uint16_t len;
        uint8_t *data;
        const char *sent;
        size_t sent_len;
    } cases[] = {
        {0, NULL, "\x47\4\x80\0\0\1\xff", 7},
        {4, (uint8_t *)"\6\1\10\xff", "\6\1\10\x47\4\x80\0\0\1\xff", 10},
        {9, (uint8_t *)"\x47\4\0\0\0\0\6\1\10", "\6\1\10\x47\4\x80\0\0\1\xff", 10},
        {252, menu, "\x47\4\x80\0\0\1\xff", 7}, /* no room for both */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct exchange x;
        struct reply_option option = {43, cases[i].len, cases[i].data};
        begin(&x, DHCP_REQUEST, false);
        dhcp_make_option(&x.make, 43, "\x47\4\x80\0\0\1\xff");
        x.reply.options = &option;
        x.reply.n_options = 1;
        answer(&x);
        assert_int_equal(x.request.dhcp.boot_item_type, 0x8000);
        assert_int_equal(x.request.dhcp.boot_item_layer, 1);
        assert_bytes(x.answer.options[43], cases[i].sent, cases[i].sent_len);
    }
}

static void test_size(void **state)
{
    (void)state;
    const struct {
        const char *option; /* 57 */
        size_t len;
        size_t limit;
    } cases[] = {
        {NULL, 0, 548},        {"\x02\x40", 2, 548},  {"\x00\x00", 2, 548},
        {"\x02\x3f", 2, 548},  {"\x03\x00", 2, 740},  {"\x05\xc0", 2, 1444},
        {"\x05\xdc", 2, 1472}, {"\xff\x00", 2, 1472}, {"\xff", 1, 548},
    };
    static uint8_t filler[100];
    struct reply_option options[20];
    for (uint8_t i = 0; i < 20; i++)
        options[i] = (struct reply_option){(uint8_t)(150 + i), 100, filler};
    options[19].len = 1;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct exchange x;
        begin(&x, DHCP_DISCOVER, false);
        if (cases[i].option)
            dhcp_put_option(&x.make.w, 57, cases[i].option, cases[i].len);
        x.reply.options = options;
        x.reply.n_options = 20;
        answer(&x);
        assert_in_range(x.len, cases[i].limit - 102, cases[i].limit);
        assert_true(dhcp_has(&x.answer, 169)); /* a small one still finds room */
    }
}

static void test_what_is_left_out_first(void **state)
{
    (void)state;
    static uint8_t filler[500];
    uint8_t out[DHCP_MAP_REPLY_MAX];
    struct reply_option options[] = {{43, 4, (uint8_t *)"\6\1\10\xff"}, {175, 50, filler}};
    struct exchange x;
    begin(&x, DHCP_DISCOVER, false);
    dhcp_make_option(&x.make, 55, "\x42\x43");
    dhcp_put_option(&x.make.w, 82, filler, 200);
    x.reply.options = options;
    x.reply.n_options = 2;
    answer(&x);
    size_t full = x.len;
    const uint8_t order[] = {66, 175, 67, 43};
    size_t gone = 0;
    for (size_t room = full; room > 0; room--) {
        size_t n = dhcp_map_reply(&x.packet, &x.request, &x.reply, out, room);
        if (n == 0)
            break;
        assert_true(n <= room);
        assert_null(dhcp_rules_broken(&x.packet, x.arrival.server, &x.reply, out, n));
        assert_true(dhcp_parse(out, n, &x.answer));
        while (gone < sizeof order && !dhcp_has(&x.answer, order[gone]))
            gone++;
        for (size_t i = gone; i < sizeof order; i++)
            assert_true(dhcp_has(&x.answer, order[i]));
    }
    assert_int_equal(gone, sizeof order);
    for (size_t room = 0; room < 300; room++)
        assert_int_equal(dhcp_map_reply(&x.packet, &x.request, &x.reply, out, room), 0);
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
        cmocka_unit_test(test_offer),
        cmocka_unit_test(test_ack),
        cmocka_unit_test(test_siaddr_defaults_to_us),
        cmocka_unit_test(test_long_file),
        cmocka_unit_test(test_no_file_no_class),
        cmocka_unit_test(test_relay_information_is_last),
        cmocka_unit_test(test_reply_options),
        cmocka_unit_test(test_option_43),
        cmocka_unit_test(test_boot_item_is_echoed),
        cmocka_unit_test(test_size),
        cmocka_unit_test(test_what_is_left_out_first),
        cmocka_unit_test(test_destination),
        cmocka_unit_test(test_relayed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
