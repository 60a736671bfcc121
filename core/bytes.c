#include "bytes.h"

#include <string.h>

struct bytes_reader bytes_reader(const void *data, size_t len)
{
    const uint8_t *start = data;
    return (struct bytes_reader){.at = start, .end = len ? start + len : start};
}

size_t bytes_left(const struct bytes_reader *r)
{
    return r->failed ? 0 : (size_t)(r->end - r->at);
}

const uint8_t *bytes_take(struct bytes_reader *r, size_t len)
{
    if (r->failed || len > (size_t)(r->end - r->at)) {
        r->failed = true;
        return NULL;
    }
    const uint8_t *taken = r->at;
    r->at += len;
    return taken;
}

uint8_t bytes_u8(struct bytes_reader *r)
{
    const uint8_t *p = bytes_take(r, 1);
    return p ? p[0] : 0;
}

uint16_t bytes_u16(struct bytes_reader *r)
{
    const uint8_t *p = bytes_take(r, 2);
    return p ? (uint16_t)(p[0] << 8 | p[1]) : 0;
}

uint32_t bytes_u32(struct bytes_reader *r)
{
    const uint8_t *p = bytes_take(r, 4);
    return p ? (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3] : 0;
}

struct bytes_writer bytes_writer(void *data, size_t capacity)
{
    uint8_t *start = data;
    return (struct bytes_writer){.start = start, .at = start, .end = start + capacity};
}

size_t bytes_written(const struct bytes_writer *w)
{
    return (size_t)(w->at - w->start);
}

/* Where the next `len` bytes go, or NULL. */
static uint8_t *bytes_room(struct bytes_writer *w, size_t len)
{
    if (w->failed || len > (size_t)(w->end - w->at)) {
        w->failed = true;
        return NULL;
    }
    uint8_t *room = w->at;
    w->at += len;
    return room;
}

void bytes_put(struct bytes_writer *w, const void *data, size_t len)
{
    uint8_t *room = bytes_room(w, len);
    if (room && len)
        memcpy(room, data, len);
}

void bytes_put_zeros(struct bytes_writer *w, size_t len)
{
    uint8_t *room = bytes_room(w, len);
    if (room && len)
        memset(room, 0, len);
}

void bytes_put_u8(struct bytes_writer *w, uint8_t value)
{
    bytes_put(w, &value, 1);
}

void bytes_put_u16(struct bytes_writer *w, uint16_t value)
{
    bytes_put(w, (uint8_t[]){(uint8_t)(value >> 8), (uint8_t)value}, 2);
}

void bytes_put_u32(struct bytes_writer *w, uint32_t value)
{
    bytes_put_u16(w, (uint16_t)(value >> 16));
    bytes_put_u16(w, (uint16_t)value);
}

int bytes_hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}
