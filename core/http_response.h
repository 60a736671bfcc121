/* An answer before it is on the wire: its head, and where its body comes from. */
#ifndef MOONBOOT_HTTP_RESPONSE_H
#define MOONBOOT_HTTP_RESPONSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "http.h"
#include "reply.h"

#define HTTP_RESPONSE_FIELDS 320
#define HTTP_RESPONSE_HEAD   1024

/* The body's `length` bytes are at `data`, or in the file `fd` from `offset` on, when
 * that is not -1. A response owns `owned` (where `data` often is) and `fd`. */
struct http_response {
    int status;
    int error;                         /* of http_response_error, the status it tells of; else 0 */
    const char *type;                  /* the body's; a view, that lives as long as the response */
    char fields[HTTP_RESPONSE_FIELDS]; /* more field lines, each with its CRLF */
    uint64_t length;
    const void *data;
    void *owned;
    int fd;
    off_t offset;
};

/* An empty 500. */
struct http_response http_response_none(void);

/* Lets go of what it owns. */
void http_response_clear(struct http_response *response);

/* Adds a field line; leaves it out when there is no room. */
void http_response_field(struct http_response *response, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* True when it may stand in a Content-Type field. */
bool http_response_is_type(const char *type);

/* Bytes made by the policy. Views into `body`. */
struct http_response http_response_body(const struct reply_body *body);

/* An error in one line of text. `message` NULL: the status' own words.
 *
 * iPXE takes every status but 2xx for a failed download and shows nothing of the body,
 * so to a GET by iPXE (User-Agent "iPXE/…") the answer is a script, with status 200,
 * that prints the error and asks for the same path again: every 10 seconds, 30 times,
 * then it leaves network boot. Whatever is not run as a script keeps its status: files
 * under /assets/ and /config/, signatures, and autoexec.ipxe, which iPXE asks for unbidden.
 * `head` NULL: the request could not be read. */
struct http_response http_response_error(const struct http_head *head, int status,
                                         const char *message);

/* True when a response of that status has no body, and no Content-Length (RFC 9110,
 * section 8.6). */
bool http_response_is_bare(int status);

/* How a response's head ends a connection, or keeps it. */
enum http_persistence {
    HTTP_PERSIST, /* HTTP/1.1's default, nothing to say */
    HTTP_PERSIST_1_0,
    HTTP_CLOSE
};

/* The head as text; its length. `date`: as of http_date_format. */
size_t http_response_head(const struct http_response *response, const char *date,
                          enum http_persistence persistence, char out[HTTP_RESPONSE_HEAD]);

#endif
