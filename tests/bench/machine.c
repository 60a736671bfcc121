#include "machine.h"

#include <arpa/inet.h>
#include <string.h>

#include "dhcp.h"

#define UEFI_CLASS "PXEClient:Arch:00007:UNDI:003000"
#define IPXE_CLASS "PXEClient:Arch:00007:UNDI:003010"

static const uint8_t uefi_wants[] = {1,  2,  3,  4,   5,   6,   12,  13,  15,  17,  18, 22,
                                     23, 28, 40, 41,  42,  43,  50,  51,  54,  58,  59, 60,
                                     66, 67, 97, 128, 129, 130, 131, 132, 133, 134, 135};
static const uint8_t ipxe_wants[] = {1,   3,   6,   7,   12,  15,  17,  26,  43,  60,  66, 67,
                                     119, 128, 129, 130, 131, 132, 133, 134, 135, 175, 203};
static const uint8_t ipxe_features[] = {0xb1, 0x05, 0x01, 0x1a, 0xf4, 0x10, 0x00, 0xeb, 0x03,
                                        0x01, 0x00, 0x00, 0x17, 0x01, 0x01, 0x24, 0x01, 0x01,
                                        0x13, 0x01, 0x01, 0x11, 0x01, 0x01, 0x27, 0x01, 0x01,
                                        0x29, 0x01, 0x01, 0x15, 0x01, 0x01, 0x12, 0x01, 0x01};

#define OPTION(w, code, literal) dhcp_put_option(w, code, literal, sizeof(literal) - 1)

void machine_mac(uint32_t n, uint8_t mac[ADDR_MAC_LEN])
{
    const uint8_t bytes[] = {
        0x52, 0x54, 0x00, (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n,
    };
    memcpy(mac, bytes, sizeof bytes);
}

void machine_uuid(uint32_t n, uint8_t wire[ADDR_UUID_LEN])
{
    static const uint8_t made_by[] = {0x44, 0x45, 0x4c, 0x4c, 0x52, 0x00, 0x10, 0x35,
                                      0x80, 0x51, 0xb4, 0xc0, 0x00, 0x00, 0x00, 0x00};
    memcpy(wire, made_by, sizeof made_by);
    for (int i = 0; i < 4; i++)
        wire[ADDR_UUID_LEN - 1 - i] = (uint8_t)(n >> 8 * i);
}

static void put_uuid(struct bytes_writer *w, uint32_t n)
{
    uint8_t value[1 + ADDR_UUID_LEN] = {0};
    machine_uuid(n, value + 1);
    dhcp_put_option(w, DHCP_OPT_UUID, value, sizeof value);
}

static void put_uefi(struct bytes_writer *w, uint32_t n, bool discover)
{
    if (discover)
        OPTION(w, DHCP_OPT_MAX_SIZE, "\x05\xc0");
    dhcp_put_option(w, DHCP_OPT_WANTED, uefi_wants, sizeof uefi_wants);
    if (!discover) {
        OPTION(w, DHCP_OPT_MAX_SIZE, "\x05\xc0");
        OPTION(w, DHCP_OPT_VENDOR_CLASS, UEFI_CLASS);
        OPTION(w, DHCP_OPT_ARCH, "\0\7");
        OPTION(w, DHCP_OPT_UNDI, "\1\3\0");
        put_uuid(w, n);
        return;
    }
    put_uuid(w, n);
    OPTION(w, DHCP_OPT_UNDI, "\1\3\0");
    OPTION(w, DHCP_OPT_ARCH, "\0\7");
    OPTION(w, DHCP_OPT_VENDOR_CLASS, UEFI_CLASS);
}

static void put_ipxe(struct bytes_writer *w, uint32_t n)
{
    uint8_t id[1 + ADDR_MAC_LEN] = {DHCP_HTYPE_ETHERNET};
    OPTION(w, DHCP_OPT_MAX_SIZE, "\x05\xc0");
    OPTION(w, DHCP_OPT_ARCH, "\0\7");
    OPTION(w, DHCP_OPT_UNDI, "\1\3\x0a");
    OPTION(w, DHCP_OPT_VENDOR_CLASS, IPXE_CLASS);
    OPTION(w, DHCP_OPT_USER_CLASS, "iPXE");
    dhcp_put_option(w, DHCP_OPT_WANTED, ipxe_wants, sizeof ipxe_wants);
    dhcp_put_option(w, DHCP_OPT_IPXE, ipxe_features, sizeof ipxe_features);
    machine_mac(n, id + 1);
    dhcp_put_option(w, DHCP_OPT_CLIENT_ID, id, sizeof id);
    put_uuid(w, n);
}

static bool discovers(enum machine_ask ask)
{
    return ask == MACHINE_DISCOVER || ask == MACHINE_IPXE_DISCOVER;
}

size_t machine_packet(enum machine_ask ask, uint32_t n, uint32_t xid, struct in_addr own,
                      struct in_addr server, uint8_t out[MACHINE_PACKET_MAX])
{
    struct bytes_writer w = bytes_writer(out, MACHINE_PACKET_MAX);
    bool ipxe = ask == MACHINE_IPXE_DISCOVER || ask == MACHINE_IPXE_REQUEST;
    struct dhcp_header header = {
        .op = DHCP_BOOTREQUEST,
        .htype = DHCP_HTYPE_ETHERNET,
        .hlen = ADDR_MAC_LEN,
        .xid = xid,
        .flags = ask == MACHINE_DISCOVER || ask == MACHINE_IPXE_REQUEST ? DHCP_BROADCAST : 0,
        .ciaddr = own,
    };
    uint8_t message = discovers(ask) ? DHCP_DISCOVER : DHCP_REQUEST;
    machine_mac(n, header.chaddr);
    dhcp_put_header(&w, &header);
    dhcp_put_option(&w, DHCP_OPT_MESSAGE, &message, 1);
    if (ipxe)
        put_ipxe(&w, n);
    else
        put_uefi(&w, n, discovers(ask));
    if (ask == MACHINE_IPXE_REQUEST)
        dhcp_put_option(&w, DHCP_OPT_SERVER_ID, &server, sizeof server);
    bytes_put_u8(&w, DHCP_OPT_END);
    return bytes_written(&w);
}

bool machine_xid(const uint8_t *data, size_t len, uint32_t *xid)
{
    if (len < DHCP_HEADER_LEN || data[0] != DHCP_BOOTREPLY)
        return false;
    *xid = (uint32_t)data[4] << 24 | (uint32_t)data[5] << 16 | (uint32_t)data[6] << 8 | data[7];
    return true;
}

static void take_text(struct bytes text, char *out, size_t size)
{
    size_t len = text.len < size - 1 ? text.len : size - 1;
    memcpy(out, text.data, len);
    out[len] = '\0'; /* what follows a NUL of its own does not count */
}

static void tell(const struct dhcp_packet *p, struct machine_answer *answer)
{
    struct bytes file = {p->header.file, sizeof p->header.file};
    if (dhcp_has(p, DHCP_OPT_BOOT_FILE) && !file.data[0])
        file = p->options[DHCP_OPT_BOOT_FILE];
    answer->message = dhcp_message(p);
    answer->server = p->header.siaddr;
    take_text(file, answer->file, sizeof answer->file);
}

const char *machine_check(enum machine_ask ask, uint32_t n, uint32_t xid, bool boots,
                          const uint8_t *data, size_t len, struct machine_answer *answer)
{
    struct dhcp_packet p;
    uint8_t mac[ADDR_MAC_LEN], uuid[1 + ADDR_UUID_LEN] = {0};
    if (!dhcp_parse(data, len, &p))
        return "it cannot be read";
    const struct bytes *vendor_class = &p.options[DHCP_OPT_VENDOR_CLASS];
    const struct bytes *id = &p.options[DHCP_OPT_UUID];
    tell(&p, answer);
    machine_mac(n, mac);
    machine_uuid(n, uuid + 1);
    if (p.header.op != DHCP_BOOTREPLY || p.header.xid != xid)
        return "another transaction's";
    if (p.header.hlen != ADDR_MAC_LEN || memcmp(p.header.chaddr, mac, sizeof mac) != 0)
        return "another machine's hardware address";
    if (p.header.yiaddr.s_addr != 0)
        return "it gives an address (yiaddr)";
    if (answer->message != (discovers(ask) ? DHCP_OFFER : DHCP_ACK))
        return "neither the OFFER nor the ACK that was asked for (53)";
    if (dhcp_option_ip(&p, DHCP_OPT_SERVER_ID).s_addr == 0)
        return "no server identifier (54)";
    if (vendor_class->len < 9 || memcmp(vendor_class->data, "PXEClient", 9) != 0)
        return "no vendor class PXEClient (60)";
    if (id->len != sizeof uuid || memcmp(id->data, uuid, sizeof uuid) != 0)
        return "the UUID is not the machine's (97)";
    if (boots && answer->server.s_addr == 0)
        return "no boot server (siaddr)";
    if (boots && !answer->file[0])
        return "no boot file";
    return NULL;
}
