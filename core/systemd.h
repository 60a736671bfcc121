/* What a service manager is told (sd_notify(3)) and hands over (sd_listen_fds(3)): two protocols of
 * a page each, so that they are here and libsystemd, with what it pulls in, is not. Without a
 * manager all of this does nothing. */
#ifndef MOONBOOT_SYSTEMD_H
#define MOONBOOT_SYSTEMD_H

#include <netinet/in.h>
#include <stdint.h>

/* Tells it in lines of NAME=VALUE: "READY=1\nSTATUS=…". Best effort. */
void systemd_notify(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A reload has begun; READY=1 ends it, however it went. */
void systemd_reloading(void);

/* The event loop turns: tells a watchdog so, when half its time has passed. `*last`, at first 0, is
 * when it was told. */
void systemd_beat(uint64_t *last);

/* The number of sockets that were handed over under a name (FileDescriptorName=). */
unsigned systemd_sockets(const char *name);

/* Of those sockets the n'th, from 0, that is bound to this address and of this type (SOCK_…): a
 * non-blocking duplicate. -ENOENT: there is none. Others of that type under the name that wait on
 * other addresses do not count. */
int systemd_socket(const char *name, int type, const struct sockaddr_in *address, unsigned n);

/* Of those under a name the first UNIX stream socket that listens at `path`: likewise. */
int systemd_unix_socket(const char *name, const char *path);

/* The name of the first socket handed over that is none of these (a list that ends with NULL);
 * NULL: all are known. For the caller to free. */
char *systemd_unknown_socket(const char *const *names);

#endif
