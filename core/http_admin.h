/* Who may see what the service says of itself (/metrics): everybody, or, where `http.admin` says
 * so, who comes by its own address, has a certificate, or knows the token. */
#ifndef MOONBOOT_HTTP_ADMIN_H
#define MOONBOOT_HTTP_ADMIN_H

#include <stdbool.h>

#include "http_response.h"
#include "http_service.h"

/* How a connection came. */
struct http_visitor {
    bool admin;     /* by an address of `http.admin` */
    bool certified; /* with a client certificate that was verified */
};

/* True when he may; else `response` is what he is told. */
bool http_admin_may(struct http_service *service, const struct http_visitor *visitor,
                    const struct http_head *head, struct http_response *response);

#endif
