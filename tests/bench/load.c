#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "addr.h"

#define SOCKET_BUFFER (8 << 20)

int64_t load_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * LOAD_SECOND + now.tv_nsec;
}

uint64_t load_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

double load_fraction(uint64_t *state)
{
    return (double)(load_random(state) >> 11) / (double)(UINT64_C(1) << 53);
}

/* Values below 64 have a bucket each; above, the six bits after the highest one say which. */
static size_t bucket_of(uint64_t value)
{
    if (value < 1U << LOAD_BITS_)
        return (size_t)value;
    unsigned shift = 63U - (unsigned)__builtin_clzll(value) - LOAD_BITS_;
    return ((size_t)(shift + 1) << LOAD_BITS_) + (size_t)(value >> shift) - (1U << LOAD_BITS_);
}

/* The largest value of a bucket. */
static uint64_t top_of(size_t bucket)
{
    if (bucket < 1U << LOAD_BITS_)
        return bucket;
    unsigned shift = (unsigned)(bucket >> LOAD_BITS_) - 1;
    uint64_t top = (bucket & ((1U << LOAD_BITS_) - 1)) + (1U << LOAD_BITS_);
    return ((top + 1) << shift) - 1;
}

void load_latency_add(struct load_latency *latency, int64_t ns)
{
    uint64_t value = ns > 0 ? (uint64_t)ns : 0;
    latency->n++;
    latency->counts[bucket_of(value)]++;
    if (latency->max < value)
        latency->max = value;
}

double load_latency_ms(const struct load_latency *latency, double share)
{
    double wanted = share * (double)latency->n;
    uint64_t seen = 0;
    for (size_t i = 0; i < LOAD_BUCKETS_ && latency->n; i++) {
        seen += latency->counts[i];
        if (seen > 0 && (double)seen >= wanted) {
            uint64_t top = top_of(i);
            return (double)(top < latency->max ? top : latency->max) / 1e6;
        }
    }
    return 0;
}

void load_latency_text(FILE *out, const char *name, const struct load_latency *latency)
{
    fprintf(out, "%-16s %8llu  p50 %.3f ms, p99 %.3f ms, p99.9 %.3f ms, max %.3f ms\n", name,
            (unsigned long long)latency->n, load_latency_ms(latency, 0.5),
            load_latency_ms(latency, 0.99), load_latency_ms(latency, 0.999),
            (double)latency->max / 1e6);
}

void load_latency_json(FILE *out, const char *name, const struct load_latency *latency)
{
    fprintf(out,
            "\"%s\": {\"n\": %llu, \"p50_ms\": %.4f, \"p99_ms\": %.4f, \"p999_ms\": %.4f, "
            "\"max_ms\": %.4f}",
            name, (unsigned long long)latency->n, load_latency_ms(latency, 0.5),
            load_latency_ms(latency, 0.99), load_latency_ms(latency, 0.999),
            (double)latency->max / 1e6);
}

double load_number(const char *option, const char *text, double least, double most)
{
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end || !(value >= least && value <= most)) {
        fprintf(stderr, "--%s: '%s' is no number from %g to %g\n", option, text, least, most);
        exit(2);
    }
    return value;
}

struct in_addr load_address(const char *option, const char *text)
{
    uint32_t ip;
    if (!addr_ip_parse(text, &ip)) {
        fprintf(stderr, "%s: '%s' is no IPv4 address\n", option, text);
        exit(2);
    }
    return (struct in_addr){htonl(ip)};
}

static bool set_int(int fd, int level, int option, int value)
{
    return setsockopt(fd, level, option, &value, sizeof value) == 0;
}

int load_udp(struct in_addr address, uint16_t port, const char *interface)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = address};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || !set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1) ||
        !set_int(fd, SOL_SOCKET, SO_BROADCAST, 1) ||
        !set_int(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT) ||
        (interface && setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, interface,
                                 (socklen_t)strlen(interface) + 1) < 0) ||
        bind(fd, (struct sockaddr *)&at, sizeof at) < 0) {
        char text[INET_ADDRSTRLEN];
        inet_ntop(AF_INET, &address, text, sizeof text);
        fprintf(stderr, "UDP %s port %u%s%s: %s\n", text, port, interface ? " on " : "",
                interface ? interface : "", strerror(errno));
        exit(2);
    }
    /* What is lost is to be the server's doing. Root may exceed the limit. */
    if (!set_int(fd, SOL_SOCKET, SO_RCVBUFFORCE, SOCKET_BUFFER))
        set_int(fd, SOL_SOCKET, SO_RCVBUF, SOCKET_BUFFER);
    if (!set_int(fd, SOL_SOCKET, SO_SNDBUFFORCE, SOCKET_BUFFER))
        set_int(fd, SOL_SOCKET, SO_SNDBUF, SOCKET_BUFFER);
    return fd;
}

bool load_send_from(int fd, struct in_addr own, const struct sockaddr_in *to, const void *data,
                    size_t len)
{
    _Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(sizeof(struct in_pktinfo))] = {0};
    struct in_pktinfo info = {.ipi_spec_dst = own};
    struct iovec vector = {(void *)data, len};
    struct msghdr message = {.msg_name = (void *)to,
                             .msg_namelen = sizeof *to,
                             .msg_iov = &vector,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = sizeof control};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = IPPROTO_IP;
    header->cmsg_type = IP_PKTINFO;
    header->cmsg_len = CMSG_LEN(sizeof info);
    memcpy(CMSG_DATA(header), &info, sizeof info);
    return sendmsg(fd, &message, 0) >= 0 || errno == EAGAIN || errno == ENOBUFS ||
           errno == ECONNREFUSED;
}

struct in_addr load_way_to(struct in_addr server)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(67), .sin_addr = server};
    struct sockaddr_in own = {0};
    socklen_t len = sizeof own;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) < 0 ||
        getsockname(fd, (struct sockaddr *)&own, &len) < 0) {
        perror("no way to the server");
        exit(2);
    }
    close(fd);
    return own.sin_addr;
}

void load_want_files(size_t n)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur < n) {
        fprintf(stderr, "%zu open files are needed, %llu allowed\n", n,
                (unsigned long long)limit.rlim_cur);
        exit(2);
    }
}

struct in_addr load_nth(struct in_addr first, uint32_t i)
{
    return (struct in_addr){htonl(ntohl(first.s_addr) + i)};
}

int load_wait(int poll, struct epoll_event *events, int max, int64_t until)
{
    int64_t wait = until - load_now();
    if (wait < 0)
        wait = 0;
    struct timespec time = {.tv_sec = wait / LOAD_SECOND, .tv_nsec = wait % LOAD_SECOND};
    int n = epoll_pwait2(poll, events, max, &time, NULL);
    if (n < 0 && errno != EINTR) {
        perror("epoll_pwait2");
        exit(2);
    }
    return n < 0 ? 0 : n;
}
