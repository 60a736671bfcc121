#include "addr.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"

/* Every packet's addresses become text: printf would take longer over them than the rest of
 * the codec together. */
static char *put_byte(uint8_t byte, char *out)
{
    static const char digits[] = "0123456789abcdef";
    *out++ = digits[byte >> 4];
    *out++ = digits[byte & 15];
    return out;
}

void addr_mac_text(const uint8_t mac[ADDR_MAC_LEN], char out[ADDR_MAC_TEXT])
{
    for (int i = 0; i < ADDR_MAC_LEN; i++) {
        out = put_byte(mac[i], out);
        *out++ = i < ADDR_MAC_LEN - 1 ? ':' : '\0';
    }
}

char *addr_ip_text(struct in_addr ip, char out[INET_ADDRSTRLEN])
{
    uint32_t host = ntohl(ip.s_addr);
    char *at = out;
    for (int shift = 24; shift >= 0; shift -= 8) {
        unsigned byte = host >> shift & 255;
        if (byte >= 100)
            *at++ = (char)('0' + byte / 100);
        if (byte >= 10)
            *at++ = (char)('0' + byte / 10 % 10);
        *at++ = (char)('0' + byte % 10);
        *at++ = shift ? '.' : '\0';
    }
    return out;
}

/* Six groups of one or two digits between equal separators. */
static bool mac_in_groups(const char *s, char separator, uint8_t mac[ADDR_MAC_LEN])
{
    for (int i = 0; i < ADDR_MAC_LEN; i++) {
        int high = 0, low = bytes_hex_digit(*s);
        if (low < 0)
            return false;
        if (bytes_hex_digit(*++s) >= 0) {
            high = low;
            low = bytes_hex_digit(*s++);
        }
        mac[i] = (uint8_t)(high << 4 | low);
        if (*s++ != (i < ADDR_MAC_LEN - 1 ? separator : '\0'))
            return false;
    }
    return true;
}

/* Twelve digits, with a dot after each four when `dotted`. */
static bool mac_in_digits(const char *s, bool dotted, uint8_t mac[ADDR_MAC_LEN])
{
    for (int i = 0; i < ADDR_MAC_LEN; i++) {
        if (dotted && (i == 2 || i == 4) && *s++ != '.')
            return false;
        int high = bytes_hex_digit(s[0]);
        int low = high < 0 ? -1 : bytes_hex_digit(s[1]);
        if (low < 0)
            return false;
        mac[i] = (uint8_t)(high << 4 | low);
        s += 2;
    }
    return *s == '\0';
}

bool addr_mac_parse(const char *text, uint8_t mac[ADDR_MAC_LEN])
{
    if (strchr(text, ':'))
        return mac_in_groups(text, ':', mac);
    if (strchr(text, '-'))
        return mac_in_groups(text, '-', mac);
    return mac_in_digits(text, strchr(text, '.') != NULL, mac);
}

/* The order in which the text form names the bytes of the wire form. */
static const uint8_t uuid_order[ADDR_UUID_LEN] = {3, 2, 1,  0,  5,  4,  7,  6,
                                                  8, 9, 10, 11, 12, 13, 14, 15};

static bool uuid_dash_after(int i)
{
    return i == 3 || i == 5 || i == 7 || i == 9;
}

void addr_uuid_text(const uint8_t wire[ADDR_UUID_LEN], char out[ADDR_UUID_TEXT])
{
    for (int i = 0; i < ADDR_UUID_LEN; i++) {
        out = put_byte(wire[uuid_order[i]], out);
        if (uuid_dash_after(i))
            *out++ = '-';
    }
    *out = '\0';
}

bool addr_uuid_parse(const char *text, uint8_t wire[ADDR_UUID_LEN])
{
    bool braces = *text == '{';
    if (braces)
        text++;
    bool dashes = strchr(text, '-') != NULL;
    for (int i = 0; i < ADDR_UUID_LEN; i++) {
        int high = bytes_hex_digit(text[0]);
        int low = high < 0 ? -1 : bytes_hex_digit(text[1]);
        if (low < 0)
            return false;
        wire[uuid_order[i]] = (uint8_t)(high << 4 | low);
        text += 2;
        if (dashes && uuid_dash_after(i) && *text++ != '-')
            return false;
    }
    return !strcmp(text, braces ? "}" : "");
}

bool addr_uuid_absent(const uint8_t wire[ADDR_UUID_LEN])
{
    if (wire[0] != 0x00 && wire[0] != 0xff)
        return false;
    for (int i = 1; i < ADDR_UUID_LEN; i++) {
        if (wire[i] != wire[0])
            return false;
    }
    return true;
}

bool addr_ip_parse(const char *text, uint32_t *ip)
{
    struct in_addr in;
    if (inet_pton(AF_INET, text, &in) != 1)
        return false;
    *ip = ntohl(in.s_addr);
    return true;
}

/* A decimal number of at most `max`, all of `text`. */
static bool number_parse(const char *text, unsigned long max, unsigned long *number)
{
    if (*text < '0' || *text > '9')
        return false;
    char *end;
    *number = strtoul(text, &end, 10);
    return *end == '\0' && *number <= max;
}

bool addr_subnet_parse(const char *text, struct addr_subnet *subnet)
{
    char address[INET_ADDRSTRLEN];
    const char *slash = strchr(text, '/');
    size_t len = slash ? (size_t)(slash - text) : strlen(text);
    unsigned long bits = 32;
    if (len >= sizeof address || (slash && !number_parse(slash + 1, 32, &bits)))
        return false;
    memcpy(address, text, len);
    address[len] = '\0';
    subnet->mask = bits ? UINT32_MAX << (32 - bits) : 0;
    return addr_ip_parse(address, &subnet->address) && !(subnet->address & ~subnet->mask);
}

bool addr_listen_parse(const char *text, struct sockaddr_in *out)
{
    char address[INET_ADDRSTRLEN];
    const char *colon = strrchr(text, ':');
    unsigned long port;
    uint32_t ip = INADDR_ANY;
    size_t len = colon ? (size_t)(colon - text) : 0;
    if (!colon || len >= sizeof address || !number_parse(colon + 1, 65535, &port) || port == 0)
        return false;
    memcpy(address, text, len);
    address[len] = '\0';
    if (len && strcmp(address, "*") != 0 && !addr_ip_parse(address, &ip))
        return false;
    *out = (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(ip)};
    return true;
}
