/* Reads a file by TFTP, again and again, as many clients: `tftpload --help`.
 *
 * Delay and loss are made here, on both directions of our own packets, where the kernel has
 * no netem: a packet waits in a queue, and one in so many is forgotten.
 * Exit 0: all that was read is right, and no read failed; 1: not so; 2: bad usage. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "load.h"
#include "reader.h"

#define EVENTS      64
#define AT_ONCE     64 /* packets of one client that are read before others get their turn */
#define SUMS        8
#define DATAGRAM    (READER_BLOCK_MAX + 4)
#define MAX_CLIENTS 4096

struct client {
    struct reader reader;
    uint32_t number;
    uint32_t reads; /* begun; packets held for an earlier one are stale */
    int fd;         /* -1: it has nothing to do any more */
    bool connected; /* to the server's port of this transfer */
    int64_t began;
};

/* A packet under way, when there is a delay. All wait as long: first in, first out. */
struct held {
    struct held *next;
    int64_t due;
    struct client *client;
    uint32_t read;
    bool outward;
    struct sockaddr_in from;
    size_t len;
    uint8_t data[];
};

/* What files are to add up to, by block size. */
struct sum {
    uint32_t blksize;
    uint64_t sum, bytes;
};

struct load {
    struct sockaddr_in server;
    struct in_addr address;
    struct reader_options options;
    uint32_t n_clients, reads;
    double seconds, delay, loss;
    const char *expect;
    bool json;

    int poll;
    struct client *clients;
    struct held *held, **held_end;
    uint64_t random;
    int64_t began, end;
    uint32_t begun, busy;
    uint64_t completed, failed, wrong, bytes, retries, dropped;
    struct load_latency latency; /* of whole reads */
    struct sum sums[SUMS];
    size_t n_sums;
    const uint8_t *expected;
    size_t expected_len;
    char why[128]; /* of the first failure */
};

static void step(struct load *load, struct client *c, enum reader_step step);

/* --- sums ----------------------------------------------------------------------------------- */

/* What came first is what all others must be, when there is nothing to compare with. */
static bool sum_is_right(struct load *load, const struct reader *r)
{
    struct sum *s = load->sums;
    while (s < load->sums + load->n_sums && s->blksize != r->blksize)
        s++;
    if (s == load->sums + load->n_sums) {
        if (load->n_sums == SUMS)
            return false;
        *s = (struct sum){r->blksize, r->sum, r->bytes};
        if (load->expected) {
            s->sum = reader_sum_file(load->expected, load->expected_len, r->blksize);
            s->bytes = load->expected_len;
        }
        load->n_sums++;
    }
    return s->sum == r->sum && s->bytes == r->bytes;
}

static void map_expected(struct load *load)
{
    struct stat st;
    int fd = open(load->expect, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0) {
        fprintf(stderr, "--expect: %s: %s\n", load->expect, strerror(errno));
        exit(2);
    }
    load->expected_len = (size_t)st.st_size;
    load->expected = (const uint8_t *)"";
    if (st.st_size > 0)
        load->expected = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    if (load->expected == MAP_FAILED) {
        perror("--expect");
        exit(2);
    }
}

/* --- packets -------------------------------------------------------------------------------- */

static void send_now(struct load *load, struct client *c, const uint8_t *data, size_t len)
{
    ssize_t sent = c->connected ? send(c->fd, data, len, 0)
                                : sendto(c->fd, data, len, 0, (struct sockaddr *)&load->server,
                                         sizeof load->server);
    if (sent < 0 && errno != EAGAIN && errno != ENOBUFS && errno != ECONNREFUSED) {
        perror("tftpload: cannot send");
        exit(2);
    }
}

static void take_now(struct load *load, struct client *c, const struct sockaddr_in *from,
                     const uint8_t *data, size_t len)
{
    if (!c->connected) {
        /* The first answer says which port the transfer has; others are dropped from now on. */
        connect(c->fd, (const struct sockaddr *)from, sizeof *from);
        c->connected = true;
    }
    step(load, c, reader_take(&c->reader, data, len, load_now()));
}

static bool is_lost(struct load *load)
{
    bool lost = load->loss > 0 && load_fraction(&load->random) < load->loss;
    load->dropped += lost;
    return lost;
}

static void hold(struct load *load, struct client *c, bool outward, const struct sockaddr_in *from,
                 const uint8_t *data, size_t len)
{
    struct held *h = malloc(sizeof *h + len);
    if (!h)
        return; /* lost */
    *h = (struct held){.due = load_now() + (int64_t)(load->delay * 1e6),
                       .client = c,
                       .read = c->reads,
                       .outward = outward,
                       .len = len};
    if (from)
        h->from = *from;
    memcpy(h->data, data, len);
    *load->held_end = h;
    load->held_end = &h->next;
}

static void release_due(struct load *load)
{
    struct held *h;
    while ((h = load->held) && h->due <= load_now()) {
        struct client *c = h->client;
        load->held = h->next;
        if (!load->held)
            load->held_end = &load->held;
        bool fresh = c->fd >= 0 && c->reads == h->read;
        if (fresh && h->outward)
            send_now(load, c, h->data, h->len);
        else if (fresh)
            take_now(load, c, &h->from, h->data, h->len);
        free(h);
    }
}

static void send_out(struct load *load, struct client *c)
{
    if (is_lost(load))
        return;
    if (load->delay > 0)
        hold(load, c, true, NULL, c->reader.out, c->reader.out_len);
    else
        send_now(load, c, c->reader.out, c->reader.out_len);
}

static void receive(struct load *load, struct client *c)
{
    static uint8_t data[DATAGRAM];
    uint32_t read = c->reads;
    for (int i = 0; i < AT_ONCE && c->fd >= 0 && c->reads == read; i++) {
        struct sockaddr_in from;
        socklen_t from_len = sizeof from;
        ssize_t len =
            recvfrom(c->fd, data, sizeof data, MSG_DONTWAIT, (struct sockaddr *)&from, &from_len);
        if (len < 0 && errno == ECONNREFUSED)
            continue;
        if (len < 0)
            return;
        if (is_lost(load))
            continue;
        if (load->delay > 0)
            hold(load, c, false, &from, data, (size_t)len);
        else
            take_now(load, c, &from, data, (size_t)len);
    }
}

/* --- reads ---------------------------------------------------------------------------------- */

static void begin(struct load *load, struct client *c)
{
    int64_t now = load_now();
    c->fd = -1;
    if (now >= load->end || (load->reads && load->begun == load->reads))
        return;
    struct in_addr any = {INADDR_ANY};
    c->fd = load_udp(load->address.s_addr ? load_nth(load->address, c->number) : any, 0, NULL);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    epoll_ctl(load->poll, EPOLL_CTL_ADD, c->fd, &event);
    c->connected = false;
    c->began = now;
    c->reads++;
    load->begun++;
    load->busy++;
    reader_start(&c->reader, &load->options, now);
    send_out(load, c);
}

static void end(struct load *load, struct client *c)
{
    load->bytes += c->reader.bytes;
    load->retries += c->reader.retries;
    load->busy--;
    close(c->fd);
}

static void fail(struct load *load, uint64_t *counter, const char *why)
{
    ++*counter;
    if (!load->why[0])
        snprintf(load->why, sizeof load->why, "%s", why);
}

static void step(struct load *load, struct client *c, enum reader_step step)
{
    switch (step) {
    case READER_WAIT:
        return;
    case READER_SEND:
        send_out(load, c);
        return;
    case READER_DONE:
        /* The final ACK skips the queue: nobody waits for it but the server. */
        send_now(load, c, c->reader.out, c->reader.out_len);
        if (!sum_is_right(load, &c->reader))
            fail(load, &load->wrong, "what was read is not the file");
        load->completed++;
        load_latency_add(&load->latency, load_now() - c->began);
        break;
    case READER_FAILED:
        fail(load, &load->failed, c->reader.why);
        break;
    }
    end(load, c);
    begin(load, c);
}

/* Ends what is under way when the time is up, and tells the server. */
static void stop(struct load *load)
{
    static const uint8_t aborted[] = "\0\5\0\0user aborted";
    for (uint32_t i = 0; i < load->n_clients; i++) {
        struct client *c = &load->clients[i];
        if (c->fd < 0)
            continue;
        if (c->connected)
            send_now(load, c, aborted, sizeof aborted);
        end(load, c);
        c->fd = -1;
    }
}

/* Sends again what got no answer; when there will be something to do, at the latest. */
static int64_t expire(struct load *load)
{
    int64_t now = load_now(), next = load->end;
    for (uint32_t i = 0; i < load->n_clients; i++) {
        struct client *c = &load->clients[i];
        if (c->fd >= 0 && c->reader.deadline <= now)
            step(load, c, reader_expire(&c->reader, now));
        if (c->fd >= 0 && c->reader.deadline < next)
            next = c->reader.deadline;
    }
    return next;
}

static void run(struct load *load)
{
    struct epoll_event events[EVENTS];
    load->began = load_now();
    load->end = load->began + (int64_t)(load->seconds * 1e9);
    for (uint32_t i = 0; i < load->n_clients; i++) {
        load->clients[i].number = i;
        begin(load, &load->clients[i]);
    }
    int64_t alarm = 0;
    while (load->busy > 0 && load_now() < load->end) {
        release_due(load);
        if (alarm <= load_now()) /* a millisecond more or less is nothing to it */
            alarm = expire(load);
        if (load->busy == 0)
            break;
        int64_t later = load_now() + LOAD_SECOND / 1000;
        int64_t until = alarm > later ? alarm : later;
        if (load->held && load->held->due < until)
            until = load->held->due;
        int n = load_wait(load->poll, events, EVENTS, until);
        for (int i = 0; i < n; i++)
            receive(load, events[i].data.ptr);
        if (alarm > later)
            alarm = later;
    }
    load->end = load_now();
    stop(load);
}

/* --- what came of it ------------------------------------------------------------------------ */

static double elapsed(const struct load *load)
{
    return (double)(load->end - load->began) / 1e9;
}

static void print_text(const struct load *load)
{
    printf("%.2f MB/s, %llu bytes in %.2f s; %llu reads, %llu failed, %llu wrong; "
           "%llu sent again\n",
           (double)load->bytes / 1e6 / elapsed(load), (unsigned long long)load->bytes,
           elapsed(load), (unsigned long long)load->completed, (unsigned long long)load->failed,
           (unsigned long long)load->wrong, (unsigned long long)load->retries);
    load_latency_text(stdout, "reads", &load->latency);
    for (size_t i = 0; i < load->n_sums; i++)
        printf("blksize %u: %llu bytes, sum %016llx\n", load->sums[i].blksize,
               (unsigned long long)load->sums[i].bytes, (unsigned long long)load->sums[i].sum);
    if (load->why[0])
        printf("first failure: %s\n", load->why);
}

static void print_json(const struct load *load)
{
    printf("{\"clients\": %u, \"seconds\": %.3f, \"bytes\": %llu, \"mb_per_second\": %.3f, "
           "\"reads\": %llu, \"failed\": %llu, \"wrong\": %llu, \"sent_again\": %llu, "
           "\"dropped\": %llu, \"sums\": {",
           load->n_clients, elapsed(load), (unsigned long long)load->bytes,
           (double)load->bytes / 1e6 / elapsed(load), (unsigned long long)load->completed,
           (unsigned long long)load->failed, (unsigned long long)load->wrong,
           (unsigned long long)load->retries, (unsigned long long)load->dropped);
    for (size_t i = 0; i < load->n_sums; i++)
        printf("%s\"%u\": \"%016llx\"", i ? ", " : "", load->sums[i].blksize,
               (unsigned long long)load->sums[i].sum);
    printf("}, ");
    load_latency_json(stdout, "latency", &load->latency);
    printf("}\n");
}

static _Noreturn void usage(int status)
{
    fputs("usage: tftpload [OPTION]... SERVER FILE\n"
          "Reads FILE by TFTP, again and again, as many clients.\n\n"
          "  --clients N      that read at once (1)\n"
          "  --reads N        end after so many\n"
          "  --seconds S      end after so long (2); what is under way is aborted\n"
          "  --blksize N      ask for it, --windowsize N, --tsize: for these\n"
          "  --timeout S      after it a packet is sent again (4, as UEFI does)\n"
          "  --delay MS       each packet is late by so much, in both directions\n"
          "  --loss SHARE     so many get lost, in both directions (0.01: one in a hundred)\n"
          "  --seed N         of the losses (1)\n"
          "  --address A      the first client's address; each has the next one\n"
          "  --port N         the server's (69)\n"
          "  --expect PATH    what is read has to be the same as this file\n"
          "  --json           print JSON\n",
          status ? stderr : stdout);
    exit(status);
}

static void read_options(struct load *load, int argc, char **argv)
{
    static const struct option options[] = {
        {"clients", 1, NULL, 'c'}, {"reads", 1, NULL, 'r'},      {"seconds", 1, NULL, 's'},
        {"blksize", 1, NULL, 'b'}, {"windowsize", 1, NULL, 'w'}, {"tsize", 0, NULL, 'z'},
        {"timeout", 1, NULL, 't'}, {"delay", 1, NULL, 'd'},      {"loss", 1, NULL, 'l'},
        {"seed", 1, NULL, 'S'},    {"address", 1, NULL, 'a'},    {"port", 1, NULL, 'p'},
        {"expect", 1, NULL, 'e'},  {"json", 0, NULL, 'j'},       {"help", 0, NULL, 'h'},
        {NULL, 0, NULL, 0}};
    int c, at;
    while ((c = getopt_long(argc, argv, "", options, &at)) != -1) {
        const char *name = c == '?' ? "" : options[at].name;
        if (c == 'c')
            load->n_clients = (uint32_t)load_number(name, optarg, 1, MAX_CLIENTS);
        else if (c == 'r')
            load->reads = (uint32_t)load_number(name, optarg, 1, 1e9);
        else if (c == 's')
            load->seconds = load_number(name, optarg, 0.01, 3600);
        else if (c == 'b')
            load->options.blksize = (uint32_t)load_number(name, optarg, 8, READER_BLOCK_MAX);
        else if (c == 'w')
            load->options.windowsize = (uint32_t)load_number(name, optarg, 1, 65535);
        else if (c == 'z')
            load->options.tsize = true;
        else if (c == 't')
            load->options.timeout = (int64_t)(load_number(name, optarg, 0.01, 60) * 1e9);
        else if (c == 'd')
            load->delay = load_number(name, optarg, 0, 10000);
        else if (c == 'l')
            load->loss = load_number(name, optarg, 0, 0.99);
        else if (c == 'S')
            load->random = (uint64_t)load_number(name, optarg, 1, 1e9);
        else if (c == 'a')
            load->address = load_address("--address", optarg);
        else if (c == 'p')
            load->server.sin_port = htons((uint16_t)load_number(name, optarg, 1, 65535));
        else if (c == 'e')
            load->expect = optarg;
        else if (c == 'j')
            load->json = true;
        else
            usage(c == 'h' ? 0 : 2);
    }
    if (optind != argc - 2)
        usage(2);
    load->server.sin_addr = load_address("SERVER", argv[optind]);
    load->options.file = argv[optind + 1];
}

int main(int argc, char **argv)
{
    static struct load load = {.server = {.sin_family = AF_INET},
                               .options = {.timeout = 4 * LOAD_SECOND},
                               .n_clients = 1,
                               .seconds = 2,
                               .random = 1};
    load.server.sin_port = htons(69);
    load.held_end = &load.held;
    read_options(&load, argc, argv);
    if (load.expect)
        map_expected(&load);
    load_want_files(load.n_clients + 16);
    load.poll = epoll_create1(EPOLL_CLOEXEC);
    load.clients = calloc(load.n_clients, sizeof *load.clients);
    if (!load.clients || load.poll < 0)
        return 2;
    prctl(PR_SET_TIMERSLACK, 1);
    load.random *= UINT64_C(0x9e3779b97f4a7c15);
    run(&load);
    (load.json ? print_json : print_text)(&load);
    free(load.clients);
    return load.failed + load.wrong == 0 && load.completed > 0 ? 0 : 1;
}
