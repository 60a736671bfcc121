/* Writing JSON (RFC 8259) by hand: the one part that is easily got wrong. */
#ifndef MOONBOOT_JSON_H
#define MOONBOOT_JSON_H

#include <stddef.h>
#include <stdio.h>

/* The length of the well-formed UTF-8 sequence at `s` (RFC 3629) of at most `left` bytes; 0 when it
 * is none. Of text that ends with NUL no more is read than that, whatever `left`. */
size_t json_utf8(const unsigned char *s, size_t left);

/* Writes `text` as a JSON string, quotes included; bytes that are no UTF-8 as \u00XX. NULL is
 * written as null. */
void json_string(FILE *out, const char *text);

/* Writes a list of strings. */
void json_strings(FILE *out, const char *const *texts, size_t n);

#endif
