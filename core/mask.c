#include "mask.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>

#define USER_MAX 256 /* bytes of a name before a password: looked back for at each ":" */

struct mask_secret {
    size_t at, len; /* in the area */
    uint32_t next;  /* number + 1 of the next in the same slot; 0: none */
};

/* --- secrets ------------------------------------------------------------------------------- */

static size_t slot_of(const struct mask *mask, const char *text)
{
    uint32_t head;
    memcpy(&head, text, sizeof head);
    return (head * 2654435769u >> 7) & (mask->n_slots - 1);
}

static void area_free(char *area, size_t used, size_t room)
{
    if (!area)
        return;
    explicit_bzero(area, used);
    munmap(area, room);
}

/* Whole pages of its own: they can be locked and left out of dumps. Locking may be more than is
 * allowed; what was not locked is still not dumped. */
static bool area_grow(struct mask *mask, size_t more)
{
    size_t room = mask->room ? mask->room : 4096;
    while (room - mask->used < more)
        room *= 2;
    if (room == mask->room)
        return true;
    char *area = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (area == MAP_FAILED)
        return false;
    madvise(area, room, MADV_DONTDUMP);
    if (mlock(area, room) < 0)
        errno = 0;
    if (mask->used)
        memcpy(area, mask->area, mask->used);
    area_free(mask->area, mask->used, mask->room);
    mask->area = area;
    mask->room = room;
    return true;
}

/* Puts a secret into its slot, behind the longer ones. */
static void link_secret(struct mask *mask, size_t number)
{
    struct mask_secret *secret = &mask->secrets[number];
    uint32_t *place = &mask->slots[slot_of(mask, mask->area + secret->at)];
    while (*place && mask->secrets[*place - 1].len > secret->len)
        place = &mask->secrets[*place - 1].next;
    secret->next = *place;
    *place = (uint32_t)number + 1;
}

static bool table_grow(struct mask *mask)
{
    if (mask->n < mask->secrets_room)
        return true;
    size_t room = mask->secrets_room ? 2 * mask->secrets_room : 16;
    struct mask_secret *secrets = realloc(mask->secrets, room * sizeof *secrets);
    if (!secrets)
        return false;
    mask->secrets = secrets;
    uint32_t *slots = calloc(2 * room, sizeof *slots);
    if (!slots)
        return false;
    free(mask->slots);
    mask->slots = slots;
    mask->n_slots = 2 * room;
    mask->secrets_room = room;
    for (size_t i = 0; i < mask->n; i++)
        link_secret(mask, i);
    return true;
}

/* How many bytes at `at` are a secret, the longest that is there; 0: none. */
static size_t secret_at(const struct mask *mask, const char *text, size_t at, size_t len)
{
    if (!mask->n || len - at < MASK_SECRET_MIN)
        return 0;
    for (uint32_t i = mask->slots[slot_of(mask, text + at)]; i; i = mask->secrets[i - 1].next) {
        const struct mask_secret *secret = &mask->secrets[i - 1];
        if (secret->len <= len - at && !memcmp(text + at, mask->area + secret->at, secret->len))
            return secret->len;
    }
    return 0;
}

bool mask_add(struct mask *mask, const char *secret, size_t len)
{
    if (len < MASK_SECRET_MIN || (mask->n && secret_at(mask, secret, 0, len) == len))
        return true;
    if (mask->n == UINT32_MAX - 1 || !area_grow(mask, len) || !table_grow(mask))
        return false;
    memcpy(mask->area + mask->used, secret, len);
    mask->secrets[mask->n] = (struct mask_secret){.at = mask->used, .len = len};
    mask->used += len;
    link_secret(mask, mask->n++);
    return true;
}

void mask_clear(struct mask *mask)
{
    area_free(mask->area, mask->used, mask->room);
    free(mask->secrets);
    free(mask->slots);
    *mask = (struct mask){0};
}

/* --- names and texts ----------------------------------------------------------------------- */

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
    size_t from = at - 1, end = at, least = at > USER_MAX ? at - USER_MAX : 0;
    while (from > least && text[from - 1] != '/' && (unsigned char)text[from - 1] > ' ')
        from--;
    if (from < 2 || text[from - 1] != '/' || text[from - 2] != '/')
        return 0;
    while (end < len && !ends_value(text[end]) && text[end] != '@')
        end++;
    return end < len && text[end] == '@' ? end - at : 0;
}

/* The longer of what a name hides and of a secret: either may have more behind its end. */
static size_t hidden_at(const struct mask *mask, const char *text, size_t at, size_t len)
{
    size_t n = 0, secret = secret_at(mask, text, at, len);
    if (at > 0 && text[at - 1] == '=')
        n = value_at(text, at, len);
    else if (at > 0 && text[at - 1] == ':')
        n = password_at(text, at, len);
    return n > secret ? n : secret;
}

bool mask_has(const struct mask *mask, const char *text, size_t len)
{
    for (size_t at = 0; mask->n && at + MASK_SECRET_MIN <= len; at++) {
        if (secret_at(mask, text, at, len))
            return true;
    }
    return false;
}

bool mask_may_find(const struct mask *mask, const char *text, size_t len)
{
    return memchr(text, '=', len) || memchr(text, '@', len) || mask_has(mask, text, len);
}

typedef size_t find_hidden(const struct mask *mask, const char *text, size_t at, size_t len);

static size_t hide(const struct mask *mask, find_hidden *find, const char *text, size_t len,
                   char *out, size_t size)
{
    size_t written = 0;
    for (size_t at = 0; at < len;) {
        size_t hidden = find(mask, text, at, len);
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

size_t mask_text(const struct mask *mask, const char *text, size_t len, char *out, size_t size)
{
    return hide(mask, hidden_at, text, len, out, size);
}

size_t mask_secrets(const struct mask *mask, const char *text, size_t len, char *out, size_t size)
{
    return hide(mask, secret_at, text, len, out, size);
}

char *mask_copy(const struct mask *mask, const char *text, size_t len)
{
    /* A secret has four bytes, its mark nine. */
    size_t size = len / MASK_SECRET_MIN * sizeof MASK_MARK + len + 1;
    char *copy = malloc(size);
    if (copy)
        mask_secrets(mask, text, len, copy, size);
    return copy;
}
