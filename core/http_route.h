/* Who answers a request: the core, for what it is asked about itself; else the policy,
 * whose reply becomes a response here. */
#ifndef MOONBOOT_HTTP_ROUTE_H
#define MOONBOOT_HTTP_ROUTE_H

#include <stdbool.h>

#include "http_admin.h"
#include "http_response.h"
#include "http_service.h"

/* Whether the core answers it. */
bool http_route_is_own(const struct http_head *head);

/* Answers /healthz, /readyz and /metrics, and on an address of `http.admin` whatever is asked;
 * false: it is for the policy to answer. */
bool http_route_own(struct http_service *service, const struct http_visitor *visitor,
                    const struct http_head *head, struct http_response *response);

/* Views into the reply, which must outlive the response. */
struct http_response http_route_reply(struct http_service *service, const struct http_head *head,
                                      struct in_addr client, const struct reply *reply);

#endif
