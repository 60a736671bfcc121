/* TLS 1.2 and 1.3 for servers, by OpenSSL and libevent: contexts from files, connections over
 * bufferevents, and what a client says of itself by its certificate. */
#ifndef MOONBOOT_TLS_H
#define MOONBOOT_TLS_H

#include <stdbool.h>
#include <stddef.h>

struct bufferevent;
struct event_base;
struct tls;

struct tls_files {
    const char *cert;      /* the chain, the server's own certificate first; PEM */
    const char *key;       /* of it, without a passphrase; PEM */
    const char *client_ca; /* who signs clients' certificates; NULL: none is asked for */
};

/* NULL, and in `problem` what is wrong with which file. Needs the files no more afterwards. */
struct tls *tls_open(const struct tls_files *files, char *problem, size_t problem_size);
void tls_close(struct tls *tls);

/* The connection of an accepted socket, which it closes at its end; its handshake begins by itself.
 * NULL when memory is out: the socket stays the caller's. */
struct bufferevent *tls_accept(struct tls *tls, struct event_base *base, int fd);

/* A client, as its handshake told: "" is what it did not. Only certificates that `client_ca`
 * has signed are told; with any other there is no connection. */
struct tls_peer {
    char version[16];     /* "TLSv1.3" */
    char subject[512];    /* RFC 2253: "CN=node1,O=lab" */
    char name[256];       /* its common name alone */
    char fingerprint[65]; /* SHA-256 of the certificate, in hexadecimal */
};

void tls_peer_read(struct bufferevent *bev, struct tls_peer *peer);

/* Why the connection failed, for a log; NULL: nothing that OpenSSL knows of. */
const char *tls_error(struct bufferevent *bev);

/* Tells the other side that no more will come, so that nobody can end it in our name. */
void tls_goodbye(struct bufferevent *bev);

#endif
