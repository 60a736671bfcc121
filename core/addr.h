/* Addresses and identifiers, between their text and their bytes. */
#ifndef MOONBOOT_ADDR_H
#define MOONBOOT_ADDR_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ADDR_MAC_LEN   6
#define ADDR_UUID_LEN  16
#define ADDR_MAC_TEXT  18 /* "52:54:00:12:34:56" and its NUL */
#define ADDR_UUID_TEXT 37 /* "00112233-4455-6677-8899-aabbccddeeff" and its NUL */

/* An IPv4 network; `address` has no bits outside `mask`. Host byte order. */
struct addr_subnet {
    uint32_t address;
    uint32_t mask;
};

/* Lower case, colons. */
void addr_mac_text(const uint8_t mac[ADDR_MAC_LEN], char out[ADDR_MAC_TEXT]);

/* Dotted quad, into INET_ADDRSTRLEN bytes; returns `out`. */
char *addr_ip_text(struct in_addr ip, char out[INET_ADDRSTRLEN]);

/* Any common notation, in any case: aa:bb:cc:dd:ee:ff, aa-bb-cc-dd-ee-ff,
 * aabb.ccdd.eeff, aabbccddeeff, and a:b:c:d:e:f with single digits. */
bool addr_mac_parse(const char *text, uint8_t mac[ADDR_MAC_LEN]);

/* A UUID as option 97 and SMBIOS carry it, its first three fields little-endian
 * (SMBIOS 3, 7.2.1), printed as dmidecode and iPXE's ${uuid} print it. */
void addr_uuid_text(const uint8_t wire[ADDR_UUID_LEN], char out[ADDR_UUID_TEXT]);

/* The text form, any case, with or without dashes and braces; the bytes come out
 * in wire order (see above). */
bool addr_uuid_parse(const char *text, uint8_t wire[ADDR_UUID_LEN]);

/* True for the values firmware sends when it has none: all 0x00 or all 0xff. */
bool addr_uuid_absent(const uint8_t wire[ADDR_UUID_LEN]);

/* Dotted quad only; host byte order. */
bool addr_ip_parse(const char *text, uint32_t *ip);

/* "10.0.0.0/8", or an address alone (a /32). False when the text is neither, or
 * has bits set outside the mask. */
bool addr_subnet_parse(const char *text, struct addr_subnet *subnet);

/* "ADDRESS:PORT", with "*" or an empty address for all of them. */
bool addr_listen_parse(const char *text, struct sockaddr_in *out);

#endif
