/* The UDP sockets of the TFTP server: the one that requests come to, and the one that
 * each transfer has for itself. */
#ifndef MOONBOOT_TFTP_SOCKET_H
#define MOONBOOT_TFTP_SOCKET_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TFTP_SOCKET_REQUEST_MAX 2048 /* bytes; RFC 2347 allows 512, options may grow */

/* A datagram that came to the server's port. */
struct tftp_socket_request {
    struct sockaddr_in client;
    struct in_addr server; /* the address of ours that it was sent to */
    int interface;         /* index; 0: not known */
    size_t len;            /* 0: to be ignored (sent to a broadcast address, or cut off) */
    uint8_t data[TFTP_SOCKET_REQUEST_MAX];
};

/* See tftp_server_bind, tftp_server_socket and tftp_server_adopt. */
int tftp_socket_listen(uint16_t port, unsigned n);
int tftp_socket_new(unsigned n);
int tftp_socket_adopt(int fd, unsigned n);
int tftp_socket_bind(int fd, uint16_t port, unsigned n);

/* Reads one datagram. 0, or a negative errno; -EAGAIN: there is none. */
int tftp_socket_receive(int fd, struct tftp_socket_request *request);

/* Answers it from the server's port. Best effort, as all of UDP. */
void tftp_socket_answer(int fd, const struct tftp_socket_request *request, const void *data,
                        size_t len);

/* A non-blocking socket from a free port of `server` to `client`, or a negative errno.
 * Because it is connected the kernel drops what any other sender puts into it: of the
 * transfer identifiers of RFC 1350, 4 nothing is left to check. */
int tftp_socket_connect(struct in_addr server, const struct sockaddr_in *client);

/* The path MTU to the peer of such a socket, in bytes. */
int tftp_socket_mtu(int fd);

#endif
