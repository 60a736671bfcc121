/* CMS signatures of assets: of /assets/PATH, at /assets/PATH.cms, unless there is a file of that
 * name. They are made when the asset's digest is known, which may take a while. */
#ifndef MOONBOOT_HTTP_CMS_H
#define MOONBOOT_HTTP_CMS_H

#include <stdbool.h>

#include "cms_files.h"
#include "http_response.h"
#include "http_service.h"
#include "reply.h"

/* True: `done` is, or was, called with the digest of what is asked about. False: it is none of
 * these. */
bool http_cms_asked(struct http_service *service, const struct http_head *head,
                    const struct reply *reply, cms_files_done *done, void *arg);

/* The answer, then. */
struct http_response http_cms_answer(const struct http_service *service,
                                     const struct http_head *head, int error,
                                     const uint8_t digest[CMS_DIGEST_LEN]);

/* One that has the signature of what has that digest. */
struct http_response http_cms_response(const struct http_service *service,
                                       const struct http_head *head,
                                       const uint8_t digest[CMS_DIGEST_LEN]);

#endif
