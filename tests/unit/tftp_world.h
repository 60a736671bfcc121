/* A TFTP server on loopback for tests: a directory of files, sockets that play the
 * client, and a policy that goes by the file's name. The library's policy_decide is not
 * linked, since this one comes first. Server and test take turns in one process, so that
 * sanitizers see both. */
#ifndef TESTS_TFTP_WORLD_H
#define TESTS_TFTP_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "log.h"
#include "tftp.h"
#include "tftp_server.h"

#define MAX_SERVERS 3
#define MAX_HELD    8
#define BODY        "#!ipxe\nexit\n"

struct policy {
    struct {
        policy_done *done;
        void *arg;
    } held[MAX_HELD];
    size_t n_held;
    bool cancels; /* what is held, when it is told to */
    size_t n_asked;
    struct request last;
    char last_file[TFTP_NAME_MAX + 1];
};

struct world {
    struct event_base *base;
    struct policy policy;
    struct metrics_board *board;
    struct files files;
    char directory[64];
    unsigned n_servers;
    struct tftp_server *servers[MAX_SERVERS];
    int fds[MAX_SERVERS];
    uint16_t port;
    unsigned n_idle;
};

static inline struct reply *body_of(const char *text)
{
    struct reply *reply = reply_alloc(REPLY_BODY);
    reply->body.len = strlen(text);
    reply->body.data = (uint8_t *)strdup(text);
    return reply;
}

static inline struct reply *decide(const char *file)
{
    if (!strcmp(file, "body"))
        return body_of(BODY);
    if (!strcmp(file, "empty-body"))
        return reply_alloc(REPLY_BODY);
    if (!strcmp(file, "denied"))
        return reply_error(REPLY_DENIED, "not for you");
    if (!strcmp(file, "failed"))
        return reply_error(REPLY_FAILED, "policy.lua:3: no");
    if (!strcmp(file, "silence"))
        return reply_alloc(REPLY_SILENCE);
    if (!strcmp(file, "dhcp"))
        return reply_alloc(REPLY_DHCP);
    struct reply *reply = reply_alloc(REPLY_FILE);
    reply->file.path = strdup(file);
    if (!strcmp(file, "otherwise"))
        reply->file.otherwise = body_of(BODY);
    return reply;
}

void policy_decide(struct policy *policy, const struct request *request, policy_done *done,
                   void *arg)
{
    policy->n_asked++;
    policy->last = *request;
    snprintf(policy->last_file, sizeof policy->last_file, "%s", request->tftp.file);
    if (!strncmp(request->tftp.file, "hold", 4)) {
        assert_true(policy->n_held < MAX_HELD);
        policy->held[policy->n_held].done = done;
        policy->held[policy->n_held++].arg = arg;
        return;
    }
    done(decide(request->tftp.file), arg);
}

bool policy_cancel(struct policy *policy, const void *arg)
{
    for (size_t i = 0; policy->cancels && i < policy->n_held; i++) {
        if (policy->held[i].arg == arg) {
            policy->held[i] = policy->held[--policy->n_held];
            return true;
        }
    }
    return false;
}

/* --- the world: a directory, and servers on one port --- */

static inline void on_idle(void *arg)
{
    ((struct world *)arg)->n_idle++;
}

/* What a byte of every test file is, by its offset: no block looks like another. */
static inline uint8_t content(size_t at)
{
    uint32_t mixed = (uint32_t)at * 2654435761U;
    return (uint8_t)(mixed >> 24 ^ mixed >> 13);
}

static inline void make_file(const struct world *w, const char *name, size_t size)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", w->directory, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    for (size_t i = 0; i < size; i++)
        putc(content(i), f);
    assert_int_equal(fclose(f), 0);
}

static inline void open_world(struct world *w, unsigned n, unsigned max_transfers,
                              unsigned max_per_client)
{
    *w = (struct world){.n_servers = n, .directory = "/tmp/moonboot-tftp-XXXXXX"};
    assert_non_null(mkdtemp(w->directory));
    w->base = event_base_new();
    w->board = metrics_board_alloc();
    w->files.roots[REPLY_ROOT_TFTP] = files_root_open(w->directory);
    w->files.roots[REPLY_ROOT_ASSETS] = w->files.packages = -1;
    for (unsigned i = 0; i < n; i++) {
        w->fds[i] = tftp_server_bind(w->port, n);
        assert_true(w->fds[i] >= 0);
        struct sockaddr_in address;
        socklen_t len = sizeof address;
        assert_int_equal(getsockname(w->fds[i], (struct sockaddr *)&address, &len), 0);
        w->port = ntohs(address.sin_port);
        const struct tftp_server_options options = {
            .fd = w->fds[i],
            .max_transfers = max_transfers,
            .max_per_client = max_per_client,
            .files = &w->files,
            .policy = &w->policy,
            .metrics = &w->board->slots[i],
            .idle = on_idle,
            .arg = w,
        };
        w->servers[i] = tftp_server_open(w->base, &options);
        assert_non_null(w->servers[i]);
    }
}

static inline void close_world(struct world *w)
{
    for (unsigned i = 0; i < w->n_servers; i++) {
        tftp_server_close(w->servers[i]);
        close(w->fds[i]);
    }
    close(w->files.roots[REPLY_ROOT_TFTP]);
    metrics_board_free(w->board);
    event_base_free(w->base);
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", w->directory);
    assert_int_equal(system(command), 0);
}

static inline uint64_t counted(const struct world *w, enum metrics_counter counter)
{
    return atomic_load(&w->board->slots[0].counters[counter]);
}

static inline int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* --- a client, step by step --- */

struct peer {
    struct world *w;
    int fd;
    struct sockaddr_in from; /* where the last packet came from */
    uint8_t data[65536];
    size_t len;
};

static inline void open_peer(struct peer *p, struct world *w, const char *address)
{
    p->w = w;
    p->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    struct sockaddr_in local = {.sin_family = AF_INET};
    local.sin_addr.s_addr = inet_addr(address);
    assert_int_equal(bind(p->fd, (struct sockaddr *)&local, sizeof local), 0);
}

static inline void turn(struct world *w)
{
    event_base_loop(w->base, EVLOOP_NONBLOCK);
}

/* Waits up to `ms` for a packet while the servers run. */
static inline bool receive_within(struct peer *p, int ms)
{
    int64_t end = now_ms() + ms;
    for (;;) {
        turn(p->w);
        socklen_t len = sizeof p->from;
        ssize_t got =
            recvfrom(p->fd, p->data, sizeof p->data, 0, (struct sockaddr *)&p->from, &len);
        if (got >= 0) {
            p->len = (size_t)got;
            return true;
        }
        if (now_ms() >= end)
            return false;
        struct pollfd poll_fd = {.fd = p->fd, .events = POLLIN};
        poll(&poll_fd, 1, 1);
    }
}

static inline void receive(struct peer *p)
{
    assert_true(receive_within(p, 3000));
}

static inline void nothing_comes(struct peer *p, int ms)
{
    assert_false(receive_within(p, ms));
}

static inline void send_to_port(struct peer *p, uint16_t port, const void *data, size_t len)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(sendto(p->fd, data, len, 0, (struct sockaddr *)&to, sizeof to), len);
}

/* A read request: name, mode and options in one text, each ended by '|'. */
static inline void request(struct peer *p, const char *text)
{
    char packet[1024] = {0, TFTP_RRQ};
    size_t len = strlen(text);
    memcpy(packet + 2, text, len);
    for (size_t i = 2; i < len + 2; i++)
        if (packet[i] == '|')
            packet[i] = '\0';
    send_to_port(p, p->w->port, packet, len + 2);
}

static inline void ack(struct peer *p, uint16_t block)
{
    uint8_t packet[] = {0, TFTP_ACK, (uint8_t)(block >> 8), (uint8_t)block};
    send_to_port(p, ntohs(p->from.sin_port), packet, sizeof packet);
}

static inline void abort_transfer(struct peer *p)
{
    send_to_port(p, ntohs(p->from.sin_port), "\0\5\0\10stop", 9);
    turn(p->w);
    turn(p->w);
}

static inline unsigned opcode_of(const struct peer *p)
{
    assert_true(p->len >= 2);
    return p->data[1];
}

static inline unsigned number_of(const struct peer *p)
{
    assert_true(p->len >= 4);
    return (unsigned)p->data[2] << 8 | p->data[3];
}

static inline void expect_error(struct peer *p, enum tftp_error code, const char *message)
{
    receive(p);
    assert_int_equal(opcode_of(p), TFTP_ERROR);
    assert_int_equal(number_of(p), code);
    assert_int_equal(p->data[p->len - 1], 0);
    assert_string_equal((char *)p->data + 4, message);
}

static inline void expect_data(struct peer *p, unsigned block, size_t len)
{
    receive(p);
    assert_int_equal(opcode_of(p), TFTP_DATA);
    assert_int_equal(number_of(p), block);
    assert_int_equal(p->len, len + 4);
}

static inline void expect_oack(struct peer *p, const char *text)
{
    receive(p);
    assert_int_equal(opcode_of(p), TFTP_OACK);
    for (size_t i = 2; i < p->len; i++)
        if (!p->data[i])
            p->data[i] = '|';
    p->data[p->len] = '\0';
    assert_string_equal((char *)p->data + 2, text);
}

/* Fetches a whole file by blocks of `size`, an ACK for every `window` of them. */
static inline void fetch_rest(struct peer *p, size_t size, unsigned window, size_t expected)
{
    size_t got = 0;
    for (uint16_t block = 1;; block++) {
        receive(p);
        assert_int_equal(opcode_of(p), TFTP_DATA);
        assert_int_equal(number_of(p), block);
        for (size_t i = 4; i < p->len; i += 97)
            assert_int_equal(p->data[i], content(got + i - 4));
        got += p->len - 4;
        bool last = p->len - 4 < size;
        if (last || block % window == 0)
            ack(p, block);
        if (last)
            break;
    }
    assert_int_equal(got, expected);
    turn(p->w);
    turn(p->w);
}

static inline struct world *setup_world(struct world *w)
{
    open_world(w, 1, 100, 10);
    return w;
}

#endif
