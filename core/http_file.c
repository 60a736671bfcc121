#include "http_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "http_date.h"
#include "http_select.h"

#define SMALL_BODY 16384
#define ETAG_TEXT  80

/* A file in place of another has another inode; one that is written to has another time
 * or size. */
static void make_etag(const struct file *file, char out[ETAG_TEXT])
{
    (void)snprintf(out, ETAG_TEXT, "\"%llx-%llx-%llx%08lx\"", (unsigned long long)file->inode,
                   (unsigned long long)file->size, (unsigned long long)file->mtime.tv_sec,
                   (unsigned long)file->mtime.tv_nsec);
}

/* Takes the selected bytes into memory. False when the file no longer has them. */
static bool read_body(struct http_response *response, const struct file *file, uint64_t first,
                      size_t length)
{
    char *data = malloc(length);
    size_t have = 0;
    while (data && have < length) {
        ssize_t n = pread(file->fd, data + have, length - have, (off_t)(first + have));
        if (n <= 0 && !(n < 0 && errno == EINTR))
            break;
        have += n > 0 ? (size_t)n : 0;
    }
    response->data = response->owned = data;
    return data && have == length;
}

static struct http_response refuse(const struct http_head *head, const struct file *file,
                                   int status)
{
    close(file->fd);
    return http_response_error(head, status, NULL);
}

struct http_response http_file_response(const struct http_head *head, const struct file *file,
                                        const char *type, time_t now)
{
    struct http_response response = http_response_none();
    char etag[ETAG_TEXT];
    char modified[HTTP_DATE_TEXT];
    make_etag(file, etag);

    /* A time ahead of the clock is none: a Last-Modified after Date is not allowed
     * (RFC 9110, section 8.8.2.1), and on a machine that boots without a battery all
     * files are from the future. */
    struct http_version version = {.etag = etag,
                                   .modified = file->mtime.tv_sec,
                                   .has_modified = file->mtime.tv_sec <= now &&
                                                   http_date_format(file->mtime.tv_sec, modified),
                                   .size = (uint64_t)file->size};
    struct http_selection selection = http_select(head, &version, now);
    if (selection.status == 412)
        return refuse(head, file, 412);
    if (selection.status == 416) {
        response = refuse(head, file, 416);
        http_response_field(&response, "Content-Range: bytes */%llu",
                            (unsigned long long)version.size);
        return response;
    }

    response.status = selection.status;
    response.type = type;
    response.length = selection.length;
    http_response_field(&response, "Accept-Ranges: bytes");
    http_response_field(&response, "ETag: %s", etag);
    if (version.has_modified)
        http_response_field(&response, "Last-Modified: %s", modified);
    if (selection.status == 206)
        http_response_field(&response, "Content-Range: bytes %llu-%llu/%llu",
                            (unsigned long long)selection.first,
                            (unsigned long long)(selection.first + selection.length - 1),
                            (unsigned long long)version.size);

    bool has_body = head->method == HTTP_GET && selection.status != 304 && selection.length > 0;
    if (has_body && selection.length > SMALL_BODY) {
        response.fd = file->fd;
        response.offset = (off_t)selection.first;
        return response;
    }
    if (has_body && !read_body(&response, file, selection.first, (size_t)selection.length)) {
        http_response_clear(&response);
        return refuse(head, file, 500);
    }
    close(file->fd);
    return response;
}

int http_file_status(int error)
{
    switch (-error) {
    case ENOENT:
    case ENAMETOOLONG:
        return 404;
    case EACCES:
    case EPERM:
    case EXDEV:
        return 403;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
        return 503;
    default:
        return 500;
    }
}
