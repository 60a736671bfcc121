/* libFuzzer entry for the DHCP path: any datagram, on either port, and whatever is
 * answered keeps the rules. The first byte picks the port and the kind of reply. */
#include <stdio.h>
#include <stdlib.h>

#include "../unit/dhcp_rules.h"
#include "dhcp_map.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static struct dhcp_packet packet;
    static char long_file[400];
    static uint8_t filler[300];
    struct reply_option options[] = {
        {43, 4, (uint8_t[]){6, 1, 8, 255}},
        {175, 300, filler},
        {210, 200, filler},
    };
    struct dhcp_map_arrival arrival = {
        .sender = {.sin_family = AF_INET, .sin_port = htons(68), .sin_addr = {htonl(0x0a000032)}},
        .server = {htonl(0x0a000002)},
        .interface = "eth0"};
    struct request request;
    uint8_t out[DHCP_MAP_REPLY_MAX];

    if (len == 0)
        return 0;
    uint8_t how = data[0];
    arrival.boot_server_port = how & 1;
    memset(long_file, 'f', sizeof long_file - 1);
    struct reply_dhcp reply = {.file = how & 2 ? long_file : (char *)"boot/file",
                               .server = {htonl(0x0a000003)},
                               .vendor_class = how & 4 ? NULL : (char *)"PXEClient",
                               .options = options,
                               .n_options = how >> 3 & 3};
    if (!dhcp_parse(data + 1, len - 1, &packet) || dhcp_map_request(&packet, &arrival, &request))
        return 0;
    (void)dhcp_map_destination(&packet, &arrival, 68);
    size_t n = dhcp_map_reply(&packet, &request, &reply, out, sizeof out);
    const char *broken = n ? dhcp_rules_broken(&packet, arrival.server, &reply, out, n) : NULL;
    if (broken) {
        fprintf(stderr, "broken: %s\n", broken);
        abort();
    }
    return 0;
}
