/* From reply to packet. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "dhcp_exchange.h"

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

/* In less and less room the menu goes first, then all of the answer, the boot item never. */
static void test_boot_item_is_never_left_out(void **state)
{
    (void)state;
    static uint8_t menu[60], file[151];
    uint8_t out[DHCP_MAP_REPLY_MAX];
    struct reply_option option = {43, sizeof menu, menu};
    struct exchange x;
    struct bytes item;
    size_t n, menus = 0, alone = 0;
    menu[0] = 9;
    menu[1] = sizeof menu - 2;
    memset(file, 'f', sizeof file - 1);
    begin(&x, DHCP_REQUEST, true);
    dhcp_make_option(&x.make, 43, "\x47\4\x80\0\0\1\xff");
    x.reply.file = (char *)file;
    x.reply.options = &option;
    x.reply.n_options = 1;
    answer(&x);
    for (size_t room = x.len; (n = dhcp_map_reply(&x.packet, &x.request, &x.reply, out, room)) > 0;
         room--) {
        assert_null(dhcp_rules_broken(&x.packet, x.arrival.server, &x.reply, out, n));
        assert_true(dhcp_parse(out, n, &x.answer));
        assert_true(dhcp_suboption(x.answer.options[43], 71, &item));
        if (dhcp_suboption(x.answer.options[43], 9, &item))
            menus++;
        else
            alone++;
    }
    assert_true(menus > 0);
    assert_true(alone > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
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
        cmocka_unit_test(test_boot_item_is_never_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
