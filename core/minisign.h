/* Signatures in minisign's format (https://jedisct1.github.io/minisign/): Ed25519 over the
 * BLAKE2b-512 hash of what is signed, a comment that is signed too, and keys whose secret half
 * may be under a passphrase (scrypt). libsodium does the cryptography.
 *
 * All of this is about texts in memory. What is read may come from anybody: a text is taken as a
 * whole, or not at all, and only in the one form that is written. */
#ifndef MOONBOOT_MINISIGN_H
#define MOONBOOT_MINISIGN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MINISIGN_ID_LEN      8
#define MINISIGN_PUBLIC_LEN  32
#define MINISIGN_SECRET_LEN  64
#define MINISIGN_LEN         64 /* a signature alone, as of Ed25519 */
#define MINISIGN_HASH_LEN    64
#define MINISIGN_COMMENT_MAX 8192 /* with its NUL */

#define MINISIGN_PUBLIC_TEXT    128 /* enough for what the functions below write */
#define MINISIGN_SECRET_TEXT    320
#define MINISIGN_SIGNATURE_TEXT (MINISIGN_COMMENT_MAX + 320)

struct minisign_public {
    uint8_t id[MINISIGN_ID_LEN];
    uint8_t key[MINISIGN_PUBLIC_LEN];
};

/* Lives in locked memory (minisign_key_alloc). */
struct minisign_key {
    uint8_t id[MINISIGN_ID_LEN];
    uint8_t secret[MINISIGN_SECRET_LEN]; /* the second half is the public key */
};

struct minisign_signature {
    bool hashed; /* else an old one, over the bytes themselves */
    uint8_t id[MINISIGN_ID_LEN];
    uint8_t bytes[MINISIGN_LEN];
    uint8_t comment_bytes[MINISIGN_LEN]; /* over `bytes` and the comment */
    char comment[MINISIGN_COMMENT_MAX];
};

/* --- keys ------------------------------------------------------------------------------- */

/* Zeroed. NULL when memory is out. minisign_key_free wipes. */
struct minisign_key *minisign_key_alloc(void);
void minisign_key_free(struct minisign_key *key);

void minisign_key_make(struct minisign_key *key);
void minisign_key_public(const struct minisign_key *key, struct minisign_public *public);

/* The id as people read it: 16 capital digits, and a NUL. */
void minisign_id_text(const uint8_t id[MINISIGN_ID_LEN], char text[2 * MINISIGN_ID_LEN + 1]);

/* A key's file. The secret one is in the clear when `passphrase` is NULL. False: there is not
 * enough memory for scrypt, which takes 1 GB; it is tried with less, down to 16 MB. */
void minisign_public_write(const struct minisign_public *public, char text[MINISIGN_PUBLIC_TEXT]);
bool minisign_key_write(const struct minisign_key *key, const char *passphrase,
                        char text[MINISIGN_SECRET_TEXT]);

/* Reads a key's file; a public key may also stand alone, as one line. NULL, or what is wrong. */
const char *minisign_public_read(const char *text, size_t len, struct minisign_public *public);

/* `passphrase` NULL: there is none. Its check takes seconds, and as much memory as the key's maker
 * wanted, up to 4 GB. */
const char *minisign_key_read(const char *text, size_t len, const char *passphrase,
                              struct minisign_key *key);

/* NULL when that text looks like a secret key's file, or what it is instead. */
const char *minisign_key_problem(const char *text, size_t len);

/* True when that text is a secret key's file under a passphrase. */
bool minisign_key_is_locked(const char *text, size_t len);

/* --- signatures --------------------------------------------------------------------------- */

void minisign_hash(const void *data, size_t len, uint8_t hash[MINISIGN_HASH_LEN]);

/* Ed25519 over the bytes themselves. */
void minisign_raw(const struct minisign_key *key, const void *data, size_t len,
                  uint8_t signature[MINISIGN_LEN]);
bool minisign_raw_verify(const struct minisign_public *public, const void *data, size_t len,
                         const uint8_t signature[MINISIGN_LEN]);

/* A signature's file, of the signature over a hash, and a comment: printable text and tabs, of
 * less than MINISIGN_COMMENT_MAX bytes (what is beyond is cut). The length of the text. */
size_t minisign_write(const struct minisign_key *key, const uint8_t signature[MINISIGN_LEN],
                      const char *comment, char text[MINISIGN_SIGNATURE_TEXT]);

/* NULL, or what is wrong with that text. */
const char *minisign_read(const char *text, size_t len, struct minisign_signature *signature);

/* NULL: it is this key's signature of these bytes, or, where `data` is NULL and the signature is
 * `hashed`, of bytes of that hash; the comment is its maker's. Else what is wrong. */
const char *minisign_verify(const struct minisign_public *public,
                            const struct minisign_signature *signature, const void *data,
                            size_t len, const uint8_t hash[MINISIGN_HASH_LEN]);

#endif
