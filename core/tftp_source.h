/* The bytes of one TFTP transfer: a file or a reply's body, converted to netascii when
 * asked, read ahead into one buffer. It only goes forward: what the client has
 * acknowledged is consumed, everything later stays in the buffer for repetitions. */
#ifndef MOONBOOT_TFTP_SOURCE_H
#define MOONBOOT_TFTP_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "files.h"
#include "reply.h"
#include "tftp.h"

/* Bytes of the file that one pread brings in, at most: enough that reading costs
 * little beside sending, little enough that a thousand transfers fit in memory. */
#define TFTP_SOURCE_AHEAD 32768

/* All of the stream that has not been consumed begins at buffer[start]; `end` is where
 * what was read so far ends. start <= end <= capacity. */
struct tftp_source {
    int fd;              /* -1: the bytes are body's */
    struct reply *reply; /* owns the body; NULL for a file */
    off_t size;          /* of the file or body, before conversion */
    off_t offset;        /* how much of it has been read */
    bool netascii;
    uint8_t *buffer;
    size_t capacity;
    size_t start;
    size_t end;
};

/* What a client is told when files_open failed: an errno, negative. */
const char *tftp_source_refusal(int error, enum tftp_error *code);

/* The error that a policy's refusal is. */
enum tftp_error tftp_source_code(enum reply_reason reason);

/* A source for `file`, whose descriptor it then owns, or for `reply` (a REPLY_BODY),
 * which it then owns; the other is NULL. `window` is how many bytes of the stream must
 * be at hand at once. 0 or -ENOMEM, and then it owns nothing. */
int tftp_source_open(struct tftp_source *source, const struct file *file, struct reply *reply,
                     bool netascii, size_t window);
void tftp_source_close(struct tftp_source *source);

/* Reads until `window` bytes are at hand or the stream has ended. 0 or a negative
 * errno; -ESTALE: the file has become shorter since it was opened. */
int tftp_source_fill(struct tftp_source *source, size_t window);

/* What is at hand, and whether the stream ends with it. */
const uint8_t *tftp_source_data(const struct tftp_source *source);
size_t tftp_source_len(const struct tftp_source *source);
bool tftp_source_ended(const struct tftp_source *source);

/* Drops the first `n` bytes of what is at hand. */
void tftp_source_consume(struct tftp_source *source, size_t n);

#endif
