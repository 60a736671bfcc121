#include "mask.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

bool mask_add(struct mask *mask, const char *secret, size_t len)
{
    if (len < MASK_SECRET_MIN)
        return true;
    char **secrets = realloc(mask->secrets, (mask->n + 1) * sizeof *secrets);
    if (secrets)
        mask->secrets = secrets;
    size_t *lengths = realloc(mask->lengths, (mask->n + 1) * sizeof *lengths);
    if (lengths)
        mask->lengths = lengths;
    char *copy = secrets && lengths ? malloc(len) : NULL;
    if (!copy)
        return false;
    memcpy(copy, secret, len);
    secrets[mask->n] = copy;
    lengths[mask->n++] = len;
    return true;
}

void mask_clear(struct mask *mask)
{
    for (size_t i = 0; i < mask->n; i++)
        free(mask->secrets[i]);
    free(mask->secrets);
    free(mask->lengths);
    *mask = (struct mask){0};
}

bool mask_is_name(const char *name, size_t len)
{
    static const char *const words[] = {"token", "secret", "password", "passwd", "signature"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        size_t n = strlen(words[i]);
        if (len >= n && !strncasecmp(name + len - n, words[i], n))
            return true;
    }
    return false;
}

static bool name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.';
}

static bool ends_value(char c)
{
    return (unsigned char)c <= ' ' || strchr("&;~#\"'/<>", c);
}

/* How many bytes at `at` are a secret; 0: none. */
static size_t secret_at(const struct mask *mask, const char *text, size_t at, size_t len)
{
    for (size_t i = 0; i < mask->n; i++) {
        size_t n = mask->lengths[i];
        if (n <= len - at && !memcmp(text + at, mask->secrets[i], n))
            return n;
    }
    return 0;
}

/* Behind "name=" the value's length. */
static size_t value_at(const char *text, size_t at, size_t len)
{
    size_t from = at - 1, end = at;
    while (from > 0 && name_char(text[from - 1]))
        from--;
    if (!mask_is_name(text + from, at - 1 - from))
        return 0;
    while (end < len && !ends_value(text[end]))
        end++;
    return end - at;
}

/* Behind a ":" the length of a password that stands in a URL's authority. */
static size_t password_at(const char *text, size_t at, size_t len)
{
    size_t from = at - 1, end = at;
    while (from > 0 && text[from - 1] != '/' && (unsigned char)text[from - 1] > ' ')
        from--;
    if (from < 2 || text[from - 2] != '/')
        return 0;
    while (end < len && !ends_value(text[end]) && text[end] != '@')
        end++;
    return end < len && text[end] == '@' ? end - at : 0;
}

static size_t hidden_at(const struct mask *mask, const char *text, size_t at, size_t len)
{
    size_t n = 0;
    if (at > 0 && text[at - 1] == '=')
        n = value_at(text, at, len);
    else if (at > 0 && text[at - 1] == ':')
        n = password_at(text, at, len);
    return n ? n : secret_at(mask, text, at, len);
}

bool mask_may_find(const struct mask *mask, const char *text, size_t len)
{
    if (memchr(text, '=', len) || memchr(text, '@', len))
        return true;
    for (size_t i = 0; i < mask->n; i++) {
        if (memmem(text, len, mask->secrets[i], mask->lengths[i]))
            return true;
    }
    return false;
}

size_t mask_text(const struct mask *mask, const char *text, size_t len, char *out, size_t size)
{
    size_t written = 0;
    for (size_t at = 0; at < len;) {
        size_t hidden = hidden_at(mask, text, at, len);
        const char *piece = hidden ? MASK_MARK : text + at;
        size_t n = hidden ? sizeof MASK_MARK - 1 : 1;
        if (n >= size - written)
            break;
        memcpy(out + written, piece, n);
        written += n;
        at += hidden ? hidden : 1;
    }
    out[written] = '\0';
    return written;
}
