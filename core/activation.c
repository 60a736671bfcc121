#include "activation.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dhcp_server.h"
#include "http_server.h"
#include "log.h"
#include "systemd.h"
#include "tftp_server.h"

/* How many of the name are at the address; with `warn` a line in the log when that is none of
 * several. */
static unsigned count(const char *name, int type, const struct sockaddr_in *address, bool warn)
{
    unsigned n = 0;
    for (int fd; (fd = systemd_socket(name, type, address, n)) >= 0; n++)
        close(fd);
    if (warn && n == 0 && systemd_sockets(name) > 0)
        log_warn("none of the sockets \"%s\" that were handed over is at %s:%u", name,
                 inet_ntoa(address->sin_addr), ntohs(address->sin_port));
    return n;
}

static struct sockaddr_in any_address(uint16_t port)
{
    return (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port)};
}

static int adopted(int fd, int error)
{
    if (error == 0)
        return fd;
    close(fd);
    return error;
}

static int udp(const char *name, uint16_t port)
{
    struct sockaddr_in address = any_address(port);
    if (count(name, SOCK_DGRAM, &address, true) == 0)
        return -ENOENT;
    int fd = systemd_socket(name, SOCK_DGRAM, &address, 0);
    return fd < 0 ? fd : adopted(fd, dhcp_server_adopt(fd));
}

int activation_dhcp(uint16_t port)
{
    return udp("dhcp", port);
}

int activation_boot(uint16_t port)
{
    return udp("pxe", port);
}

int activation_tftp(uint16_t port, unsigned worker)
{
    struct sockaddr_in address = any_address(port);
    unsigned n = count("tftp", SOCK_DGRAM, &address, worker == 0);
    if (n == 0)
        return -ENOENT;
    if (worker >= n)
        return -EUSERS;
    int fd = systemd_socket("tftp", SOCK_DGRAM, &address, worker);
    return fd < 0 ? fd : adopted(fd, tftp_server_adopt(fd, n));
}

int activation_http(const struct sockaddr_in *address, unsigned worker)
{
    unsigned n = count("http", SOCK_STREAM, address, worker == 0);
    if (n == 0)
        return -ENOENT;
    int fd = systemd_socket("http", SOCK_STREAM, address, worker % n);
    return fd < 0 ? fd : adopted(fd, http_server_adopt(fd));
}

int activation_control(const char *path)
{
    int fd = systemd_unix_socket("control", path);
    if (fd == -ENOENT && systemd_sockets("control") > 0)
        log_warn("none of the sockets \"control\" that were handed over listens at %s", path);
    return fd;
}

void activation_check(void)
{
    static const char *const names[] = {"dhcp", "pxe", "tftp", "http", "control", NULL};
    char *name = systemd_unknown_socket(names);
    if (name)
        log_warn("a socket \"%s\" was handed over, expected dhcp, pxe, tftp, http or control",
                 name);
    free(name);
}
