/* Sealed secrets: values that anybody can encrypt to a server's public key, and that server
 * alone can open (libsodium's crypto_box_seal). What is sealed is one printable line,
 *
 *     seal1.KEYID.NAME.DATA        or, without a name, seal1.KEYID.DATA
 *
 * seal1 is the version; KEYID, eight digits 0-9 and a-f, says which key it was made for; NAME is
 * for people and tests, and is sealed with the value, so that it cannot be changed; DATA is the
 * box in URL-safe Base64 without padding. Inside are the name, a NUL and the value, padded to a
 * multiple of SEAL_PAD bytes, so that a password's length does not show. */
#ifndef MOONBOOT_SEAL_H
#define MOONBOOT_SEAL_H

#include <stdbool.h>
#include <stddef.h>

#include "secret.h"

#define SEAL_KEYS_MAX  8
#define SEAL_ID_TEXT   9 /* with its NUL */
#define SEAL_NAME_MAX  64
#define SEAL_VALUE_MIN 4 /* bytes: a shorter one is guessed, and cannot be hidden in a log */
#define SEAL_VALUE_MAX 65536
#define SEAL_PAD       32
#define SEAL_FILE_MAX  1024 /* of a key's file */

/* --- keys ---------------------------------------------------------------------------------- */

/* A pair, as the text of its two files; each a remark and a key, a line each. */
struct seal_pair {
    char *secret; /* in locked memory; NUL-terminated */
    char *public; /* the same */
    char id[SEAL_ID_TEXT];
};
bool seal_pair_make(struct seal_pair *pair); /* false: no memory */
void seal_pair_clear(struct seal_pair *pair);

struct seal_public {
    unsigned char key[32];
    char id[SEAL_ID_TEXT];
};

/* Reads a public key: a file's text, or its second line alone. NULL, or what is wrong. */
const char *seal_public_read(const char *text, size_t len, struct seal_public *public);

/* Secret keys, in locked memory. */
struct seal_keys;

/* NULL when memory is out. */
struct seal_keys *seal_keys_alloc(void);
void seal_keys_free(struct seal_keys *keys);

/* Adds the key of a file's text. NULL, or what is wrong. */
const char *seal_keys_add(struct seal_keys *keys, const char *text, size_t len);

/* --- values -------------------------------------------------------------------------------- */

/* Seals a value of SEAL_VALUE_MIN to SEAL_VALUE_MAX bytes; `name` may be NULL. The line, without
 * a newline, for the caller to free; NULL when memory is out. */
char *seal_make(const struct seal_public *public, const char *name, const void *value, size_t len);

/* Whether it can be a name: letters, digits, - and _. */
bool seal_is_name(const char *text, size_t len);

/* NULL: it is well formed; else what is wrong. `name` (may be NULL) is set to the name's place
 * in `text`, "" of length 0 when it has none. */
const char *seal_problem(const char *text, size_t len, const char **name, size_t *name_len);

/* Opens one. NULL, and `value` is the caller's to clear; else what is wrong. */
const char *seal_open(const struct seal_keys *keys, const char *text, size_t len,
                      struct secret *value);

#endif
