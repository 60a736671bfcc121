/* What must not be readable in a log: the values that a policy keeps sealed, and what URLs and
 * queries carry under names that say so (token, secret, password, signature). */
#ifndef MOONBOOT_MASK_H
#define MOONBOOT_MASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MASK_MARK       "\u2022\u2022\u2022"
#define MASK_SECRET_MIN 4 /* bytes: a shorter secret is in every text */

/* Secrets to look for, found by their first bytes: a text is read once, however many there are.
 * Their copies are in memory that is locked (as far as may be), left out of core dumps, and
 * wiped. All zero: none. */
struct mask {
    char *area;
    size_t used, room;
    struct mask_secret *secrets; /* in the area; those with a first slot in common, longest first */
    size_t n, secrets_room;
    uint32_t *slots; /* number of a secret + 1; 0: none */
    size_t n_slots;  /* a power of two */
};

/* Adds a copy; too short a one, and one that is there, are left out. False when memory is out. */
bool mask_add(struct mask *mask, const char *secret, size_t len);
void mask_clear(struct mask *mask);

/* Whether what has this name is a secret: it ends in one of these words, in any case. */
bool mask_is_name(const char *name, size_t len);

/* False: nothing in `text` is to be masked. Quick. */
bool mask_may_find(const struct mask *mask, const char *text, size_t len);

/* Copies `text` with MASK_MARK in the place of each secret, of each value in "name=value" whose
 * name is one, and of the password in "//user:password@". What does not fit is cut. Returns
 * the length; a NUL follows. */
size_t mask_text(const struct mask *mask, const char *text, size_t len, char *out, size_t size);

/* Whether a secret that was added stands in `text`. */
bool mask_has(const struct mask *mask, const char *text, size_t len);

/* As mask_text, but for the secrets that were added alone. */
size_t mask_secrets(const struct mask *mask, const char *text, size_t len, char *out, size_t size);

/* The same in a copy for the caller to free; NULL when memory is out. */
char *mask_copy(const struct mask *mask, const char *text, size_t len);

#endif
