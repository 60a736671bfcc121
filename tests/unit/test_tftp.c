/* The TFTP codec, against the examples and limits of its RFCs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tftp.h"

/* A packet written as a string literal, its last NUL included. */
#define PARSE(text, request) tftp_request_parse(text, sizeof(text), request)

static void test_plain_request(void **state)
{
    (void)state;
    struct tftp_request r;
    assert_true(PARSE("\0\1pxelinux.0\0octet", &r));
    assert_int_equal(r.opcode, TFTP_RRQ);
    assert_int_equal(r.mode, TFTP_OCTET);
    assert_string_equal(r.file, "pxelinux.0");
    assert_true(tftp_options_empty(&r.options));
}

static void test_options_in_any_case(void **state)
{
    (void)state;
    struct tftp_request r;
    assert_true(PARSE("\0\1a\0OcTeT\0TSIZE\0"
                      "0\0BlkSize\0"
                      "1468\0windowSize\0"
                      "4\0Timeout\0"
                      "7",
                      &r));
    assert_int_equal(r.mode, TFTP_OCTET);
    assert_true(r.options.has_tsize);
    assert_int_equal(r.options.blksize, 1468);
    assert_int_equal(r.options.windowsize, 4);
    assert_int_equal(r.options.timeout, 7);
}

static struct tftp_options parse_option(const char *name, const char *value)
{
    char packet[256] = "\0\1f\0octet";
    size_t len = sizeof "\0\1f\0octet";
    memcpy(packet + len, name, strlen(name) + 1);
    len += strlen(name) + 1;
    memcpy(packet + len, value, strlen(value) + 1);
    len += strlen(value) + 1;
    struct tftp_request r;
    assert_true(tftp_request_parse(packet, len, &r));
    return r.options;
}

static void test_option_values(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint32_t blksize, windowsize, timeout;
    } cases[] = {
        {"", 0, 0, 0},
        {"0", 0, 0, 0},
        {"1", 0, 1, 1},
        {"7", 0, 7, 7},
        {"8", 8, 8, 8},
        {"0008", 8, 8, 8},
        {"255", 255, 255, 255},
        {"256", 256, 256, 0},
        {"65464", 65464, 65464, 0},
        {"65465", 65464, 65465, 0},
        {"65536", 65464, 65535, 0},
        {"99999999999999999999999999", 65464, 65535, 0},
        {"-1", 0, 0, 0},
        {"+9", 0, 0, 0},
        {" 9", 0, 0, 0},
        {"9 ", 0, 0, 0},
        {"0x10", 0, 0, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(parse_option("blksize", cases[i].text).blksize, cases[i].blksize);
        assert_int_equal(parse_option("windowsize", cases[i].text).windowsize, cases[i].windowsize);
        assert_int_equal(parse_option("timeout", cases[i].text).timeout, cases[i].timeout);
    }
    struct tftp_options unknown = parse_option("multicast", "");
    assert_true(tftp_options_empty(&unknown));
    struct tftp_options prefix = parse_option("blksize2", "1024");
    assert_true(tftp_options_empty(&prefix));
}

static void test_first_of_a_repeated_option_counts(void **state)
{
    (void)state;
    struct tftp_request r;
    assert_true(PARSE("\0\1a\0octet\0blksize\0"
                      "1024\0blksize\0"
                      "4096",
                      &r));
    assert_int_equal(r.options.blksize, 1024);
}

/* Cut at every byte: without its name or mode it is no request, with them it is one with
 * the options that are whole. */
static void test_truncation(void **state)
{
    (void)state;
    static const char packet[] = "\0\1file\0octet\0blksize\0"
                                 "1024\0windowsize\0"
                                 "16";
    size_t mode_end = 2 + sizeof "file" + sizeof "octet";
    size_t blksize_end = mode_end + sizeof "blksize" + sizeof "1024";
    for (size_t len = 0; len <= sizeof packet; len++) {
        /* On the heap, so that a sanitizer sees a read past the end. */
        char *copy = malloc(len ? len : 1);
        memcpy(copy, packet, len);
        struct tftp_request r;
        bool parsed = tftp_request_parse(copy, len, &r);
        assert_int_equal(parsed, len >= mode_end);
        if (parsed) {
            assert_int_equal(r.options.blksize, len >= blksize_end ? 1024 : 0);
            assert_int_equal(r.options.windowsize, len == sizeof packet ? 16 : 0);
        }
        free(copy);
    }
}

static void test_what_is_no_request(void **state)
{
    (void)state;
    struct tftp_request r;
    assert_false(PARSE("\0\3\0\1data", &r));
    assert_false(PARSE("\0\4\0\1", &r));
    assert_false(PARSE("\0\5\0\1no", &r));
    assert_false(PARSE("\1\0a\0octet", &r));
    assert_false(tftp_request_parse(NULL, 0, &r));
}

static enum tftp_error refused(const struct tftp_request *r)
{
    enum tftp_error code;
    assert_non_null(tftp_request_refusal(r, &code));
    return code;
}

static void test_refusals(void **state)
{
    (void)state;
    struct tftp_request r;
    enum tftp_error code;
    assert_true(PARSE("\0\1a b\\c:\xc3\xa9\0octet", &r));
    assert_null(tftp_request_refusal(&r, &code));
    assert_true(PARSE("\0\1a\0NetASCII", &r));
    assert_null(tftp_request_refusal(&r, &code));

    assert_true(PARSE("\0\2a\0octet", &r));
    assert_int_equal(refused(&r), TFTP_ACCESS);
    assert_string_equal(tftp_request_refusal(&r, &code), "read-only");
    assert_true(PARSE("\0\1a\0mail", &r));
    assert_int_equal(refused(&r), TFTP_ILLEGAL);
    assert_true(PARSE("\0\1a\0", &r));
    assert_int_equal(refused(&r), TFTP_ILLEGAL);
    assert_true(PARSE("\0\1a\nb\0octet", &r));
    assert_int_equal(refused(&r), TFTP_ACCESS);
    assert_true(PARSE("\0\1a\x7f\0octet", &r));
    assert_int_equal(refused(&r), TFTP_ACCESS);
    assert_true(PARSE("\0\1\0octet", &r));
    assert_int_equal(refused(&r), TFTP_NOT_FOUND);
}

static void test_name_length(void **state)
{
    (void)state;
    for (size_t len = TFTP_NAME_MAX; len <= TFTP_NAME_MAX + 1; len++) {
        char packet[TFTP_NAME_MAX + 16] = {0, TFTP_RRQ};
        memset(packet + 2, 'x', len);
        memcpy(packet + 2 + len, "\0octet", sizeof "\0octet");
        struct tftp_request r;
        assert_true(tftp_request_parse(packet, 2 + len + sizeof "\0octet", &r));
        enum tftp_error code;
        assert_int_equal(tftp_request_refusal(&r, &code) == NULL, len == TFTP_NAME_MAX);
    }
}

static void test_acks_and_errors(void **state)
{
    (void)state;
    struct tftp_packet p;
    assert_true(tftp_packet_parse("\0\4\xff\xfe", 4, &p));
    assert_int_equal(p.opcode, TFTP_ACK);
    assert_int_equal(p.number, 0xfffe);
    assert_false(tftp_packet_parse("\0\4\xff", 3, &p));
    assert_false(tftp_packet_parse("\0\3\0\1", 4, &p));

    assert_true(tftp_packet_parse("\0\5\0\10aborted\0rest", 17, &p));
    assert_int_equal(p.opcode, TFTP_ERROR);
    assert_int_equal(p.number, TFTP_OPTION);
    assert_int_equal(p.message.len, 7);
    assert_memory_equal(p.message.data, "aborted", 7);
    assert_true(tftp_packet_parse("\0\5\0\0no end", 10, &p));
    assert_int_equal(p.message.len, 6);
    assert_true(tftp_packet_parse("\0\5\0\0", 4, &p));
    assert_int_equal(p.message.len, 0);
}

static void test_put_error(void **state)
{
    (void)state;
    uint8_t out[TFTP_REPLY_MAX];
    assert_int_equal(tftp_put_error(out, TFTP_NOT_FOUND, "no"), 7);
    assert_memory_equal(out, "\0\5\0\1no", 7);
    char longer[2 * TFTP_REPLY_MAX];
    memset(longer, 'x', sizeof longer);
    longer[sizeof longer - 1] = '\0';
    assert_int_equal(tftp_put_error(out, TFTP_UNDEFINED, longer), TFTP_REPLY_MAX);
    assert_int_equal(out[TFTP_REPLY_MAX - 1], 0);
}

static void test_put_oack(void **state)
{
    (void)state;
    uint8_t out[TFTP_REPLY_MAX];
    const struct tftp_options one = {.blksize = 1468};
    static const char expect_one[] = "\0\6blksize\0"
                                     "1468";
    assert_int_equal(tftp_put_oack(out, &one), sizeof expect_one);
    assert_memory_equal(out, expect_one, sizeof expect_one);

    const struct tftp_options all = {.blksize = 65464,
                                     .windowsize = 65535,
                                     .timeout = 255,
                                     .has_tsize = true,
                                     .tsize = UINT64_MAX};
    static const char expect_all[] = "\0\6tsize\0"
                                     "18446744073709551615\0blksize\0"
                                     "65464\0timeout\0"
                                     "255\0windowsize\0"
                                     "65535";
    assert_int_equal(tftp_put_oack(out, &all), sizeof expect_all);
    assert_memory_equal(out, expect_all, sizeof expect_all);
}

static void test_put_data_wraps(void **state)
{
    (void)state;
    uint8_t out[TFTP_HEADER];
    tftp_put_data(out, 65535);
    assert_memory_equal(out, "\0\3\xff\xff", 4);
    tftp_put_data(out, 65536);
    assert_memory_equal(out, "\0\3\0\0", 4);
    tftp_put_data(out, (uint64_t)65536 * 131072 + 258);
    assert_memory_equal(out, "\0\3\1\2", 4);
}

static void test_netascii(void **state)
{
    (void)state;
    static const uint8_t in[] = "a\nb\rc\r\n";
    uint8_t out[2 * sizeof in];
    size_t len = tftp_netascii(in, sizeof in - 1, out);
    assert_int_equal(len, 11);
    assert_memory_equal(out, "a\r\nb\r\0c\r\0\r\n", 11);
    assert_int_equal(tftp_netascii(NULL, 0, out), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain_request),
        cmocka_unit_test(test_options_in_any_case),
        cmocka_unit_test(test_option_values),
        cmocka_unit_test(test_first_of_a_repeated_option_counts),
        cmocka_unit_test(test_truncation),
        cmocka_unit_test(test_what_is_no_request),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_name_length),
        cmocka_unit_test(test_acks_and_errors),
        cmocka_unit_test(test_put_error),
        cmocka_unit_test(test_put_oack),
        cmocka_unit_test(test_put_data_wraps),
        cmocka_unit_test(test_netascii),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
