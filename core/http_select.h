/* Which answer, and which part of it, a GET or HEAD for a file gets: conditional
 * requests (RFC 9110, section 13) and ranges (section 14). Pure. */
#ifndef MOONBOOT_HTTP_SELECT_H
#define MOONBOOT_HTTP_SELECT_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "http.h"

/* What identifies one version of a file. */
struct http_version {
    const char *etag; /* strong, with its quotes */
    bool has_modified;
    time_t modified;
    uint64_t size;
};

struct http_selection {
    int status;      /* 200, 206, 304, 412 or 416 */
    uint64_t first;  /* of the bytes to send, */
    uint64_t length; /* for 200 and 206 */
};

/* Goes by section 13.2.2's order. One range is served; of several, which nothing that
 * boots asks for, the whole file (section 14.2 lets a server ignore Range). */
struct http_selection http_select(const struct http_head *head, const struct http_version *version,
                                  time_t now);

#endif
