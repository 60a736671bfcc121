#include "query.h"

#include <string.h>

#include "bytes.h"

bool query_next(const char **at, const char *end, struct query_piece *piece)
{
    const char *start = *at;
    while (start < end && *start == '&')
        start++;
    const char *stop = memchr(start, '&', (size_t)(end - start));
    *at = stop = stop ? stop : end;
    const char *equals = memchr(start, '=', (size_t)(stop - start));
    piece->name = start;
    piece->name_len = equals ? (size_t)(equals - start) : 0;
    piece->value = piece->name_len ? equals + 1 : start;
    piece->value_len = (size_t)(stop - piece->value);
    return stop > start;
}

size_t query_decode(const char *text, size_t len, char *out)
{
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        int high = text[i] == '%' && len - i > 2 ? bytes_hex_digit(text[i + 1]) : -1;
        int low = high < 0 ? -1 : bytes_hex_digit(text[i + 2]);
        out[n++] = low < 0 ? text[i] : (char)(high << 4 | low);
        i += low < 0 ? 0 : 2;
    }
    return n;
}
