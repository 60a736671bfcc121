/* Signatures of what is rendered: of PATH, under PATH.sig, PATH.minisig and PATH.cms. What is a
 * file has its signatures as files beside it. */
#ifndef MOONBOOT_HTTP_SIGN_H
#define MOONBOOT_HTTP_SIGN_H

#include <stdbool.h>

#include "http_response.h"
#include "http_service.h"

/* ".sig", ".minisig" or ".cms" when such a signature is asked for, of something that may be
 * rendered; NULL when not. */
const char *http_sign_asked(const struct http_service *service, const struct http_head *head);

/* A signature is asked for that costs milliseconds: CMS's, by RSA. */
bool http_sign_is_dear(const struct http_service *service, const struct http_head *head);

/* Answers with the signature of what this client was sent; false: it asks for none, or what that
 * was is not known any more. */
bool http_sign_recall(const struct http_service *service, const struct http_head *head,
                      struct in_addr client, struct http_response *response);

/* The answer that has these bytes; or their signature when that is asked for. */
struct http_response http_sign_body(const struct http_service *service,
                                    const struct http_head *head, struct in_addr client,
                                    const struct reply_body *body);

#endif
