#include "reader.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "bytes.h"
#include "tftp.h"

/* Four sums side by side, for they are far quicker than one: the generator is not to be what
 * takes the time. */
uint64_t reader_sum(uint64_t before, const uint8_t *block, size_t len)
{
    uint64_t lanes[4] = {before ^ len, before + 1, before + 2, before + 3};
    while (len > 0) {
        uint64_t words[4] = {0};
        size_t n = len < sizeof words ? len : sizeof words;
        memcpy(words, block, n);
        for (int i = 0; i < 4; i++) {
            lanes[i] = (lanes[i] ^ words[i]) * UINT64_C(0x9e3779b97f4a7c15);
            lanes[i] ^= lanes[i] >> 29;
        }
        block += n;
        len -= n;
    }
    return ((lanes[0] * 31 + lanes[1]) * 31 + lanes[2]) * 31 + lanes[3];
}

uint64_t reader_sum_file(const uint8_t *data, size_t len, size_t blksize)
{
    uint64_t sum = 0;
    for (size_t at = 0; at <= len; at += blksize)
        sum = reader_sum(sum, data + at, len - at < blksize ? len - at : blksize);
    return sum;
}

static void put_text(struct bytes_writer *w, const char *text)
{
    bytes_put(w, text, strlen(text) + 1);
}

static void put_option(struct bytes_writer *w, const char *name, uint32_t value)
{
    char text[16];
    snprintf(text, sizeof text, "%u", value);
    put_text(w, name);
    put_text(w, text);
}

void reader_start(struct reader *r, const struct reader_options *options, int64_t now)
{
    struct bytes_writer w = bytes_writer(r->out, sizeof r->out);
    *r = (struct reader){.options = options,
                         .asking = true,
                         .window = 1,
                         .blksize = TFTP_BLKSIZE_DEFAULT,
                         .next = 1,
                         .tsize = -1,
                         .deadline = now + options->timeout};
    bytes_put_u16(&w, TFTP_RRQ);
    put_text(&w, options->file);
    put_text(&w, "octet");
    if (options->tsize || options->probe)
        put_option(&w, "tsize", 0);
    if (options->blksize)
        put_option(&w, "blksize", options->blksize);
    if (options->windowsize)
        put_option(&w, "windowsize", options->windowsize);
    r->out_len = bytes_written(&w);
}

static void put_ack(struct reader *r)
{
    struct bytes_writer w = bytes_writer(r->out, sizeof r->out);
    bytes_put_u16(&w, TFTP_ACK);
    bytes_put_u16(&w, (uint16_t)(r->next - 1));
    r->out_len = bytes_written(&w);
    r->in_window = 0;
}

static enum reader_step fail(struct reader *r, const char *why)
{
    snprintf(r->why, sizeof r->why, "%s", why);
    return READER_FAILED;
}

/* The next NUL-terminated text; NULL: there is none. */
static const char *take_text(struct bytes_reader *in)
{
    const char *text = (const char *)in->at;
    size_t len = strnlen(text, bytes_left(in));
    return len < bytes_left(in) && bytes_take(in, len + 1) ? text : NULL;
}

static enum reader_step take_oack(struct reader *r, struct bytes_reader *in)
{
    const struct reader_options *asked = r->options;
    const char *name, *value;
    if (!r->asking)
        return READER_SEND; /* our ACK got lost: `out` still holds it, unless data came */
    while (bytes_left(in) > 0) {
        if (!(name = take_text(in)) || !(value = take_text(in)) || !isdigit((uint8_t)*value))
            return fail(r, "a broken OACK");
        unsigned long n = strtoul(value, NULL, 10);
        if (!strcasecmp(name, "blksize") && asked->blksize && n >= 8 && n <= asked->blksize)
            r->blksize = (uint32_t)n;
        else if (!strcasecmp(name, "windowsize") && n >= 1 && n <= asked->windowsize)
            r->window = (uint32_t)n;
        else if (!strcasecmp(name, "tsize") && (asked->tsize || asked->probe))
            r->tsize = (int64_t)n;
        else
            return fail(r, "an OACK with what was not asked for");
    }
    r->asking = false;
    if (asked->probe) {
        r->out_len = tftp_put_error(r->out, TFTP_OPTION, "User aborted the transfer");
        return READER_DONE;
    }
    put_ack(r);
    return READER_SEND;
}

/* In order it is kept, and acknowledged at the end of the window. A gap is told once
 * (RFC 7440, 4); a repetition is acknowledged when it repeats what our ACK was for. */
static enum reader_step take_data(struct reader *r, uint16_t number, struct bytes data)
{
    uint16_t ahead = (uint16_t)(number - (uint16_t)r->next);
    if (data.len > r->blksize)
        return fail(r, "a block that is longer than agreed");
    if (ahead == UINT16_MAX && r->in_window == 0 && !r->asking)
        return READER_SEND;
    if (ahead != 0) {
        if (ahead > UINT16_MAX / 2 || r->complained || r->asking)
            return READER_WAIT;
        r->complained = true;
        put_ack(r);
        return READER_SEND;
    }
    r->asking = false;
    r->complained = false;
    r->next++;
    r->in_window++;
    r->bytes += data.len;
    r->sum = reader_sum(r->sum, data.data, data.len);
    if (data.len < r->blksize) {
        put_ack(r);
        if (r->tsize >= 0 && (uint64_t)r->tsize != r->bytes)
            return fail(r, "another length than tsize said");
        return READER_DONE;
    }
    if (r->in_window < r->window)
        return READER_WAIT;
    put_ack(r);
    return READER_SEND;
}

enum reader_step reader_take(struct reader *r, const uint8_t *data, size_t len, int64_t now)
{
    struct bytes_reader in = bytes_reader(data, len);
    uint64_t before = r->next;
    bool asking = r->asking;
    enum reader_step step = READER_WAIT;
    char text[96];
    switch (bytes_u16(&in)) {
    case TFTP_OACK:
        step = take_oack(r, &in);
        break;
    case TFTP_DATA: {
        uint16_t number = bytes_u16(&in);
        if (!in.failed)
            step = take_data(r, number, (struct bytes){in.at, bytes_left(&in)});
        break;
    }
    case TFTP_ERROR:
        snprintf(text, sizeof text, "error %u: %.*s", bytes_u16(&in), (int)bytes_left(&in),
                 (const char *)in.at);
        return fail(r, text);
    default:
        break;
    }
    if (r->next != before || asking != r->asking) {
        r->tries = 0;
        r->deadline = now + r->options->timeout;
    }
    return step;
}

enum reader_step reader_expire(struct reader *r, int64_t now)
{
    if (++r->tries > READER_TRIES)
        return fail(r, "no answer any more");
    r->retries++;
    r->deadline = now + r->options->timeout;
    if (!r->asking)
        put_ack(r); /* up to the last block in order */
    return READER_SEND;
}
