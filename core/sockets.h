/* The sockets of the service: opened by the supervisor, which alone has the privilege,
 * inherited by the workers, and kept over reloads so that the kernel goes on to queue. */
#ifndef MOONBOOT_SOCKETS_H
#define MOONBOOT_SOCKETS_H

#include <stddef.h>

#include "config.h"
#include "problems.h"

struct sockets {
    unsigned n_workers;
    size_t n_listen;
    int dhcp;              /* -1: disabled */
    int dhcp_boot;         /* port 4011 */
    int *tftp;             /* one a worker; NULL: not ours to serve */
    unsigned tftp_unbound; /* how many of these, the last ones, wait for their port */
    int *http;             /* [worker * n_listen + address] */
};

/* Opens what `config` wants. Sockets whose address did not change are those of
 * `previous` (NULL: none), duplicated. NULL after adding to `problems`. */
struct sockets *sockets_open(const struct config *config, const struct sockets *previous,
                             const struct config *previous_config, struct problems *problems);

/* Binds what waits for the port that the configuration before left to tftp-hpa: 0, or a negative
 * errno while it is taken. */
int sockets_bind_tftp(struct sockets *sockets, const struct config *config);

void sockets_close(struct sockets *sockets);

/* Closes all that are not that worker's. */
void sockets_narrow(struct sockets *sockets, unsigned slot);

/* How many descriptors `sockets` can hold; and all of them, -1 among them. */
size_t sockets_count(const struct sockets *sockets);
void sockets_list(const struct sockets *sockets, int *fds);

#endif
