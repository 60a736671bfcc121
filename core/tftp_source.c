#include "tftp_source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tftp.h"

const char *tftp_source_refusal(int error, enum tftp_error *code)
{
    switch (error) {
    case -ENOENT:
    case -ENAMETOOLONG:
        *code = TFTP_NOT_FOUND;
        return "file not found";
    case -EXDEV:
    case -EACCES:
    case -EPERM:
        *code = TFTP_ACCESS;
        return "access violation";
    default:
        *code = TFTP_UNDEFINED;
        return "the file cannot be opened";
    }
}

enum tftp_error tftp_source_code(enum reply_reason reason)
{
    switch (reason) {
    case REPLY_NOT_FOUND:
        return TFTP_NOT_FOUND;
    case REPLY_DENIED:
        return TFTP_ACCESS;
    case REPLY_FAILED:
    case REPLY_BUSY:
        break;
    }
    return TFTP_UNDEFINED;
}

int tftp_source_open(struct tftp_source *source, const struct file *file, struct reply *reply,
                     bool netascii, size_t window)
{
    *source = (struct tftp_source){
        .fd = file ? file->fd : -1,
        .reply = reply,
        .size = file ? file->size : (off_t)reply->body.len,
        .netascii = netascii,
    };
    /* No more than the whole stream, which twice the size always holds. */
    source->capacity = window + TFTP_SOURCE_AHEAD;
    if ((uintmax_t)source->size < source->capacity / 2)
        source->capacity = 2 * (size_t)source->size + 1;
    source->buffer = malloc(source->capacity);
    if (!source->buffer)
        return -ENOMEM;
    if (file)
        posix_fadvise(file->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    return 0;
}

void tftp_source_close(struct tftp_source *source)
{
    if (source->fd >= 0)
        close(source->fd);
    reply_free(source->reply);
    free(source->buffer);
}

/* Up to `room` bytes from where the last read ended: how many, or a negative errno. */
static ssize_t read_raw(struct tftp_source *source, uint8_t *out, size_t room)
{
    off_t left = source->size - source->offset;
    size_t n = (uintmax_t)left < room ? (size_t)left : room;
    if (source->fd < 0) {
        memcpy(out, source->reply->body.data + source->offset, n);
        source->offset += (off_t)n;
        return (ssize_t)n;
    }
    ssize_t got;
    do {
        got = pread(source->fd, out, n, source->offset);
    } while (got < 0 && errno == EINTR);
    if (got < 0)
        return -errno;
    if (got == 0)
        return -ESTALE;
    source->offset += got;
    return got;
}

static ssize_t read_netascii(struct tftp_source *source, uint8_t *out, size_t room)
{
    uint8_t raw[4096];
    ssize_t got = read_raw(source, raw, room / 2 < sizeof raw ? room / 2 : sizeof raw);
    return got < 0 ? got : (ssize_t)tftp_netascii(raw, (size_t)got, out);
}

int tftp_source_fill(struct tftp_source *source, size_t window)
{
    if (tftp_source_len(source) >= window || tftp_source_ended(source))
        return 0;
    memmove(source->buffer, source->buffer + source->start, tftp_source_len(source));
    source->end -= source->start;
    source->start = 0;
    while (source->end < window && !tftp_source_ended(source)) {
        uint8_t *out = source->buffer + source->end;
        size_t room = source->capacity - source->end;
        ssize_t got =
            source->netascii ? read_netascii(source, out, room) : read_raw(source, out, room);
        if (got < 0)
            return (int)got;
        source->end += (size_t)got;
    }
    return 0;
}

const uint8_t *tftp_source_data(const struct tftp_source *source)
{
    return source->buffer + source->start;
}

size_t tftp_source_len(const struct tftp_source *source)
{
    return source->end - source->start;
}

bool tftp_source_ended(const struct tftp_source *source)
{
    return source->offset == source->size;
}

void tftp_source_consume(struct tftp_source *source, size_t n)
{
    source->start += n;
}
