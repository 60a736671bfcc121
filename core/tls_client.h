/* TLS for who asks others: whom to trust, and who we are, from files; connections over
 * bufferevents. */
#ifndef MOONBOOT_TLS_CLIENT_H
#define MOONBOOT_TLS_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

struct bufferevent;
struct event_base;
struct tls_client;

struct tls_client_files {
    const char *ca;   /* certificates to trust, PEM; NULL: those of the system */
    const char *cert; /* who we are, the chain; NULL: nobody */
    const char *key;
};

/* NULL, and in `problem` what is wrong with which file. Needs the files no more afterwards. */
struct tls_client *tls_client_open(const struct tls_client_files *files, char *problem,
                                   size_t problem_size);
void tls_client_close(struct tls_client *tls);

/* A connection to be, to a server whose certificate names `name`, a host or an address. NULL when
 * memory is out. */
struct bufferevent *tls_client_start(struct tls_client *tls, struct event_base *base,
                                     const char *name);

/* Why it failed, for a log; false: TLS knows of nothing. */
bool tls_client_error(struct bufferevent *bev, char *why, size_t size);

#endif
