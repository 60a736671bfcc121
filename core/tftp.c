#include "tftp.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* The next NUL-terminated string, in place, or NULL (and the reader has failed). */
static const char *take_string(struct bytes_reader *r)
{
    size_t left = bytes_left(r);
    const uint8_t *end = left ? memchr(r->at, 0, left) : NULL;
    size_t len = end ? (size_t)(end - r->at) + 1 : left + 1;
    return (const char *)bytes_take(r, len);
}

/* A decimal number; UINT32_MAX stands for everything above it. */
static bool parse_number(const char *text, uint32_t *value)
{
    if (!*text)
        return false;
    uint64_t sum = 0;
    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return false;
        sum = sum * 10 + (uint64_t)(*text - '0');
        if (sum > UINT32_MAX)
            sum = UINT32_MAX;
    }
    *value = (uint32_t)sum;
    return true;
}

static uint32_t at_most(uint32_t value, uint32_t max)
{
    return value < max ? value : max;
}

static void take_option(struct tftp_options *options, const char *name, const char *text)
{
    uint32_t value;
    if (!parse_number(text, &value))
        return;
    if (strcasecmp(name, "blksize") == 0) {
        if (!options->blksize && value >= TFTP_BLKSIZE_MIN)
            options->blksize = at_most(value, TFTP_BLKSIZE_MAX);
    } else if (strcasecmp(name, "windowsize") == 0) {
        if (!options->windowsize && value >= 1)
            options->windowsize = at_most(value, TFTP_WINDOWSIZE_MAX);
    } else if (strcasecmp(name, "timeout") == 0) {
        if (!options->timeout && value >= 1 && value <= UINT8_MAX)
            options->timeout = (uint8_t)value;
    } else if (strcasecmp(name, "tsize") == 0) {
        options->has_tsize = true;
    }
}

static enum tftp_mode parse_mode(const char *name)
{
    if (strcasecmp(name, "octet") == 0)
        return TFTP_OCTET;
    if (strcasecmp(name, "netascii") == 0)
        return TFTP_NETASCII;
    return TFTP_OTHER_MODE;
}

bool tftp_request_parse(const void *data, size_t len, struct tftp_request *request)
{
    struct bytes_reader r = bytes_reader(data, len);
    uint16_t opcode = bytes_u16(&r);
    const char *file = take_string(&r);
    const char *mode = take_string(&r);
    if (r.failed || (opcode != TFTP_RRQ && opcode != TFTP_WRQ))
        return false;
    *request = (struct tftp_request){
        .opcode = (enum tftp_opcode)opcode,
        .mode = parse_mode(mode),
        .file = file,
    };
    while (bytes_left(&r)) {
        const char *name = take_string(&r);
        const char *value = take_string(&r);
        if (value)
            take_option(&request->options, name, value);
    }
    return true;
}

static bool has_controls(const char *name)
{
    for (const unsigned char *p = (const unsigned char *)name; *p; p++)
        if (*p < 0x20 || *p == 0x7f)
            return true;
    return false;
}

const char *tftp_request_refusal(const struct tftp_request *request, enum tftp_error *code)
{
    *code = TFTP_ACCESS;
    if (request->opcode == TFTP_WRQ)
        return "read-only";
    if (has_controls(request->file))
        return "control characters in the file name";
    *code = TFTP_NOT_FOUND;
    if (!*request->file)
        return "no file name";
    if (strlen(request->file) > TFTP_NAME_MAX)
        return "file name too long";
    *code = TFTP_ILLEGAL;
    if (request->mode == TFTP_OTHER_MODE)
        return "the mode must be octet or netascii";
    return NULL;
}

bool tftp_packet_parse(const void *data, size_t len, struct tftp_packet *packet)
{
    struct bytes_reader r = bytes_reader(data, len);
    uint16_t opcode = bytes_u16(&r);
    uint16_t number = bytes_u16(&r);
    if (r.failed || (opcode != TFTP_ACK && opcode != TFTP_ERROR))
        return false;
    *packet = (struct tftp_packet){.opcode = (enum tftp_opcode)opcode, .number = number};
    if (opcode == TFTP_ERROR) {
        /* Some clients leave the NUL out; the end of the packet does as well. */
        packet->message.len = bytes_left(&r) ? strnlen((const char *)r.at, bytes_left(&r)) : 0;
        packet->message.data = bytes_take(&r, packet->message.len);
    }
    return true;
}

size_t tftp_put_error(uint8_t out[TFTP_REPLY_MAX], enum tftp_error code, const char *message)
{
    struct bytes_writer w = bytes_writer(out, TFTP_REPLY_MAX);
    bytes_put_u16(&w, TFTP_ERROR);
    bytes_put_u16(&w, (uint16_t)code);
    bytes_put(&w, message, strnlen(message, TFTP_REPLY_MAX - TFTP_HEADER - 1));
    bytes_put_u8(&w, 0);
    return bytes_written(&w);
}

static void put_option(struct bytes_writer *w, const char *name, uint64_t value)
{
    char text[sizeof "18446744073709551615"];
    int len = snprintf(text, sizeof text, "%" PRIu64, value);
    bytes_put(w, name, strlen(name) + 1);
    bytes_put(w, text, (size_t)len + 1);
}

size_t tftp_put_oack(uint8_t out[TFTP_REPLY_MAX], const struct tftp_options *granted)
{
    struct bytes_writer w = bytes_writer(out, TFTP_REPLY_MAX);
    bytes_put_u16(&w, TFTP_OACK);
    if (granted->has_tsize)
        put_option(&w, "tsize", granted->tsize);
    if (granted->blksize)
        put_option(&w, "blksize", granted->blksize);
    if (granted->timeout)
        put_option(&w, "timeout", granted->timeout);
    if (granted->windowsize)
        put_option(&w, "windowsize", granted->windowsize);
    return bytes_written(&w);
}

void tftp_put_data(uint8_t out[TFTP_HEADER], uint64_t block)
{
    struct bytes_writer w = bytes_writer(out, TFTP_HEADER);
    bytes_put_u16(&w, TFTP_DATA);
    bytes_put_u16(&w, (uint16_t)block);
}

static uint32_t smaller(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

size_t tftp_options_grant(const struct tftp_options *asked, enum tftp_mode mode, uint64_t size,
                          int mtu, uint32_t window_bytes, uint32_t window_max,
                          struct tftp_options *granted)
{
    *granted = (struct tftp_options){.timeout = asked->timeout};
    /* curl takes a tsize of 0 for a broken answer: for nothing, none is better. */
    granted->has_tsize = asked->has_tsize && mode == TFTP_OCTET && size > 0;
    granted->tsize = size;
    uint32_t block = TFTP_BLKSIZE_DEFAULT;
    if (asked->blksize) {
        int room = mtu - TFTP_DATAGRAM_HEADERS;
        uint32_t most = room > TFTP_BLKSIZE_MIN ? (uint32_t)room : TFTP_BLKSIZE_MIN;
        block = granted->blksize = smaller(asked->blksize, most);
    }
    if (asked->windowsize)
        granted->windowsize = smaller(asked->windowsize, smaller(window_bytes / block, window_max));
    return block;
}

bool tftp_options_empty(const struct tftp_options *options)
{
    return !options->blksize && !options->windowsize && !options->timeout && !options->has_tsize;
}

size_t tftp_netascii(const uint8_t *in, size_t len, uint8_t *out)
{
    uint8_t *at = out;
    for (size_t i = 0; i < len; i++) {
        if (in[i] == '\n') {
            *at++ = '\r';
            *at++ = '\n';
        } else if (in[i] == '\r') {
            *at++ = '\r';
            *at++ = '\0';
        } else {
            *at++ = in[i];
        }
    }
    return (size_t)(at - out);
}
