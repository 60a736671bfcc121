/* HTTP/1.1 and HTTP/1.0 request heads (RFC 9112): pure, bounded, strict.
 *
 * What RFC 9112 lets a recipient repair is refused here, since whatever two
 * recipients repair differently is a way to smuggle requests: bare LF, folded
 * lines, white space before a colon, repeated Content-Length, any
 * Transfer-Encoding. Nothing that boots machines sends such things. */
#ifndef MOONBOOT_HTTP_H
#define MOONBOOT_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define HTTP_MAX_TARGET 8192 /* RFC 9112, section 3: at least 8000 */

/* The methods that are served; all others end in an error of http_parse. */
enum http_method { HTTP_GET, HTTP_HEAD, HTTP_POST };

struct http_head {
    enum http_method method;
    const char *method_name;
    const char *path;       /* decoded, "/" first; "..", "//" and "." stand as they came */
    const char *query;      /* as sent; NULL: no "?" */
    const char *host;       /* of the target when it is absolute, else of Host; NULL: none */
    const char *user_agent; /* NULL: none */
    uint64_t content_length;
    bool is_1_0;
    bool keep_alive;      /* what the client asked for, or its version's default */
    bool expect_continue; /* it waits for a 100 before it sends the body */
    const char *fields;   /* for http_field: "name\0value\0" over and over */
    const char *fields_end;
};

/* How far the search for a head's end has come. Zeroed for each new head. */
struct http_scan {
    size_t seen;
    size_t line;
    bool in_head;   /* past the empty lines that may come before a request line */
    bool in_fields; /* past the request line */
};

/* The length of the head that `data` starts with, its last empty line included; 0
 * when it is not all there; or a status to refuse it with, negative: -400 (cannot
 * become a request), -414, -431 (no end within `max` bytes). To be called again with
 * the same bytes and more of them; each byte is looked at once. */
ssize_t http_scan(struct http_scan *scan, const char *data, size_t len, size_t max);

/* Reads a whole head, as measured by http_scan. 0, or the status to refuse it with:
 * 400, 405, 414, 417, 501, 505. `data` is overwritten, and `head` points into it. */
int http_parse(char *data, size_t len, struct http_head *head);

/* The value of the first field line of that name (any case) after the value
 * `previous`, or from the start when that is NULL; NULL: there is none. */
const char *http_field(const struct http_head *head, const char *name, const char *previous);

/* The value of a field that may stand once; NULL when it is missing or repeated. */
const char *http_field_single(const struct http_head *head, const char *name);

#endif
