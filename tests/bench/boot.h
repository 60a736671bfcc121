/* One machine's boot from its first DISCOVER to the last byte of its files, as steps that
 * events move on. What UEFI does first, iPXE does from IPXE_DISCOVER on. */
#ifndef BENCH_BOOT_H
#define BENCH_BOOT_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "fetch.h"
#include "load.h"
#include "machine.h"
#include "reader.h"
#include "script.h"

#define BOOT_REASONS 8

enum boot_step {
    BOOT_DISCOVER,
    BOOT_REQUEST,
    BOOT_TFTP_SIZE, /* UEFI asks how long the file is, and leaves */
    BOOT_TFTP,
    BOOT_IPXE_DISCOVER,
    BOOT_IPXE_REQUEST,
    BOOT_IPXE_SCRIPT, /* /boot.ipxe */
    BOOT_SCRIPT,      /* what that chains to */
    BOOT_FILES,       /* kernel and initrds */
    BOOT_STEPS,
    BOOT_DONE = BOOT_STEPS,
    BOOT_FAILED
};

/* A file that must come out as it is here. */
struct boot_file {
    char name[256];
    const uint8_t *data;
    size_t len;
};

/* What all machines share. */
struct boot_world {
    struct in_addr server, address; /* the first machine's; 0.0.0.0: all have `own` */
    struct in_addr own;
    uint32_t machines, first;
    uint16_t port, boot_port, tftp_port;
    const char *interface; /* NULL: no broadcasts, the server is asked itself */
    int64_t timeout;       /* for a step of TFTP or HTTP */
    int poll, discover_fd, boot_fd;
    uint32_t xid; /* of machine 0's step 0 */
    struct boot *boots;
    struct boot_file *files;
    size_t n_files;

    uint32_t over; /* machines that are done, or failed */
    uint64_t booted, retries, bytes;
    struct load_latency steps[BOOT_STEPS], total;
    struct {
        enum boot_step step;
        char why[128];
        uint64_t n;
    } reasons[BOOT_REASONS];
};

struct boot {
    struct boot_world *world;
    uint32_t number;
    enum boot_step step;
    int64_t began, step_began, deadline;
    unsigned tries;
    struct in_addr own;
    struct machine_answer answer;
    struct reader_options tftp;
    struct reader reader;
    int tftp_fd; /* -1: none */
    bool tftp_connected;
    struct fetch fetch;
    size_t n_urls, url;
    char (*urls)[SCRIPT_VALUE];
};

extern const char *const boot_step_names[BOOT_STEPS];

/* Machine number `number` is switched on; that should have been at `due`. */
void boot_begin(struct boot_world *world, uint32_t number, int64_t due);

/* Its socket has something (events of world->poll point to the boot), or its deadline has
 * come. */
void boot_on_event(struct boot *b);
void boot_expire(struct boot *b);

/* A datagram that came to one of the sockets of DHCP. */
void boot_take_dhcp(struct boot_world *world, const uint8_t *data, size_t len);

#endif
