/* Bounded cursors over a buffer: every codec reads and writes through these.
 *
 * Errors are sticky: a read past the end returns zero (or NULL) and sets
 * `failed`, a write past the end writes nothing and sets `failed`; everything
 * after does nothing. A codec therefore checks once, at its end. Integers are in
 * network byte order. */
#ifndef MOONBOOT_BYTES_H
#define MOONBOOT_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A view of bytes that somebody else owns; `data` may be NULL when `len` is 0. */
struct bytes {
    const uint8_t *data;
    size_t len;
};

struct bytes_reader {
    const uint8_t *at;
    const uint8_t *end;
    bool failed;
};

struct bytes_writer {
    uint8_t *start;
    uint8_t *at;
    uint8_t *end;
    bool failed;
};

struct bytes_reader bytes_reader(const void *data, size_t len);
size_t bytes_left(const struct bytes_reader *r);
uint8_t bytes_u8(struct bytes_reader *r);
uint16_t bytes_u16(struct bytes_reader *r);
uint32_t bytes_u32(struct bytes_reader *r);

/* The next `len` bytes as a view into the buffer, or NULL. */
const uint8_t *bytes_take(struct bytes_reader *r, size_t len);

struct bytes_writer bytes_writer(void *data, size_t capacity);
size_t bytes_written(const struct bytes_writer *w);
void bytes_put_u8(struct bytes_writer *w, uint8_t value);
void bytes_put_u16(struct bytes_writer *w, uint16_t value);
void bytes_put_u32(struct bytes_writer *w, uint32_t value);
void bytes_put(struct bytes_writer *w, const void *data, size_t len);
void bytes_put_zeros(struct bytes_writer *w, size_t len);

/* The value of a hexadecimal digit of either case; -1: it is none. */
int bytes_hex_digit(char c);

#endif
