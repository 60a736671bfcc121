/* Sockets of the service that a service manager has bound (examples/systemd), by their names:
 * "dhcp", "pxe" (port 4011), "tftp", "http" and "control". Each is a duplicate with all that its
 * server needs set, or a negative errno; -ENOENT: none was handed over for that address, so it is
 * ours to bind.
 */
#ifndef MOONBOOT_ACTIVATION_H
#define MOONBOOT_ACTIVATION_H

#include <netinet/in.h>
#include <stdint.h>

int activation_dhcp(uint16_t port);
int activation_boot(uint16_t port);

/* Workers read TFTP sockets of their own, one of which a client's requests always come to. When
 * there are fewer of them than workers, -EUSERS: this worker gets none. */
int activation_tftp(uint16_t port, unsigned worker);

/* Workers share what there is. */
int activation_http(const struct sockaddr_in *address, unsigned worker);

/* Whose name in the file system, and the right to use it, are the service manager's. */
int activation_control(const char *path);

/* Warns of names that are none of these. */
void activation_check(void);

#endif
