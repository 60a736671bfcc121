#include "boot.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define TFTP_AT_ONCE 32
#define DHCP_TRIES   4
#define DHCP_WAIT    (4 * LOAD_SECOND) /* UEFI's; it doubles */
#define TFTP_WAIT    (4 * LOAD_SECOND)

const char *const boot_step_names[BOOT_STEPS] = {"discover",    "request",       "tftp_size",
                                                 "tftp",        "ipxe_discover", "ipxe_request",
                                                 "ipxe_script", "script",        "files"};

static void start_step(struct boot *b);

static void leave(struct boot *b, enum boot_step how)
{
    b->step = how;
    b->world->over++;
    b->deadline = INT64_MAX;
    if (b->tftp_fd >= 0)
        close(b->tftp_fd);
    b->tftp_fd = -1;
    fetch_close(&b->fetch);
    free(b->urls);
    b->urls = NULL;
}

static void fail(struct boot *b, const char *why)
{
    for (size_t i = 0; i < BOOT_REASONS; i++) {
        if (b->world->reasons[i].n &&
            (b->world->reasons[i].step != b->step || strcmp(b->world->reasons[i].why, why) != 0))
            continue;
        b->world->reasons[i].step = b->step;
        snprintf(b->world->reasons[i].why, sizeof b->world->reasons[i].why, "%s", why);
        b->world->reasons[i].n++;
        break;
    }
    leave(b, BOOT_FAILED);
}

/* The step is done: the next one. */
static void advance(struct boot *b)
{
    int64_t now = load_now();
    load_latency_add(&b->world->steps[b->step], now - b->step_began);
    b->step++;
    b->step_began = now;
    b->tries = 0;
    if (b->step != BOOT_DONE) {
        start_step(b);
        return;
    }
    load_latency_add(&b->world->total, now - b->began);
    b->world->booted++;
    leave(b, BOOT_DONE);
}

/* --- DHCP ----------------------------------------------------------------------------------- */

static bool is_dhcp(enum boot_step step)
{
    return step == BOOT_DISCOVER || step == BOOT_REQUEST || step == BOOT_IPXE_DISCOVER ||
           step == BOOT_IPXE_REQUEST;
}

static enum machine_ask ask_of(enum boot_step step)
{
    return step == BOOT_DISCOVER        ? MACHINE_DISCOVER
           : step == BOOT_REQUEST       ? MACHINE_REQUEST
           : step == BOOT_IPXE_DISCOVER ? MACHINE_IPXE_DISCOVER
                                        : MACHINE_IPXE_REQUEST;
}

static uint32_t xid_of(const struct boot *b)
{
    return b->world->xid + b->number * BOOT_STEPS + (uint32_t)b->step;
}

/* From the machine's own address, but to all on an interface: whoever broadcasts has none. */
static void send_dhcp(struct boot *b)
{
    struct boot_world *world = b->world;
    bool discovers = b->step == BOOT_DISCOVER || b->step == BOOT_IPXE_DISCOVER;
    bool broadcast = discovers && world->interface;
    struct in_addr none = {INADDR_ANY}, all = {htonl(INADDR_BROADCAST)};
    struct in_addr own = broadcast ? none : b->own;
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(discovers ? world->port : world->boot_port),
                             .sin_addr = broadcast ? all : world->server};
    uint8_t data[MACHINE_PACKET_MAX];
    size_t len = machine_packet(ask_of(b->step), world->first + b->number, xid_of(b), own,
                                world->server, data);
    b->deadline = load_now() + (DHCP_WAIT << b->tries);
    if (!load_send_from(b->step == BOOT_REQUEST ? world->boot_fd : world->discover_fd, own, &to,
                        data, len))
        fail(b, strerror(errno));
}

void boot_take_dhcp(struct boot_world *world, const uint8_t *data, size_t len)
{
    uint32_t xid;
    if (!machine_xid(data, len, &xid) || xid - world->xid >= world->machines * BOOT_STEPS)
        return;
    struct boot *b = &world->boots[(xid - world->xid) / BOOT_STEPS];
    if (!b->world || !is_dhcp(b->step) || xid != xid_of(b))
        return; /* it has come before */
    bool boots = b->step == BOOT_REQUEST || b->step == BOOT_IPXE_REQUEST;
    const char *why =
        machine_check(ask_of(b->step), world->first + b->number, xid, boots, data, len, &b->answer);
    if (why)
        fail(b, why);
    else
        advance(b);
}

/* --- TFTP ----------------------------------------------------------------------------------- */

static void send_tftp(const struct boot *b)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(b->world->tftp_port),
                             .sin_addr = b->answer.server};
    const struct sockaddr *address = b->tftp_connected ? NULL : (struct sockaddr *)&to;
    /* What does not leave is lost on the way: the deadline will see to it. */
    (void)!sendto(b->tftp_fd, b->reader.out, b->reader.out_len, 0, address,
                  address ? sizeof to : 0);
}

static void start_tftp(struct boot *b)
{
    struct in_addr any = {INADDR_ANY};
    b->tftp = (struct reader_options){.file = b->answer.file,
                                      .blksize = 1468,
                                      .windowsize = 4,
                                      .probe = b->step == BOOT_TFTP_SIZE,
                                      .timeout = TFTP_WAIT};
    b->tftp_fd = load_udp(b->world->address.s_addr ? b->own : any, 0, NULL);
    b->tftp_connected = false;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = b};
    epoll_ctl(b->world->poll, EPOLL_CTL_ADD, b->tftp_fd, &event);
    reader_start(&b->reader, &b->tftp, load_now());
    b->deadline = b->reader.deadline;
    send_tftp(b);
}

static void step_tftp(struct boot *b, enum reader_step step)
{
    b->deadline = b->reader.deadline;
    if (step == READER_FAILED) {
        fail(b, b->reader.why);
        return;
    }
    if (step != READER_WAIT)
        send_tftp(b);
    if (step != READER_DONE)
        return;
    b->world->bytes += b->reader.bytes;
    b->world->retries += b->reader.retries;
    close(b->tftp_fd);
    b->tftp_fd = -1;
    advance(b);
}

static void receive_tftp(struct boot *b)
{
    int fd = b->tftp_fd;
    for (int i = 0; i < TFTP_AT_ONCE && b->tftp_fd == fd; i++) {
        uint8_t data[2048];
        struct sockaddr_in from;
        socklen_t from_len = sizeof from;
        ssize_t len =
            recvfrom(fd, data, sizeof data, MSG_DONTWAIT, (struct sockaddr *)&from, &from_len);
        if (len < 0)
            return;
        if (!b->tftp_connected) {
            connect(fd, (struct sockaddr *)&from, sizeof from);
            b->tftp_connected = true;
        }
        step_tftp(b, reader_take(&b->reader, data, (size_t)len, load_now()));
        if (b->step != BOOT_TFTP && b->step != BOOT_TFTP_SIZE)
            return;
    }
}

/* --- HTTP ----------------------------------------------------------------------------------- */

/* The file of that name, when there is one to compare with. */
static const struct boot_file *file_of(const struct boot_world *world, const char *url)
{
    const char *name = strrchr(url, '/');
    for (size_t i = 0; name && i < world->n_files; i++) {
        if (!strcmp(world->files[i].name, name + 1))
            return &world->files[i];
    }
    return NULL;
}

static void get(struct boot *b, const char *url)
{
    const struct boot_file *file = b->step == BOOT_FILES ? file_of(b->world, url) : NULL;
    struct in_addr any = {INADDR_ANY};
    b->fetch.expected = file ? file->data : NULL;
    b->fetch.expected_len = file ? file->len : 0;
    b->deadline = load_now() + b->world->timeout;
    if (fetch_get(&b->fetch, url, b->world->address.s_addr ? b->own : any, b->world->poll, b) ==
        FETCH_FAILED)
        fail(b, b->fetch.why);
}

/* What iPXE knows of the machine. */
static void describe(const struct boot *b, struct script *script)
{
    uint32_t n = b->world->first + b->number;
    uint8_t mac[ADDR_MAC_LEN], uuid[ADDR_UUID_LEN];
    char text[64];
    machine_mac(n, mac);
    addr_mac_text(mac, text);
    for (char *colon = text; (colon = strchr(colon, ':'));)
        *colon = '-';
    script_set(script, "mac", text);
    script_set(script, "netX/mac", text);
    machine_uuid(n, uuid);
    addr_uuid_text(uuid, text);
    script_set(script, "uuid", text);
    snprintf(text, sizeof text, "S%07u", n);
    script_set(script, "serial", text);
    inet_ntop(AF_INET, &b->own, text, sizeof text);
    script_set(script, "netX/ip", text);
    script_set(script, "buildarch", "x86_64");
    script_set(script, "platform", "efi");
    script_set(script, "manufacturer", "Dell%20Inc.");
    script_set(script, "product", "PowerEdge%20R640");
}

static void chain(struct boot *b)
{
    struct script script = {0};
    char url[SCRIPT_VALUE];
    describe(b, &script);
    if (script_chain(&script, fetch_body(&b->fetch), url))
        get(b, url);
    else
        fail(b, "/boot.ipxe chains to nothing");
}

static void start_files(struct boot *b)
{
    b->url = 0;
    b->urls = calloc(SCRIPT_FILES, sizeof *b->urls);
    b->n_urls = b->urls ? script_files(fetch_body(&b->fetch), b->urls) : 0;
    if (b->n_urls > 0)
        get(b, b->urls[0]);
    else
        fail(b, "the script loads nothing");
}

static void read_http(struct boot *b)
{
    uint64_t before = b->fetch.got;
    enum fetch_step step = fetch_on_event(&b->fetch);
    if (step == FETCH_FAILED) {
        fail(b, b->fetch.why);
    } else if (step == FETCH_WAIT) {
        if (b->fetch.got != before)
            b->deadline = load_now() + b->world->timeout;
    } else {
        b->world->bytes += b->fetch.length;
        if (b->step == BOOT_FILES && ++b->url < b->n_urls)
            get(b, b->urls[b->url]);
        else
            advance(b);
    }
}

/* --- the course of a boot ------------------------------------------------------------------- */

static void start_step(struct boot *b)
{
    switch (b->step) {
    case BOOT_DISCOVER:
    case BOOT_REQUEST:
    case BOOT_IPXE_DISCOVER:
    case BOOT_IPXE_REQUEST:
        send_dhcp(b);
        break;
    case BOOT_TFTP_SIZE:
    case BOOT_TFTP:
        start_tftp(b);
        break;
    case BOOT_IPXE_SCRIPT:
        get(b, b->answer.file);
        break;
    case BOOT_SCRIPT:
        chain(b);
        break;
    case BOOT_FILES:
        start_files(b);
        break;
    case BOOT_DONE:
    case BOOT_FAILED:
        break;
    }
}

void boot_begin(struct boot_world *world, uint32_t number, int64_t due)
{
    struct boot *b = &world->boots[number];
    *b = (struct boot){.world = world, .number = number, .began = due, .step_began = due};
    b->own = world->address.s_addr ? load_nth(world->address, number) : world->own;
    b->tftp_fd = b->fetch.fd = -1;
    start_step(b);
}

void boot_on_event(struct boot *b)
{
    if (b->tftp_fd >= 0)
        receive_tftp(b);
    else if (b->fetch.fd >= 0)
        read_http(b);
}

void boot_expire(struct boot *b)
{
    if (is_dhcp(b->step)) {
        b->world->retries++;
        if (++b->tries < DHCP_TRIES)
            send_dhcp(b);
        else
            fail(b, "no answer");
    } else if (b->tftp_fd >= 0) {
        step_tftp(b, reader_expire(&b->reader, load_now()));
    } else {
        fail(b, "nothing comes any more");
    }
}
