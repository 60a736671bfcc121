#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "dhcp.h"
#include "dhcp_make.h"

static void assert_value(struct bytes value, const char *text)
{
    assert_non_null(value.data);
    assert_int_equal(value.len, strlen(text));
    assert_memory_equal(value.data, text, value.len);
}

static void test_header_survives(void **state)
{
    (void)state;
    struct dhcp_header h = {.hops = 3,
                            .xid = 0x12345678,
                            .secs = 0x0102,
                            .flags = DHCP_BROADCAST,
                            .ciaddr = {htonl(0x0a000001)},
                            .yiaddr = {htonl(0x0a000002)},
                            .siaddr = {htonl(0x0a000003)},
                            .giaddr = {htonl(0x0a000004)},
                            .sname = "sname",
                            .file = "file"};
    struct dhcp_make make;
    struct dhcp_packet p;
    dhcp_make(&make, &h, DHCP_DISCOVER);
    assert_true(dhcp_parse(make.data, dhcp_make_end(&make), &p));
    assert_memory_equal(&p.header, &make.header, sizeof p.header);
    assert_int_equal(dhcp_message(&p), DHCP_DISCOVER);
    /* The wire's own order. */
    assert_memory_equal(make.data + 4, "\x12\x34\x56\x78\x01\x02\x80\x00\x0a\x00\x00\x01", 12);
    assert_memory_equal(make.data + 236, "\x63\x82\x53\x63\x35\x01\x01\xff", 8);
}

static void test_what_is_not_dhcp(void **state)
{
    (void)state;
    struct dhcp_make make;
    struct dhcp_packet p;
    uint8_t big[DHCP_MAX_LEN + 1] = {0};
    dhcp_make(&make, &(struct dhcp_header){.xid = 1}, DHCP_DISCOVER);
    size_t len = dhcp_make_end(&make);
    for (size_t n = 0; n < DHCP_HEADER_LEN; n++)
        assert_false(dhcp_parse(make.data, n, &p));
    assert_false(dhcp_parse(NULL, 0, &p));
    memcpy(big, make.data, len);
    assert_true(dhcp_parse(big, DHCP_MAX_LEN, &p));
    assert_false(dhcp_parse(big, sizeof big, &p));

    const struct {
        size_t at;
        uint8_t value;
        bool sound;
    } cases[] = {
        {0, 0, false},                                  /* op */
        {0, 2, true},   {0, 3, false},   {1, 32, true}, /* htype: InfiniBand */
        {2, 16, false},                                 /* hlen, under Ethernet */
        {2, 0, false},  {236, 0, false},                /* cookie */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t changed[DHCP_MAX_LEN];
        memcpy(changed, make.data, len);
        changed[cases[i].at] = cases[i].value;
        assert_int_equal(dhcp_parse(changed, len, &p), cases[i].sound);
    }
    make.data[1] = 32;
    make.data[2] = 0;
    assert_true(dhcp_parse(make.data, len, &p));
    make.data[2] = 17;
    assert_false(dhcp_parse(make.data, len, &p));
}

static void test_options(void **state)
{
    (void)state;
    struct dhcp_make make;
    struct dhcp_packet p;
    dhcp_make(&make, &(struct dhcp_header){.xid = 1}, DHCP_REQUEST);
    dhcp_make_option(&make, DHCP_OPT_SERVER_ID, "\x0a\x00\x00\x02");
    bytes_put_zeros(&make.w, 3); /* pads */
    dhcp_make_option(&make, DHCP_OPT_HOSTNAME, "");
    dhcp_make_option(&make, DHCP_OPT_ADDRESS, "\x0a\x00\x00");
    assert_true(dhcp_parse(make.data, dhcp_make_end(&make), &p));
    assert_int_equal(dhcp_option_ip(&p, DHCP_OPT_SERVER_ID).s_addr, htonl(0x0a000002));
    assert_true(dhcp_has(&p, DHCP_OPT_HOSTNAME));
    assert_int_equal(p.options[DHCP_OPT_HOSTNAME].len, 0);
    assert_false(dhcp_has(&p, DHCP_OPT_VENDOR_CLASS));
    assert_int_equal(dhcp_option_ip(&p, DHCP_OPT_ADDRESS).s_addr, 0);
    assert_int_equal(dhcp_option_ip(&p, DHCP_OPT_LEASE).s_addr, 0);
}

static void test_ends(void **state)
{
    (void)state;
    struct dhcp_make make;
    struct dhcp_packet p;
    dhcp_make(&make, &(struct dhcp_header){.xid = 1}, 0);
    dhcp_make_option(&make, DHCP_OPT_HOSTNAME, "abc");
    size_t len = bytes_written(&make.w);
    assert_true(dhcp_parse(make.data, len, &p)); /* without an end option */
    assert_value(p.options[DHCP_OPT_HOSTNAME], "abc");
    assert_int_equal(dhcp_message(&p), 0);
    assert_false(dhcp_parse(make.data, len - 1, &p)); /* cut short */
    assert_false(dhcp_parse(make.data, len - 4, &p)); /* a code alone */
    len = dhcp_make_end(&make);
    memcpy(make.data + len, "\x0c\xff garbage", 10);
    assert_true(dhcp_parse(make.data, len + 10, &p));
    assert_value(p.options[DHCP_OPT_HOSTNAME], "abc");
    assert_true(dhcp_parse(make.data, DHCP_HEADER_LEN, &p)); /* no option at all */
}

static void test_parts_are_joined(void **state)
{
    (void)state;
    struct dhcp_make make;
    struct dhcp_packet p;
    uint8_t value[700];
    for (size_t i = 0; i < sizeof value; i++)
        value[i] = (uint8_t)(i * 7 + i / 255);
    dhcp_make(&make, &(struct dhcp_header){.xid = 1}, DHCP_DISCOVER);
    dhcp_put_option(&make.w, DHCP_OPT_IPXE, value, 300);
    dhcp_make_option(&make, DHCP_OPT_HOSTNAME, "ab");
    dhcp_put_option(&make.w, DHCP_OPT_IPXE, value + 300, 400);
    dhcp_make_option(&make, DHCP_OPT_HOSTNAME, "");
    dhcp_make_option(&make, DHCP_OPT_HOSTNAME, "c");
    assert_true(dhcp_parse(make.data, dhcp_make_end(&make), &p));
    assert_int_equal(p.options[DHCP_OPT_IPXE].len, sizeof value);
    assert_memory_equal(p.options[DHCP_OPT_IPXE].data, value, sizeof value);
    assert_value(p.options[DHCP_OPT_HOSTNAME], "abc");
    assert_int_equal(dhcp_message(&p), DHCP_DISCOVER);
}

static void test_a_datagram_full_of_parts(void **state)
{
    (void)state;
    struct dhcp_make make;
    struct dhcp_packet p;
    size_t total[256] = {0};
    dhcp_make(&make, &(struct dhcp_header){.xid = 1}, 0);
    for (uint8_t i = 0; make.w.end - make.w.at >= 7; i++) {
        uint8_t code = (uint8_t)(60 + i % 3);
        dhcp_put_option(&make.w, code, "12345", i % 6);
        total[code] += i % 6;
    }
    assert_true(dhcp_parse(make.data, bytes_written(&make.w), &p));
    for (uint8_t code = 60; code < 63; code++)
        assert_int_equal(p.options[code].len, total[code]);
}

static void test_overload(void **state)
{
    (void)state;
    for (int what = 0; what < 5; what++) {
        struct dhcp_header h = {.xid = 1};
        struct dhcp_make make;
        struct dhcp_packet p;
        memcpy(h.file, "\x0c\x02yz\xff", 5);
        memcpy(h.sname, "\x0c\x01!\x43\x01x", 6);
        dhcp_make(&make, &h, DHCP_DISCOVER);
        dhcp_make_option(&make, DHCP_OPT_HOSTNAME, "x");
        dhcp_put_option(&make.w, DHCP_OPT_OVERLOAD, &(uint8_t){(uint8_t)what}, 1);
        assert_true(dhcp_parse(make.data, dhcp_make_end(&make), &p));
        assert_value(p.options[DHCP_OPT_HOSTNAME], what == 1   ? "xyz"
                                                   : what == 2 ? "x!"
                                                   : what == 3 ? "xyz!"
                                                               : "x");
        assert_int_equal(dhcp_has(&p, DHCP_OPT_BOOT_FILE), what == 2 || what == 3);
    }
}

static void test_overload_must_be_sound(void **state)
{
    (void)state;
    struct dhcp_header h = {.xid = 1};
    struct dhcp_make make;
    struct dhcp_packet p;
    memset(h.file, 0x0c, sizeof h.file); /* the last option runs past the field */
    dhcp_make(&make, &h, DHCP_DISCOVER);
    dhcp_make_option(&make, DHCP_OPT_OVERLOAD, "\x01");
    assert_false(dhcp_parse(make.data, dhcp_make_end(&make), &p));
}

static void test_suboptions(void **state)
{
    (void)state;
    static const uint8_t data[] = {0, 6, 1, 8, 0, 71, 4, 0, 1, 0, 2, 255, 9, 1, 7};
    struct bytes option = {data, sizeof data};
    struct bytes value;
    assert_true(dhcp_suboption(option, 71, &value));
    assert_int_equal(value.len, 4);
    assert_ptr_equal(value.data, data + 7);
    assert_false(dhcp_suboption(option, 9, &value)); /* past the end */
    assert_null(value.data);
    assert_false(dhcp_suboption((struct bytes){data, 9}, 71, &value)); /* cut short */
    assert_false(dhcp_suboption((struct bytes){NULL, 0}, 71, &value));

    static const uint8_t relay[] = {0, 1, 'p', 255, 1, 'e', 1, 0, 2, 3, 'r'};
    assert_true(dhcp_relay_suboption((struct bytes){relay, sizeof relay}, 1, &value));
    assert_int_equal(value.len, 0);
    assert_true(dhcp_relay_suboption((struct bytes){relay, sizeof relay}, 255, &value));
    assert_value(value, "e");
    assert_false(dhcp_relay_suboption((struct bytes){relay, sizeof relay}, 2, &value));
}

static void test_long_options_are_split(void **state)
{
    (void)state;
    const size_t lens[] = {0, 1, 254, 255, 256, 510, 511, 1000};
    uint8_t value[1000];
    memset(value, 'v', sizeof value);
    for (size_t i = 0; i < sizeof lens / sizeof *lens; i++) {
        uint8_t out[1100];
        struct bytes_writer w = bytes_writer(out, sizeof out);
        dhcp_put_option(&w, 175, value, lens[i]);
        assert_false(w.failed);
        assert_int_equal(bytes_written(&w), dhcp_option_size(lens[i]));
        size_t sum = 0;
        for (size_t at = 0; at < bytes_written(&w); at += 2 + (size_t)out[at + 1]) {
            assert_int_equal(out[at], 175);
            sum += out[at + 1];
        }
        assert_int_equal(sum, lens[i]);
        w = bytes_writer(out, dhcp_option_size(lens[i]) - 1);
        dhcp_put_option(&w, 175, value, lens[i]);
        assert_true(w.failed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_header_survives),  cmocka_unit_test(test_what_is_not_dhcp),
        cmocka_unit_test(test_options),          cmocka_unit_test(test_ends),
        cmocka_unit_test(test_parts_are_joined), cmocka_unit_test(test_a_datagram_full_of_parts),
        cmocka_unit_test(test_overload),         cmocka_unit_test(test_overload_must_be_sound),
        cmocka_unit_test(test_suboptions),       cmocka_unit_test(test_long_options_are_split),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
