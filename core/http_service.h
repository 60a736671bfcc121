/* What the connections of a server share. */
#ifndef MOONBOOT_HTTP_SERVICE_H
#define MOONBOOT_HTTP_SERVICE_H

#include <event2/event.h>
#include <stdbool.h>
#include <sys/queue.h>
#include <time.h>

#include "http_date.h"
#include "http_response.h"
#include "http_server.h"

struct cms_files;
struct http_connection;
LIST_HEAD(http_connection_list, http_connection);

/* What is known of tokens (http_admin.h). */
struct http_admin_state {
    bool has_known;
    uint8_t known[32];
    time_t tried;
};

struct http_service {
    struct http_server_options options;
    struct event_base *base;
    const struct timeval *header, *idle, *stall, *linger; /* queues of time-outs */
    struct timeval times[4];                              /* what these point to without memory */
    bool draining;
    struct http_connection_list connections; /* those that are open */
    unsigned n_connections;
    struct tally *clients;                        /* how many of them each address has */
    void (*closed)(struct http_service *service); /* called after each that has ended */
    time_t complained;                            /* when a lack was last logged */
    struct http_admin_state admin;
    struct cms_files *cms_files; /* NULL: assets are not signed */
    time_t date_of;
    char date[HTTP_DATE_TEXT];
};

/* How connections come. */
enum http_service_door { HTTP_SERVICE_PLAIN, HTTP_SERVICE_ADMIN, HTTP_SERVICE_TLS };

/* What carries a connection's bytes, with the service's limits; NULL when memory is out. */
struct bufferevent *http_service_transport(const struct http_service *service, int fd,
                                           enum http_service_door door);

/* The address that a connection came to; 0.0.0.0 when it is not known. */
struct in_addr http_service_address(int fd);

void http_service_init(struct http_service *service, struct event_base *base,
                       const struct http_server_options *options);

/* Milliseconds of a clock that does not go back. */
uint64_t http_service_clock(void);

/* Now, for a Date field. */
const char *http_service_date(struct http_service *service);

/* Counts an answer, and logs it for who looks closely; `head` may be empty. */
void http_service_note(const struct http_service *service, const struct http_head *head,
                       struct in_addr client, const struct http_response *response);

/* Notes that a TLS handshake came to nothing. */
void http_service_refused(const struct http_service *service, struct in_addr client,
                          const char *why);

/* Logs a lack of resources, at most once in ten seconds: it comes in swarms. */
void http_service_complain(struct http_service *service, const char *what, int error);

#endif
