#include "sockets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "activation.h"
#include "dhcp_server.h"
#include "http_server.h"
#include "tftp_server.h"

#define TAKEN_MS       2000 /* for the processes of a service that was killed to end */
#define PROBE_PAUSE_MS 20

/* Workers share a port by SO_REUSEPORT, which would let a second service of the same user
 * slip in among them and take a part of the requests. A socket without it finds out
 * whether the address is free. 0 or a negative errno. */
static int probe_once(int type, const struct sockaddr_in *address)
{
    int on = 1, error = 0;
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    /* For TCP, connections of a service that has just ended do not count. */
    if (type == SOCK_STREAM && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0)
        error = -errno;
    if (!error && bind(fd, (const struct sockaddr *)address, sizeof *address) < 0)
        error = -errno;
    close(fd);
    return error;
}

static uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Until `deadline` a taken address is asked for again: when a supervisor was killed, what it
 * started is only about to end. */
static int probe(int type, const struct sockaddr_in *address, uint64_t deadline)
{
    const struct timespec pause = {.tv_nsec = PROBE_PAUSE_MS * 1000000};
    for (;;) {
        int error = probe_once(type, address);
        if (error != -EADDRINUSE || now_ms() >= deadline)
            return error;
        nanosleep(&pause, NULL);
    }
}

static int keep(int fd)
{
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    return copy < 0 ? -errno : copy;
}

/* What to do about it, where there is something to say. */
static const char *advice(int error, unsigned port)
{
    if (error == EADDRINUSE && port == 67)
        return ": another DHCP server on this host holds the port for itself (README.md, \"On "
               "the same host as the DHCP server\")";
    if (error == EADDRINUSE)
        return ": another program on this host listens there";
    if (error == EACCES)
        return ": ports below 1024 need root (or CAP_NET_BIND_SERVICE)";
    if (error == EADDRNOTAVAIL)
        return ": no interface has that address";
    return "";
}

static bool opened(int fd, const char *what, unsigned port, const struct config *config,
                   struct problems *problems)
{
    if (fd >= 0)
        return true;
    problems_add(problems, "%s: cannot open %s port %u: %s%s", config->path, what, port,
                 strerror(-fd), advice(-fd, port));
    return false;
}

/* Port 67 is often taken, by the DHCP server this service runs beside. One that is bound
 * to addresses only leaves broadcasts, and those are what clients of this network send. */
static int bind_dhcp(uint16_t port)
{
    int fd = dhcp_server_bind(port);
    if (fd != -EADDRINUSE)
        return fd;
    fd = dhcp_server_bind_broadcast(port);
    if (fd < 0)
        return -EADDRINUSE;
    log_warn("UDP port %u: another server holds this host's addresses, so broadcasts alone are "
             "answered, and relays' requests are not",
             port);
    return fd;
}

static bool open_dhcp(struct sockets *sockets, const struct config *config,
                      const struct sockets *previous, const struct config *was,
                      struct problems *problems)
{
    if (!config->dhcp.enabled)
        return true;
    bool kept = previous && previous->dhcp >= 0;
    int port = config->dhcp.port, boot_port = config->dhcp.boot_port;
    sockets->dhcp =
        kept && was->dhcp.port == port ? keep(previous->dhcp) : activation_dhcp((uint16_t)port);
    if (sockets->dhcp == -ENOENT)
        sockets->dhcp = bind_dhcp((uint16_t)port);
    if (!opened(sockets->dhcp, "DHCP (UDP)", (unsigned)port, config, problems))
        return false;
    sockets->dhcp_boot = kept && was->dhcp.boot_port == boot_port
                             ? keep(previous->dhcp_boot)
                             : activation_boot((uint16_t)boot_port);
    if (sockets->dhcp_boot == -ENOENT)
        sockets->dhcp_boot = dhcp_server_bind((uint16_t)boot_port);
    return opened(sockets->dhcp_boot, "PXE boot server (UDP)", (unsigned)boot_port, config,
                  problems);
}

/* in.tftpd is chrooted, and becomes another user. */
static bool may_run_hpa(const struct config *config, struct problems *problems)
{
    if (geteuid() == 0)
        return true;
    problems_add(problems,
                 "%s: `backend: hpa` needs root: start moonboot as root, or use the "
                 "built-in TFTP server",
                 config->path);
    return false;
}

/* Uses sockets that the service manager has bound, if there are some. */
static bool inherit_tftp(struct sockets *sockets, const struct config *config)
{
    int first = config->tftp.backend == CONFIG_TFTP_BUILTIN ? activation_tftp(config->tftp.port, 0)
                                                            : -ENOENT;
    int *fds = first >= 0 ? malloc(sockets->n_workers * sizeof *fds) : NULL;
    if (!fds) {
        if (first >= 0)
            close(first);
        return false;
    }
    fds[0] = first;
    for (unsigned i = 1; i < sockets->n_workers; i++)
        fds[i] = activation_tftp(config->tftp.port, i);
    sockets->tftp = fds;
    return true;
}

static bool open_tftp(struct sockets *sockets, const struct config *config,
                      const struct sockets *previous, const struct config *was, uint64_t deadline,
                      struct problems *problems)
{
    if (config->tftp.backend == CONFIG_TFTP_OFF)
        return true;
    bool same_port = previous && was && was->tftp.backend != CONFIG_TFTP_OFF &&
                     was->tftp.port == config->tftp.port;
    bool kept = same_port && previous->tftp;
    bool later = same_port && !kept; /* tftp-hpa has it, and goes on until this takes over */
    bool given = !same_port && inherit_tftp(sockets, config);
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(config->tftp.port)};
    int taken = same_port || given ? 0 : probe(SOCK_DGRAM, &any, deadline);
    if (taken < 0)
        return opened(taken, "TFTP (UDP)", config->tftp.port, config, problems);
    if (config->tftp.backend == CONFIG_TFTP_HPA)
        return may_run_hpa(config, problems);
    if (given)
        return true;
    sockets->tftp_unbound = later ? sockets->n_workers : kept ? previous->tftp_unbound : 0;
    sockets->tftp = malloc(sockets->n_workers * sizeof *sockets->tftp);
    if (!sockets->tftp)
        return opened(-ENOMEM, "TFTP (UDP)", config->tftp.port, config, problems);
    memset(sockets->tftp, 0xff, sockets->n_workers * sizeof *sockets->tftp); /* -1 */
    for (unsigned i = 0; i < sockets->n_workers; i++) {
        if (kept && previous->tftp[i] < 0) /* not one for each of the workers was handed over */
            continue;
        sockets->tftp[i] = kept    ? keep(previous->tftp[i])
                           : later ? tftp_server_socket(sockets->n_workers)
                                   : tftp_server_bind(config->tftp.port, sockets->n_workers);
        if (!opened(sockets->tftp[i], "TFTP (UDP)", config->tftp.port, config, problems))
            return false;
    }
    return true;
}

/* The index of an address among those of the configuration before, or -1. */
static int was_listening(const struct config *was, const struct sockaddr_in *address)
{
    for (size_t i = 0; was && i < was->http.n_listen; i++) {
        if (was->http.listen[i].sin_port == address->sin_port &&
            was->http.listen[i].sin_addr.s_addr == address->sin_addr.s_addr)
            return (int)i;
    }
    return -1;
}

/* Whether the port was ours already, at whatever address: what is bound there is no other
 * program's. */
static bool was_ours(const struct config *was, const struct sockaddr_in *address)
{
    for (size_t i = 0; was && i < was->http.n_listen; i++) {
        if (was->http.listen[i].sin_port == address->sin_port)
            return true;
    }
    return false;
}

static bool open_http(struct sockets *sockets, const struct config *config,
                      const struct sockets *previous, const struct config *was, uint64_t deadline,
                      struct problems *problems)
{
    size_t n = sockets->n_workers * sockets->n_listen;
    sockets->http = malloc(n * sizeof *sockets->http);
    if (!sockets->http)
        return opened(-ENOMEM, "HTTP (TCP)", 0, config, problems);
    memset(sockets->http, 0xff, n * sizeof *sockets->http);
    for (size_t i = 0; i < n; i++) {
        const struct sockaddr_in *address = &config->http.listen[i % sockets->n_listen];
        int old = previous ? was_listening(was, address) : -1;
        size_t worker = i / sockets->n_listen;
        int given = old < 0 ? activation_http(address, (unsigned)worker) : -ENOENT;
        int taken = old < 0 && given < 0 && worker == 0 && !was_ours(was, address)
                        ? probe(SOCK_STREAM, address, deadline)
                        : 0;
        if (!opened(taken, "HTTP (TCP)", ntohs(address->sin_port), config, problems))
            return false;
        sockets->http[i] = old >= 0
                               ? keep(previous->http[worker * previous->n_listen + (size_t)old])
                           : given != -ENOENT ? given
                                              : http_server_bind(address, sockets->n_workers);
        if (!opened(sockets->http[i], "HTTP (TCP)", ntohs(address->sin_port), config, problems))
            return false;
    }
    return true;
}

struct sockets *sockets_open(const struct config *config, const struct sockets *previous,
                             const struct config *previous_config, struct problems *problems)
{
    struct sockets *sockets = calloc(1, sizeof *sockets);
    if (!sockets) {
        problems_add(problems, "%s: no memory for sockets", config->path);
        return NULL;
    }
    sockets->n_workers = config->workers;
    sockets->n_listen = config->http.n_listen;
    sockets->dhcp = sockets->dhcp_boot = -1;
    if (!previous)
        activation_check();
    /* All of them, so that all problems are seen at once. */
    bool dhcp = open_dhcp(sockets, config, previous, previous_config, problems);
    uint64_t deadline = previous ? 0 : now_ms() + TAKEN_MS;
    bool tftp = open_tftp(sockets, config, previous, previous_config, deadline, problems);
    bool http = open_http(sockets, config, previous, previous_config, deadline, problems);
    if (dhcp && tftp && http)
        return sockets;
    sockets_close(sockets);
    return NULL;
}

int sockets_bind_tftp(struct sockets *sockets, const struct config *config)
{
    while (sockets->tftp_unbound) {
        int error =
            tftp_server_bind_later(sockets->tftp[sockets->n_workers - sockets->tftp_unbound],
                                   config->tftp.port, sockets->n_workers);
        if (error < 0)
            return error;
        sockets->tftp_unbound--;
    }
    return 0;
}

static void close_all(int *fds, size_t n)
{
    for (size_t i = 0; fds && i < n; i++) {
        if (fds[i] >= 0)
            close(fds[i]);
    }
    free(fds);
}

void sockets_close(struct sockets *sockets)
{
    if (!sockets)
        return;
    if (sockets->dhcp >= 0)
        close(sockets->dhcp);
    if (sockets->dhcp_boot >= 0)
        close(sockets->dhcp_boot);
    close_all(sockets->tftp, sockets->n_workers);
    close_all(sockets->http, sockets->n_workers * sockets->n_listen);
    free(sockets);
}

static void close_others(int *fds, size_t n, size_t first, size_t last)
{
    for (size_t i = 0; fds && i < n; i++) {
        if ((i < first || i >= last) && fds[i] >= 0) {
            close(fds[i]);
            fds[i] = -1;
        }
    }
}

void sockets_narrow(struct sockets *sockets, unsigned slot)
{
    size_t n = sockets->n_listen;
    close_others(sockets->tftp, sockets->n_workers, slot, slot + 1);
    close_others(sockets->http, sockets->n_workers * n, slot * n, (slot + 1) * n);
    close_others(&sockets->dhcp, 1, slot, 1); /* slot 0's alone */
    close_others(&sockets->dhcp_boot, 1, slot, 1);
}

size_t sockets_count(const struct sockets *sockets)
{
    return 2 + (sockets->tftp ? sockets->n_workers : 0) + sockets->n_workers * sockets->n_listen;
}

void sockets_list(const struct sockets *sockets, int *fds)
{
    *fds++ = sockets->dhcp;
    *fds++ = sockets->dhcp_boot;
    for (size_t i = 0; sockets->tftp && i < sockets->n_workers; i++)
        *fds++ = sockets->tftp[i];
    for (size_t i = 0; i < sockets->n_workers * sockets->n_listen; i++)
        *fds++ = sockets->http[i];
}
