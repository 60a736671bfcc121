/* What the load generators share: a clock, latencies, options, sockets, JSON. */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define LOAD_SECOND INT64_C(1000000000) /* times are nanoseconds of CLOCK_MONOTONIC */

#define LOAD_BITS_    6 /* 64 buckets for each power of two: to within 1.6 % */
#define LOAD_BUCKETS_ ((64 - LOAD_BITS_) << LOAD_BITS_)

/* Latencies in nanoseconds. All zero: none yet. */
struct load_latency {
    uint64_t n;
    uint64_t max;
    uint64_t counts[LOAD_BUCKETS_];
};

int64_t load_now(void);

/* xorshift64; the state is never 0. */
uint64_t load_random(uint64_t *state);

/* A number below 1. */
double load_fraction(uint64_t *state);

void load_latency_add(struct load_latency *latency, int64_t ns);

/* The value that `share` of them (0.99) do not exceed, in milliseconds; 0 for none. */
double load_latency_ms(const struct load_latency *latency, double share);

/* "p50 0.123 ms, p99 …" and the same as an object's members. */
void load_latency_text(FILE *out, const char *name, const struct load_latency *latency);
void load_latency_json(FILE *out, const char *name, const struct load_latency *latency);

/* The number that an option was given. Exits with 2 when it is none, or out of range. */
double load_number(const char *option, const char *text, double least, double most);
struct in_addr load_address(const char *option, const char *text);

/* A UDP socket, non-blocking, bound to any address or to one, on one interface unless
 * `interface` is NULL. Exits with 2, saying why, when it cannot be had. */
int load_udp(struct in_addr address, uint16_t port, const char *interface);

/* Sends a datagram, from that address of ours unless it is 0.0.0.0. False, with errno:
 * there is no way to the receiver; a full buffer counts as a loss. */
bool load_send_from(int fd, struct in_addr own, const struct sockaddr_in *to, const void *data,
                    size_t len);

/* The address that packets to `server` leave from. Exits with 2 when there is no way. */
struct in_addr load_way_to(struct in_addr server);

/* Room for as many descriptors as the limits allow; exits with 2 when `n` are too many. */
void load_want_files(size_t n);

/* The `i`th address from `first` on. */
struct in_addr load_nth(struct in_addr first, uint32_t i);

/* Waits for epoll descriptor `poll`, until the time `until` at the latest; what
 * epoll_wait returns, 0 when interrupted. */
struct epoll_event;
int load_wait(int poll, struct epoll_event *events, int max, int64_t until);

#endif
