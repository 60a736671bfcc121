/* What holds for every answer of a boot server, whatever was asked and decided, checked
 * on the bytes of the answer. For tests and the fuzzer. */
#ifndef TESTS_UNIT_DHCP_RULES_H
#define TESTS_UNIT_DHCP_RULES_H

#include <arpa/inet.h>
#include <string.h>

#include "dhcp.h"
#include "reply.h"

static inline bool dhcp_rules_same_(struct bytes a, const void *data, size_t len)
{
    return a.data && a.len == len && (len == 0 || !memcmp(a.data, data, len));
}

/* Number and order of the options: each once (or in parts that stand together, all but
 * the last of them full), 82 at the end, zeros after the end option. */
static inline const char *dhcp_rules_options_(const uint8_t *out, size_t len, bool relayed)
{
    bool seen[256] = {false};
    bool last_full = false;
    int last = -1;
    size_t at = DHCP_HEADER_LEN;
    while (at < len && out[at] != DHCP_OPT_END) {
        uint8_t code = out[at];
        if (code == DHCP_OPT_PAD)
            return "a pad among the options";
        if (at + 1 >= len || at + 2 + out[at + 1] > len)
            return "an option runs past the end";
        if (seen[code] && !(last == code && last_full))
            return "an option occurs twice";
        if (out[at + 1] == 0 && code != DHCP_OPT_UUID && code != DHCP_OPT_RELAY)
            return "an empty option that is not the client's own";
        last_full = out[at + 1] == 255;
        seen[code] = true;
        last = code;
        at += 2 + (size_t)out[at + 1];
    }
    if (at >= len)
        return "no end option";
    if (relayed ? last != DHCP_OPT_RELAY : seen[DHCP_OPT_RELAY])
        return "option 82 is echoed, and the last one";
    for (at++; at < len; at++) {
        if (out[at] != 0)
            return "only zeros follow the end option";
    }
    return NULL;
}

static inline const char *dhcp_rules_header_(const struct dhcp_header *asked,
                                             const struct dhcp_header *h, bool offer,
                                             const struct reply_dhcp *reply)
{
    const char *file = reply->file ? reply->file : "";
    char sname[64] = "";
    if (h->op != DHCP_BOOTREPLY || h->htype != asked->htype || h->hlen != asked->hlen ||
        h->xid != asked->xid || memcmp(h->chaddr, asked->chaddr, sizeof h->chaddr) != 0)
        return "op is 2; htype, hlen, xid and chaddr are the client's";
    if (h->hops != 0 || h->secs != 0)
        return "hops and secs are 0";
    if (h->flags != (asked->flags | (asked->ciaddr.s_addr ? 0 : 0x8000)))
        return "flags are the client's, with the broadcast bit when it has no address";
    if (h->ciaddr.s_addr != (offer ? 0 : asked->ciaddr.s_addr))
        return "ciaddr is 0 in an OFFER, the client's in an ACK";
    if (h->yiaddr.s_addr != 0)
        return "yiaddr is 0";
    if (h->siaddr.s_addr == 0 || h->siaddr.s_addr != reply->server.s_addr)
        return "siaddr is the boot server";
    if (h->giaddr.s_addr != asked->giaddr.s_addr)
        return "giaddr is the relay's";
    inet_ntop(AF_INET, &h->siaddr, sname, sizeof sname);
    if (memcmp(h->sname, sname, sizeof sname) != 0)
        return "sname is siaddr as text";
    if (h->file[127] != '\0' || strcmp((const char *)h->file, strlen(file) <= 127 ? file : "") != 0)
        return "file is the boot file if that has at most 127 bytes";
    return NULL;
}

static inline const char *dhcp_rules_vendor_(const struct dhcp_packet *asked,
                                             const struct dhcp_packet *answer, bool offer)
{
    struct bytes class = asked->options[60];
    struct bytes vendor = answer->options[43];
    struct bytes item, echo;
    if (class.len >= 10 && !memcmp(class.data, "HTTPClient", 10))
        return vendor.data ? "no option 43 for HTTPClient" : NULL;
    if (vendor.data && (vendor.len == 0 || vendor.len > 255))
        return "option 43 has 1 to 255 bytes";
    if (!offer && dhcp_suboption(asked->options[43], 71, &item) && item.len == 4 &&
        !(dhcp_suboption(vendor, 71, &echo) && dhcp_rules_same_(echo, item.data, 4)))
        return "an ACK echoes the boot item (43.71)";
    return NULL;
}

static inline const char *dhcp_rules_values_(const struct dhcp_packet *asked,
                                             const struct dhcp_packet *answer, bool offer,
                                             struct in_addr server, const struct reply_dhcp *reply)
{
    static const uint8_t never[] = {50, 51, 52, 55, 57, 58, 59, 61, 77, 93, 94};
    const char *class = reply->vendor_class ? reply->vendor_class : "";
    struct bytes uuid = asked->options[97];
    struct bytes relay = asked->options[82];

    if (dhcp_message(answer) != (offer ? DHCP_OFFER : DHCP_ACK))
        return "an OFFER answers a DISCOVER, an ACK all else";
    if (!dhcp_rules_same_(answer->options[54], &server, sizeof server))
        return "option 54 is our address";
    if (*class ? !dhcp_rules_same_(answer->options[60], class, strlen(class))
               : dhcp_has(answer, 60))
        return "option 60 is what was decided";
    if (uuid.data ? !dhcp_rules_same_(answer->options[97], uuid.data, uuid.len)
                  : dhcp_has(answer, 97))
        return "option 97 is echoed as it came";
    if (relay.data && !dhcp_rules_same_(answer->options[82], relay.data, relay.len))
        return "option 82 is echoed whole";
    if (reply->file && strlen(reply->file) > 127 && !dhcp_has(answer, 67))
        return "a long file stands in option 67";
    for (size_t i = 0; i < sizeof never; i++) {
        if (dhcp_has(answer, never[i]))
            return "an option that a boot server never sends";
    }
    return NULL;
}

/* NULL, or the rule that `out`, the answer of `server` to `asked`, breaks. */
static inline const char *dhcp_rules_broken(const struct dhcp_packet *asked, struct in_addr server,
                                            const struct reply_dhcp *reply, const uint8_t *out,
                                            size_t len)
{
    bool offer = dhcp_message(asked) == DHCP_DISCOVER;
    struct bytes size = asked->options[57];
    size_t limit = size.len == 2 ? (size_t)(size.data[0] << 8 | size.data[1]) : 576;
    struct dhcp_packet answer;
    const char *broken;

    if (len < 300 || len > 1472 || len > (limit < 576 ? 576 : limit))
        return "300 bytes at least, and at most what the client and the MTU allow";
    if (!dhcp_parse(out, len, &answer))
        return "the answer is a sound DHCP packet";
    if ((broken = dhcp_rules_header_(&asked->header, &answer.header, offer, reply)) ||
        (broken = dhcp_rules_options_(out, len, dhcp_has(asked, 82))) ||
        (broken = dhcp_rules_vendor_(asked, &answer, offer)))
        return broken;
    return dhcp_rules_values_(asked, &answer, offer, server, reply);
}

#endif
