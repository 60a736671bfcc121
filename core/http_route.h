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

/* Whether it is a question about machines (/api/v1/machines), where `http.admin` says who may ask.
 * Without that there is nothing of this name but what the policy serves. */
bool http_route_is_api(const struct http_service *service, const struct http_head *head);

/* Answers what the policy need not be asked: /healthz, /readyz and /metrics, on an address of
 * `http.admin` whatever there is, signatures of what was sent before, and clients that ask too
 * often. False: it is for the policy to answer. */
bool http_route_early(struct http_service *service, const struct http_visitor *visitor,
                      const struct http_head *head, struct in_addr client,
                      struct http_response *response);

/* Views into the reply, which must outlive the response. */
struct http_response http_route_reply(struct http_service *service, const struct http_head *head,
                                      struct in_addr client, const struct reply *reply);

#endif
