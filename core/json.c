#include "json.h"

#include <stdint.h>

size_t json_utf8(const unsigned char *s, size_t left)
{
    if (left > 0 && s[0] < 0x80)
        return 1;
    size_t n = left == 0                     ? 0
               : s[0] >= 0xc2 && s[0] < 0xe0 ? 2
               : (s[0] & 0xf0) == 0xe0       ? 3
               : s[0] >= 0xf0 && s[0] < 0xf5 ? 4
                                             : 0;
    if (n > left)
        return 0;
    for (size_t i = 1; i < n; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    }
    if (n && ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
              (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f)))
        return 0;
    return n;
}

void json_string(FILE *out, const char *text)
{
    if (!text) {
        fputs("null", out);
        return;
    }
    fputc('"', out);
    for (const unsigned char *s = (const unsigned char *)text; *s;) {
        size_t n = json_utf8(s, SIZE_MAX);
        if (n == 0 || *s < 0x20 || *s == 0x7f) {
            fprintf(out, "\\u%04x", *s);
            s++;
            continue;
        }
        if (*s == '"' || *s == '\\')
            fputc('\\', out);
        fwrite(s, 1, n, out);
        s += n;
    }
    fputc('"', out);
}

void json_strings(FILE *out, const char *const *texts, size_t n)
{
    fputc('[', out);
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            fputc(',', out);
        json_string(out, texts[i]);
    }
    fputc(']', out);
}
