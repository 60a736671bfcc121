/* Query strings: what follows "?" in a request. Pure, for bytes from the wire.
 *
 * A piece is "name=value"; the first of a repeated name counts, and an empty value is none. What
 * has no "=" behind a name belongs to the value before it: iPXE up to 2021 takes the encoding off
 * an
 * "&" inside a value (a serial number "A&B") and cannot put it back. */
#ifndef MOONBOOT_QUERY_H
#define MOONBOOT_QUERY_H

#include <stdbool.h>
#include <stddef.h>

/* As they were sent: views into the query. */
struct query_piece {
    const char *name;
    size_t name_len; /* 0: all of the piece, `value`, goes on with the value before */
    const char *value;
    size_t value_len;
};

/* Takes the next piece that is not empty from *at, which ends at `end`; false behind the last. */
bool query_next(const char **at, const char *end, struct query_piece *piece);

/* Writes `text` with "%41" as "A" to `out`, which has room for `len` bytes; what is no escape stays
 * as it is. The length. A "+" is a plus: firmware puts plain plus signs into queries ("i440FX +
 * PIIX") and never writes a space that way. */
size_t query_decode(const char *text, size_t len, char *out);

#endif
