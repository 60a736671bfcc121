#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "addr.h"

static void test_mac_notations(void **state)
{
    static const char *const good[] = {"52:54:00:99:0a:1f", "52-54-00-99-0A-1F", "5254.0099.0a1f",
                                       "525400990a1f", "52:54:0:99:a:1f"};
    static const char *const bad[] = {"",
                                      "52",
                                      "52:54:00:99:0a",
                                      "52:54:00:99:0a:1f:00",
                                      "52:54:00:99:0a-1f",
                                      "52540099.0a1f",
                                      "g2:54:00:99:0a:1f",
                                      "525:4:00:99:0a:1f",
                                      "52:54:00:99:0a:1f "};
    uint8_t mac[ADDR_MAC_LEN];
    char text[ADDR_MAC_TEXT];
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_true(addr_mac_parse(good[i], mac));
        addr_mac_text(mac, text);
        assert_string_equal(text, "52:54:00:99:0a:1f");
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(addr_mac_parse(bad[i], mac));
}

/* As the C library writes them, digit for digit. */
static void test_ip_text(void **state)
{
    static const uint8_t bytes[] = {0, 1, 9, 10, 19, 99, 100, 101, 199, 200, 249, 255};
    char text[INET_ADDRSTRLEN], expected[INET_ADDRSTRLEN];
    (void)state;
    for (size_t i = 0; i < sizeof bytes; i++) {
        for (size_t j = 0; j < sizeof bytes; j++) {
            const uint8_t wire[] = {bytes[i], bytes[j], bytes[(i + j) % 12], bytes[11 - i]};
            struct in_addr ip;
            memcpy(&ip, wire, sizeof ip);
            inet_ntop(AF_INET, &ip, expected, sizeof expected);
            assert_ptr_equal(addr_ip_text(ip, text), text);
            assert_string_equal(text, expected);
        }
    }
}

/* The capture's client: option 97 carries 33221100-5544-7766-…, dmidecode prints this. */
static void test_uuid_byte_order(void **state)
{
    static const uint8_t wire[ADDR_UUID_LEN] = {0x33, 0x22, 0x11, 0x00, 0x55, 0x44, 0x77, 0x66,
                                                0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff};
    static const char *const same[] = {
        "00112233-4455-6677-8899-aabbccddeeff", "00112233-4455-6677-8899-AABBCCDDEEFF",
        "{00112233-4455-6677-8899-aabbccddeeff}", "00112233445566778899aabbccddeeff"};
    static const char *const bad[] = {"",
                                      "00112233-4455-6677-8899-aabbccddee",
                                      "00112233-4455-6677-8899-aabbccddeefff",
                                      "0011223-34455-6677-8899-aabbccddeeff",
                                      "{00112233-4455-6677-8899-aabbccddeeff",
                                      "00112233-4455-6677-8899-aabbccddeefg"};
    uint8_t parsed[ADDR_UUID_LEN];
    char text[ADDR_UUID_TEXT];
    (void)state;
    addr_uuid_text(wire, text);
    assert_string_equal(text, same[0]);
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        assert_true(addr_uuid_parse(same[i], parsed));
        assert_memory_equal(parsed, wire, sizeof wire);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(addr_uuid_parse(bad[i], parsed));
}

static void test_uuid_fillers(void **state)
{
    uint8_t uuid[ADDR_UUID_LEN] = {0};
    (void)state;
    assert_true(addr_uuid_absent(uuid));
    memset(uuid, 0xff, sizeof uuid);
    assert_true(addr_uuid_absent(uuid));
    uuid[15] = 0xfe;
    assert_false(addr_uuid_absent(uuid));
    memset(uuid, 0x11, sizeof uuid);
    assert_false(addr_uuid_absent(uuid));
}

static void test_subnets(void **state)
{
    struct addr_subnet subnet;
    (void)state;
    assert_true(addr_subnet_parse("10.0.0.0/8", &subnet));
    assert_int_equal(subnet.address, 0x0a000000);
    assert_int_equal(subnet.mask, 0xff000000);
    assert_true(addr_subnet_parse("0.0.0.0/0", &subnet));
    assert_int_equal(subnet.mask, 0);
    assert_true(addr_subnet_parse("192.0.2.7", &subnet));
    assert_int_equal(subnet.mask, 0xffffffff);
    assert_true(addr_subnet_parse("192.0.2.7/32", &subnet));
    static const char *const bad[] = {"",           "10.0.0.1/8", "10.0.0.0/33", "10.0.0.0/",
                                      "10.0.0.0/x", "10.0.0/8",   "10.0.0.0/-1", "10.0.0.0/8 "};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(addr_subnet_parse(bad[i], &subnet));
}

static void test_listen(void **state)
{
    struct sockaddr_in address;
    (void)state;
    assert_true(addr_listen_parse("127.0.0.1:8080", &address));
    assert_int_equal(ntohs(address.sin_port), 8080);
    assert_int_equal(ntohl(address.sin_addr.s_addr), INADDR_LOOPBACK);
    assert_true(addr_listen_parse("*:80", &address));
    assert_int_equal(address.sin_addr.s_addr, INADDR_ANY);
    assert_true(addr_listen_parse(":80", &address));
    static const char *const bad[] = {"",           "80",          "127.0.0.1", "127.0.0.1:",
                                      "host:80",    "1.2.3.4:0",   "1.2.3.4:x", "1.2.3.4:65536",
                                      "1.2.3.4:-1", "1.2.3.4: 80", "1.2.3:80"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(addr_listen_parse(bad[i], &address));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mac_notations),   cmocka_unit_test(test_ip_text),
        cmocka_unit_test(test_uuid_byte_order), cmocka_unit_test(test_uuid_fillers),
        cmocka_unit_test(test_subnets),         cmocka_unit_test(test_listen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
