/* Asks a proxyDHCP server for boots, as many machines: `dhcpload --help`.
 *
 * Open loop (--rate): packets leave when they are due, whatever the answers do; a latency
 * counts from when its packet was due. Closed loop (--outstanding): so many wait at any time.
 * Exit 0: all were answered, and well; 1: not all; 2: bad usage. */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "load.h"
#include "machine.h"

#define BATCH     64
#define EXCHANGES (1U << 18) /* that may wait at once */
#define REASONS   8

enum { BROADCAST, BOOT, SOCKETS };

struct exchange {
    int64_t due;
    uint32_t machine;
    uint8_t ask;
    bool waits;
    bool counts; /* it is not of the warm-up */
};

struct tally {
    uint64_t sent, answered, lost;
    struct load_latency latency;
};

struct wrong {
    const char *why;
    uint64_t n;
};

struct outbox {
    unsigned n;
    struct mmsghdr messages[BATCH];
    struct iovec vectors[BATCH];
    struct sockaddr_in to[BATCH];
    uint8_t data[BATCH][MACHINE_PACKET_MAX];
    _Alignas(struct cmsghdr) uint8_t control[BATCH][CMSG_SPACE(sizeof(struct in_pktinfo))];
};

struct load {
    struct in_addr server, address; /* 0.0.0.0: the kernel chooses ours */
    uint32_t machines, first;
    double rate;
    uint32_t outstanding;
    double seconds, warmup, timeout;
    uint16_t port, boot_port;
    const char *interface;
    const char *file;
    bool discovers, requests, json;

    int fds[SOCKETS];
    int poll;
    struct in_addr own;
    struct exchange *exchanges; /* number n at n % EXCHANGES; from `oldest` to `next` */
    uint32_t base;              /* the xid of exchange 0 */
    uint32_t oldest, next, waiting;
    uint32_t turn; /* of the machines */
    int64_t began, counted_from, end;
    uint64_t n_due;
    struct tally tallies[2]; /* of OFFERs, of ACKs */
    uint64_t n_wrong, late;
    struct wrong wrong[REASONS];
    struct outbox outbox[SOCKETS];
};

static void note_wrong(struct load *load, const char *why)
{
    load->n_wrong++;
    for (size_t i = 0; i < REASONS; i++) {
        if (!load->wrong[i].why || !strcmp(load->wrong[i].why, why)) {
            load->wrong[i].why = why;
            load->wrong[i].n++;
            return;
        }
    }
}

/* --- out ------------------------------------------------------------------------------------ */

static void flush(struct load *load, int s)
{
    struct outbox *box = &load->outbox[s];
    unsigned done = 0;
    while (done < box->n) {
        int n = sendmmsg(load->fds[s], box->messages + done, box->n - done, 0);
        if (n < 0 && errno != EAGAIN && errno != ENOBUFS && errno != ECONNREFUSED) {
            perror("dhcpload: cannot send");
            exit(2);
        }
        if (n < 0 && errno != ECONNREFUSED) {
            struct epoll_event event;
            load_wait(load->poll, &event, 1, load_now() + LOAD_SECOND / 10000);
        }
        done += n > 0 ? (unsigned)n : 0;
    }
    box->n = 0;
}

static struct in_addr own_address(const struct load *load, uint32_t machine)
{
    return load->address.s_addr ? load_nth(load->address, machine) : load->own;
}

/* Where a machine's packet goes. On an interface a DISCOVER is a broadcast; without one it
 * asks the server itself, with ciaddr set, so that the answer comes back to our port. */
static void post(struct load *load, const struct exchange *x, uint32_t xid)
{
    int s = x->ask == MACHINE_DISCOVER ? BROADCAST : BOOT;
    bool broadcast = s == BROADCAST && load->interface;
    struct outbox *box = &load->outbox[s];
    struct in_addr own = own_address(load, x->machine), none = {INADDR_ANY};
    unsigned i = box->n++;
    box->to[i] = (struct sockaddr_in){
        .sin_family = AF_INET,
        .sin_port = htons(s == BROADCAST ? load->port : load->boot_port),
        .sin_addr = broadcast ? (struct in_addr){htonl(INADDR_BROADCAST)} : load->server,
    };
    size_t len = machine_packet(x->ask, load->first + x->machine, xid, broadcast ? none : own,
                                load->server, box->data[i]);
    box->vectors[i] = (struct iovec){box->data[i], len};
    struct msghdr *message = &box->messages[i].msg_hdr;
    *message = (struct msghdr){.msg_name = &box->to[i],
                               .msg_namelen = sizeof box->to[i],
                               .msg_iov = &box->vectors[i],
                               .msg_iovlen = 1};
    if (load->address.s_addr && !broadcast) {
        struct in_pktinfo info = {.ipi_spec_dst = own};
        message->msg_control = box->control[i];
        message->msg_controllen = sizeof box->control[i];
        struct cmsghdr *header = CMSG_FIRSTHDR(message);
        header->cmsg_level = IPPROTO_IP;
        header->cmsg_type = IP_PKTINFO;
        header->cmsg_len = CMSG_LEN(sizeof info);
        memcpy(CMSG_DATA(header), &info, sizeof info);
    }
    if (box->n == BATCH)
        flush(load, s);
}

static void lose(struct load *load, struct exchange *x)
{
    x->waits = false;
    load->waiting--;
    if (x->counts)
        load->tallies[x->ask == MACHINE_REQUEST].lost++;
}

static void ask(struct load *load, uint32_t machine, enum machine_ask kind, int64_t due)
{
    if (load->next - load->oldest == EXCHANGES) {
        struct exchange *last = &load->exchanges[load->oldest++ % EXCHANGES];
        if (last->waits)
            lose(load, last);
    }
    uint32_t number = load->next++;
    struct exchange *x = &load->exchanges[number % EXCHANGES];
    *x = (struct exchange){due, machine, (uint8_t)kind, true, due >= load->counted_from};
    load->waiting++;
    if (x->counts)
        load->tallies[kind == MACHINE_REQUEST].sent++;
    post(load, x, load->base + number);
}

static void ask_next(struct load *load, int64_t due)
{
    ask(load, load->turn, load->discovers ? MACHINE_DISCOVER : MACHINE_REQUEST, due);
    load->turn = (load->turn + 1) % load->machines;
}

/* Sends what is due; when the next one is. */
static int64_t send_due(struct load *load)
{
    int64_t now = load_now(), next = load->end;
    if (load->rate > 0) {
        for (;; load->n_due++) {
            next = load->began + (int64_t)((double)load->n_due * 1e9 / load->rate);
            if (next > now || next >= load->end)
                break;
            ask_next(load, next);
        }
        next = next < load->end ? next : load->end;
    } else {
        while (load->waiting < load->outstanding && now < load->end)
            ask_next(load, now);
    }
    flush(load, BROADCAST);
    flush(load, BOOT);
    return next;
}

/* --- in ------------------------------------------------------------------------------------- */

static void take(struct load *load, const uint8_t *data, size_t len, int64_t now)
{
    struct machine_answer answer;
    uint32_t xid;
    if (!machine_xid(data, len, &xid) || xid - load->base - load->oldest >= EXCHANGES ||
        xid - load->base >= load->next) {
        load->late++;
        return;
    }
    struct exchange *x = &load->exchanges[(xid - load->base) % EXCHANGES];
    if (!x->waits) {
        load->late++;
        return;
    }
    bool boots = x->ask == MACHINE_REQUEST || (load->file && !load->requests);
    const char *why =
        machine_check(x->ask, load->first + x->machine, xid, boots, data, len, &answer);
    if (!why && boots && load->file && strcmp(answer.file, load->file) != 0)
        why = "another boot file";
    if (why) {
        note_wrong(load, why);
        lose(load, x);
        return;
    }
    struct tally *tally = &load->tallies[x->ask == MACHINE_REQUEST];
    x->waits = false;
    load->waiting--;
    if (x->counts) {
        tally->answered++;
        load_latency_add(&tally->latency, now - x->due);
    }
    if (x->ask == MACHINE_DISCOVER && load->requests)
        ask(load, x->machine, MACHINE_REQUEST, now);
}

static void receive(struct load *load, int fd)
{
    static uint8_t data[BATCH][2048];
    struct mmsghdr messages[BATCH];
    struct iovec vectors[BATCH];
    for (size_t i = 0; i < BATCH; i++) {
        vectors[i] = (struct iovec){data[i], sizeof data[i]};
        messages[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = &vectors[i], .msg_iovlen = 1}};
    }
    int n = recvmmsg(fd, messages, BATCH, MSG_DONTWAIT, NULL);
    int64_t now = load_now();
    for (int i = 0; i < n; i++)
        take(load, data[i], messages[i].msg_len, now);
}

/* Gives up what has waited too long; when the next one will have. */
static int64_t expire(struct load *load)
{
    int64_t now = load_now(), timeout = (int64_t)(load->timeout * 1e9);
    while (load->oldest != load->next) {
        struct exchange *x = &load->exchanges[load->oldest % EXCHANGES];
        if (x->waits && now - x->due < timeout)
            return x->due + timeout;
        if (x->waits)
            lose(load, x);
        load->oldest++;
    }
    return now + timeout;
}

static void run(struct load *load)
{
    struct epoll_event events[SOCKETS];
    load->began = load_now();
    load->counted_from = load->began + (int64_t)(load->warmup * 1e9);
    load->end = load->counted_from + (int64_t)(load->seconds * 1e9);
    for (;;) {
        int64_t due = send_due(load);
        int64_t until = expire(load);
        bool sending = load_now() < load->end;
        if (!sending && load->waiting == 0)
            break;
        if (sending && due < until)
            until = due;
        int n = load_wait(load->poll, events, SOCKETS, until);
        for (int i = 0; i < n; i++)
            receive(load, events[i].data.fd);
    }
}

/* --- what came of it ------------------------------------------------------------------------ */

static bool all_well(const struct load *load)
{
    const struct tally *offers = &load->tallies[0], *acks = &load->tallies[1];
    return load->n_wrong == 0 && offers->lost + acks->lost == 0 &&
           offers->answered + acks->answered > 0;
}

static void print_text(const struct load *load)
{
    static const char *const names[] = {"offers", "acks"};
    for (int i = 0; i < 2; i++) {
        const struct tally *t = &load->tallies[i];
        if (t->sent == 0)
            continue;
        printf("%s: %.0f/s, %llu asked, %llu answered, %llu lost (%.3f %%)\n", names[i],
               (double)t->answered / load->seconds, (unsigned long long)t->sent,
               (unsigned long long)t->answered, (unsigned long long)t->lost,
               100 * (double)t->lost / (double)t->sent);
        load_latency_text(stdout, names[i], &t->latency);
    }
    for (size_t i = 0; i < REASONS && load->wrong[i].why; i++)
        printf("wrong: %llu: %s\n", (unsigned long long)load->wrong[i].n, load->wrong[i].why);
    if (load->late)
        printf("late or repeated: %llu\n", (unsigned long long)load->late);
}

static void print_json(const struct load *load)
{
    static const char *const names[] = {"offers", "acks"};
    printf("{\"machines\": %u, \"seconds\": %g", load->machines, load->seconds);
    for (int i = 0; i < 2; i++) {
        const struct tally *t = &load->tallies[i];
        printf(", \"%s\": {\"per_second\": %.1f, \"sent\": %llu, \"answered\": %llu, "
               "\"lost\": %llu, ",
               names[i], (double)t->answered / load->seconds, (unsigned long long)t->sent,
               (unsigned long long)t->answered, (unsigned long long)t->lost);
        load_latency_json(stdout, "latency", &t->latency);
        printf("}");
    }
    printf(", \"late\": %llu, \"wrong\": {", (unsigned long long)load->late);
    for (size_t i = 0; i < REASONS && load->wrong[i].why; i++)
        printf("%s\"%s\": %llu", i ? ", " : "", load->wrong[i].why,
               (unsigned long long)load->wrong[i].n);
    printf("}}\n");
}

static _Noreturn void usage(int status)
{
    fputs("usage: dhcpload [OPTION]... SERVER\n"
          "Asks a proxyDHCP server for boots, as many machines.\n\n"
          "  --machines N      that take turns (1000)\n"
          "  --first N         the first machine's number, its MAC's last three bytes (1)\n"
          "  --rate N          so many a second, whatever the answers do (open loop)\n"
          "  --outstanding N   so many wait at any time (closed loop; 64)\n"
          "  --stages WHICH    discover, request (port 4011), both (discover)\n"
          "  --seconds S       counted (2); --warmup S before, not counted (0.2)\n"
          "  --timeout S       after it an answer counts as lost (1)\n"
          "  --interface NAME  broadcast there, from port 68; else ask SERVER itself\n"
          "  --address A       the first machine's address; each has the next one\n"
          "  --port N, --boot-port N   the server's (67, 4011)\n"
          "  --file NAME       what an answer has to name\n"
          "  --json            print JSON\n",
          status ? stderr : stdout);
    exit(status);
}

static void set_stages(struct load *load, const char *text)
{
    load->discovers = !strcmp(text, "discover") || !strcmp(text, "both");
    load->requests = !strcmp(text, "request") || !strcmp(text, "both");
    if (!load->discovers && !load->requests) {
        fprintf(stderr, "--stages: '%s' is none of discover, request, both\n", text);
        exit(2);
    }
}

static void read_options(struct load *load, int argc, char **argv)
{
    static const struct option options[] = {
        {"machines", 1, NULL, 'm'}, {"first", 1, NULL, 'f'},       {"rate", 1, NULL, 'r'},
        {"stages", 1, NULL, 'g'},   {"outstanding", 1, NULL, 'o'}, {"seconds", 1, NULL, 's'},
        {"warmup", 1, NULL, 'w'},   {"timeout", 1, NULL, 't'},     {"interface", 1, NULL, 'i'},
        {"address", 1, NULL, 'a'},  {"port", 1, NULL, 'p'},        {"boot-port", 1, NULL, 'b'},
        {"file", 1, NULL, 'F'},     {"json", 0, NULL, 'j'},        {"help", 0, NULL, 'h'},
        {NULL, 0, NULL, 0}};
    int c, at;
    while ((c = getopt_long(argc, argv, "", options, &at)) != -1) {
        const char *name = c == '?' ? "" : options[at].name;
        if (c == 'm')
            load->machines = (uint32_t)load_number(name, optarg, 1, 1 << 24);
        else if (c == 'f')
            load->first = (uint32_t)load_number(name, optarg, 0, 1 << 24);
        else if (c == 'r')
            load->rate = load_number(name, optarg, 0.1, 1e7);
        else if (c == 'o')
            load->outstanding = (uint32_t)load_number(name, optarg, 1, EXCHANGES / 4);
        else if (c == 's')
            load->seconds = load_number(name, optarg, 0.01, 3600);
        else if (c == 'w')
            load->warmup = load_number(name, optarg, 0, 3600);
        else if (c == 't')
            load->timeout = load_number(name, optarg, 0.001, 60);
        else if (c == 'p')
            load->port = (uint16_t)load_number(name, optarg, 1, 65535);
        else if (c == 'b')
            load->boot_port = (uint16_t)load_number(name, optarg, 1, 65535);
        else if (c == 'a')
            load->address = load_address("--address", optarg);
        else if (c == 'g')
            set_stages(load, optarg);
        else if (c == 'i')
            load->interface = optarg;
        else if (c == 'F')
            load->file = optarg;
        else if (c == 'j')
            load->json = true;
        else
            usage(c == 'h' ? 0 : 2);
    }
    if (optind != argc - 1)
        usage(2);
    load->server = load_address("SERVER", argv[optind]);
}

static void open_sockets(struct load *load)
{
    struct in_addr any = {INADDR_ANY};
    load->own = load_way_to(load->server);
    load->fds[BROADCAST] = load_udp(any, load->interface ? 68 : 0, load->interface);
    load->fds[BOOT] = load_udp(any, load->interface ? load->boot_port : 0, load->interface);
    load->poll = epoll_create1(EPOLL_CLOEXEC);
    for (int s = 0; s < SOCKETS; s++) {
        struct epoll_event event = {.events = EPOLLIN, .data.fd = load->fds[s]};
        epoll_ctl(load->poll, EPOLL_CTL_ADD, load->fds[s], &event);
    }
}

int main(int argc, char **argv)
{
    static struct load load = {.machines = 1000,
                               .first = 1,
                               .outstanding = 64,
                               .seconds = 2,
                               .warmup = 0.2,
                               .timeout = 1,
                               .port = 67,
                               .boot_port = 4011,
                               .discovers = true};
    read_options(&load, argc, argv);
    load.exchanges = calloc(EXCHANGES, sizeof *load.exchanges);
    if (!load.exchanges)
        return 2;
    uint64_t random = (uint64_t)load_now() | 1;
    load.base = (uint32_t)(load_random(&random) >> 32); /* not an earlier run's */
    prctl(PR_SET_TIMERSLACK, 1);
    open_sockets(&load);
    run(&load);
    (load.json ? print_json : print_text)(&load);
    free(load.exchanges);
    return all_well(&load) ? 0 : 1;
}
