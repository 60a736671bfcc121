#include "minisign.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define ALGORITHM_LEN 2
#define PLAIN         "Ed" /* also that of keys */
#define HASHED        "ED"
#define SCRYPT        "Sc"
#define NO_PASSPHRASE "\0\0"
#define BLAKE2B       "B2"

#define SALT_LEN      crypto_pwhash_scryptsalsa208sha256_SALTBYTES
#define CHECKSUM_LEN  crypto_generichash_BYTES
#define LOCKED_LEN    (MINISIGN_ID_LEN + MINISIGN_SECRET_LEN + CHECKSUM_LEN)
#define LOCKED_AT     (3 * ALGORITHM_LEN + SALT_LEN + 8 + 8)
#define SECRET_LEN    (LOCKED_AT + LOCKED_LEN)
#define PUBLIC_LEN    (ALGORITHM_LEN + MINISIGN_ID_LEN + MINISIGN_PUBLIC_LEN)
#define SIGNATURE_LEN (ALGORITHM_LEN + MINISIGN_ID_LEN + MINISIGN_LEN)

#define SCRYPT_MEMORY_MIN ((size_t)16 << 20)
#define SCRYPT_MEMORY_MAX ((uint64_t)4 << 30)

#define UNTRUSTED "untrusted comment: "
#define TRUSTED   "trusted comment: "

#define BASE64 sodium_base64_VARIANT_ORIGINAL

/* --- lines -------------------------------------------------------------------------------- */

struct lines {
    const char *at, *end;
};

/* The next line, without its end ("\n", "\r\n", or the text's); false: there is none, or it has
 * a NUL in it. */
static bool next_line(struct lines *lines, const char **line, size_t *len)
{
    if (lines->at == lines->end)
        return false;
    size_t left = (size_t)(lines->end - lines->at);
    const char *stop = memchr(lines->at, '\n', left);
    *line = lines->at;
    *len = stop ? (size_t)(stop - lines->at) : left;
    lines->at = stop ? stop + 1 : lines->end;
    if (stop && *len && (*line)[*len - 1] == '\r')
        --*len;
    return memchr(*line, '\0', *len) == NULL;
}

static bool next_comment(struct lines *lines, const char *start, const char **text, size_t *len)
{
    size_t start_len = strlen(start);
    if (!next_line(lines, text, len) || *len < start_len || memcmp(*text, start, start_len) != 0)
        return false;
    *text += start_len;
    *len -= start_len;
    return true;
}

/* A line of Base64 that stands for so many bytes. It is written again to compare: libsodium does
 * not look at the highest bit of a character. */
static bool next_bytes(struct lines *lines, uint8_t *bytes, size_t wanted)
{
    char again[sodium_base64_ENCODED_LEN(SECRET_LEN, BASE64)];
    const char *text;
    size_t text_len, len = 0;
    if (!next_line(lines, &text, &text_len) || text_len >= sizeof again ||
        sodium_base642bin(bytes, wanted, text, text_len, NULL, &len, NULL, BASE64) != 0 ||
        len != wanted)
        return false;
    sodium_bin2base64(again, sizeof again, bytes, len, BASE64);
    bool same = strlen(again) == text_len && memcmp(again, text, text_len) == 0;
    sodium_memzero(again, sizeof again);
    return same;
}

/* --- keys --------------------------------------------------------------------------------- */

struct minisign_key *minisign_key_alloc(void)
{
    struct minisign_key *key = sodium_init() < 0 ? NULL : sodium_malloc(sizeof *key);
    if (key)
        memset(key, 0, sizeof *key);
    return key;
}

void minisign_key_free(struct minisign_key *key)
{
    sodium_free(key);
}

void minisign_key_make(struct minisign_key *key)
{
    uint8_t public[MINISIGN_PUBLIC_LEN];
    randombytes_buf(key->id, sizeof key->id);
    crypto_sign_keypair(public, key->secret);
}

void minisign_key_public(const struct minisign_key *key, struct minisign_public *public)
{
    memcpy(public->id, key->id, sizeof public->id);
    memcpy(public->key, key->secret + MINISIGN_SECRET_LEN - MINISIGN_PUBLIC_LEN,
           sizeof public->key);
}

void minisign_id_text(const uint8_t id[MINISIGN_ID_LEN], char text[2 * MINISIGN_ID_LEN + 1])
{
    for (size_t i = 0; i < MINISIGN_ID_LEN; i++) /* a number, little-endian */
        snprintf(text + 2 * i, 3, "%02X", id[MINISIGN_ID_LEN - 1 - i]);
}

void minisign_public_write(const struct minisign_public *public, char text[MINISIGN_PUBLIC_TEXT])
{
    uint8_t bytes[PUBLIC_LEN];
    char id[2 * MINISIGN_ID_LEN + 1], base64[sodium_base64_ENCODED_LEN(PUBLIC_LEN, BASE64)];
    memcpy(bytes, PLAIN, ALGORITHM_LEN);
    memcpy(bytes + ALGORITHM_LEN, public->id, MINISIGN_ID_LEN);
    memcpy(bytes + ALGORITHM_LEN + MINISIGN_ID_LEN, public->key, MINISIGN_PUBLIC_LEN);
    sodium_bin2base64(base64, sizeof base64, bytes, sizeof bytes, BASE64);
    minisign_id_text(public->id, id);
    snprintf(text, MINISIGN_PUBLIC_TEXT, UNTRUSTED "minisign public key %s\n%s\n", id, base64);
}

const char *minisign_public_read(const char *text, size_t len, struct minisign_public *public)
{
    struct lines lines = {text, text + len};
    const char *comment;
    uint8_t bytes[PUBLIC_LEN];
    if (len >= strlen(UNTRUSTED) && memcmp(text, UNTRUSTED, strlen(UNTRUSTED)) == 0)
        next_comment(&lines, UNTRUSTED, &comment, &len);
    if (!next_bytes(&lines, bytes, sizeof bytes) || lines.at != lines.end ||
        memcmp(bytes, PLAIN, ALGORITHM_LEN) != 0)
        return "it is no public key of minisign's format";
    memcpy(public->id, bytes + ALGORITHM_LEN, MINISIGN_ID_LEN);
    memcpy(public->key, bytes + ALGORITHM_LEN + MINISIGN_ID_LEN, MINISIGN_PUBLIC_LEN);
    return NULL;
}

/* --- secret keys and passphrases ------------------------------------------------------------ */

static void put_number(uint8_t out[8], uint64_t number)
{
    for (size_t i = 0; i < 8; i++)
        out[i] = (uint8_t)(number >> (8 * i));
}

static uint64_t get_number(const uint8_t in[8])
{
    uint64_t number = 0;
    for (size_t i = 8; i > 0; i--)
        number = number << 8 | in[i - 1];
    return number;
}

static void checksum(const uint8_t locked[LOCKED_LEN], uint8_t out[CHECKSUM_LEN])
{
    crypto_generichash_state state;
    crypto_generichash_init(&state, NULL, 0, CHECKSUM_LEN);
    crypto_generichash_update(&state, (const uint8_t *)PLAIN, ALGORITHM_LEN);
    crypto_generichash_update(&state, locked, MINISIGN_ID_LEN + MINISIGN_SECRET_LEN);
    crypto_generichash_final(&state, out, CHECKSUM_LEN);
}

/* Locks or unlocks what is locked of a key, by what scrypt makes of the passphrase. */
static bool turn(uint8_t bytes[SECRET_LEN], const char *passphrase, uint64_t operations,
                 uint64_t memory)
{
    uint8_t stream[LOCKED_LEN];
    const uint8_t *salt = bytes + 3 * ALGORITHM_LEN;
    if (crypto_pwhash_scryptsalsa208sha256(stream, sizeof stream, passphrase, strlen(passphrase),
                                           salt, operations, (size_t)memory) != 0)
        return false;
    for (size_t i = 0; i < LOCKED_LEN; i++)
        bytes[LOCKED_AT + i] ^= stream[i];
    sodium_memzero(stream, sizeof stream);
    return true;
}

static bool lock(uint8_t bytes[SECRET_LEN], const char *passphrase)
{
    uint64_t operations = crypto_pwhash_scryptsalsa208sha256_OPSLIMIT_SENSITIVE;
    size_t memory = crypto_pwhash_scryptsalsa208sha256_MEMLIMIT_SENSITIVE;
    randombytes_buf(bytes + 3 * ALGORITHM_LEN, SALT_LEN);
    while (!turn(bytes, passphrase, operations, memory)) {
        operations /= 2;
        memory /= 2;
        if (memory < SCRYPT_MEMORY_MIN)
            return false;
    }
    put_number(bytes + LOCKED_AT - 16, operations);
    put_number(bytes + LOCKED_AT - 8, memory);
    return true;
}

bool minisign_key_write(const struct minisign_key *key, const char *passphrase,
                        char text[MINISIGN_SECRET_TEXT])
{
    uint8_t bytes[SECRET_LEN] = {0};
    char base64[sodium_base64_ENCODED_LEN(SECRET_LEN, BASE64)];
    memcpy(bytes, PLAIN, ALGORITHM_LEN);
    memcpy(bytes + ALGORITHM_LEN, passphrase ? SCRYPT : NO_PASSPHRASE, ALGORITHM_LEN);
    memcpy(bytes + 2 * ALGORITHM_LEN, BLAKE2B, ALGORITHM_LEN);
    memcpy(bytes + LOCKED_AT, key->id, MINISIGN_ID_LEN);
    memcpy(bytes + LOCKED_AT + MINISIGN_ID_LEN, key->secret, MINISIGN_SECRET_LEN);
    checksum(bytes + LOCKED_AT, bytes + SECRET_LEN - CHECKSUM_LEN);
    bool good = !passphrase || lock(bytes, passphrase);
    if (good) {
        sodium_bin2base64(base64, sizeof base64, bytes, sizeof bytes, BASE64);
        snprintf(text, MINISIGN_SECRET_TEXT, UNTRUSTED "minisign%s secret key\n%s\n",
                 passphrase ? " encrypted" : "", base64);
    }
    sodium_memzero(bytes, sizeof bytes);
    sodium_memzero(base64, sizeof base64);
    return good;
}

static bool read_secret(const char *text, size_t len, uint8_t bytes[SECRET_LEN])
{
    struct lines lines = {text, text + len};
    const char *comment;
    return next_comment(&lines, UNTRUSTED, &comment, &len) &&
           next_bytes(&lines, bytes, SECRET_LEN) && lines.at == lines.end &&
           memcmp(bytes, PLAIN, ALGORITHM_LEN) == 0 &&
           memcmp(bytes + 2 * ALGORITHM_LEN, BLAKE2B, ALGORITHM_LEN) == 0;
}

static const char *unlock(uint8_t bytes[SECRET_LEN], const char *passphrase)
{
    const uint8_t *kind = bytes + ALGORITHM_LEN;
    uint64_t operations = get_number(bytes + LOCKED_AT - 16);
    uint64_t memory = get_number(bytes + LOCKED_AT - 8);
    if (memcmp(kind, NO_PASSPHRASE, ALGORITHM_LEN) == 0)
        return NULL;
    if (memcmp(kind, SCRYPT, ALGORITHM_LEN) != 0)
        return "the secret key is locked in a way that is not known";
    if (!passphrase)
        return "the secret key is under a passphrase";
    if (memory > SCRYPT_MEMORY_MAX || operations > SCRYPT_MEMORY_MAX)
        return "the secret key wants more memory or time for its passphrase than is reasonable";
    if (!turn(bytes, passphrase, operations, memory))
        return "there is not enough memory for this passphrase";
    return NULL;
}

const char *minisign_key_read(const char *text, size_t len, const char *passphrase,
                              struct minisign_key *key)
{
    uint8_t bytes[SECRET_LEN], sum[CHECKSUM_LEN], seed[crypto_sign_SEEDBYTES];
    uint8_t public[MINISIGN_PUBLIC_LEN], secret[MINISIGN_SECRET_LEN];
    const char *problem =
        read_secret(text, len, bytes) ? unlock(bytes, passphrase) : minisign_key_problem(text, len);
    if (!problem) {
        bool locked = minisign_key_is_locked(text, len);
        checksum(bytes + LOCKED_AT, sum);
        memcpy(key->id, bytes + LOCKED_AT, MINISIGN_ID_LEN);
        memcpy(key->secret, bytes + LOCKED_AT + MINISIGN_ID_LEN, MINISIGN_SECRET_LEN);
        crypto_sign_ed25519_sk_to_seed(seed, key->secret);
        crypto_sign_seed_keypair(public, secret, seed);
        const uint8_t *there = bytes + SECRET_LEN - CHECKSUM_LEN;
        bool none = !locked && sodium_is_zero(there, CHECKSUM_LEN); /* as minisign writes it */
        /* Halves that do not belong together would give the secret one away. */
        if ((!none && sodium_memcmp(sum, there, CHECKSUM_LEN) != 0) ||
            sodium_memcmp(secret, key->secret, MINISIGN_SECRET_LEN) != 0)
            problem = locked ? "the passphrase is wrong" : "the secret key is damaged";
    }
    if (problem)
        sodium_memzero(key, sizeof *key);
    sodium_memzero(bytes, sizeof bytes);
    sodium_memzero(seed, sizeof seed);
    sodium_memzero(secret, sizeof secret);
    return problem;
}

const char *minisign_key_problem(const char *text, size_t len)
{
    uint8_t bytes[SECRET_LEN];
    struct minisign_public public;
    bool is_secret = read_secret(text, len, bytes);
    sodium_memzero(bytes, sizeof bytes);
    if (is_secret)
        return NULL;
    return minisign_public_read(text, len, &public)
               ? "it is no secret key of minisign's format"
               : "it is a public key, expected the secret one of its pair";
}

bool minisign_key_is_locked(const char *text, size_t len)
{
    uint8_t bytes[SECRET_LEN];
    bool locked = read_secret(text, len, bytes) &&
                  memcmp(bytes + ALGORITHM_LEN, NO_PASSPHRASE, ALGORITHM_LEN) != 0;
    sodium_memzero(bytes, sizeof bytes);
    return locked;
}

/* --- signatures ------------------------------------------------------------------------------ */

void minisign_hash(const void *data, size_t len, uint8_t hash[MINISIGN_HASH_LEN])
{
    crypto_generichash(hash, MINISIGN_HASH_LEN, data, len, NULL, 0);
}

void minisign_raw(const struct minisign_key *key, const void *data, size_t len,
                  uint8_t signature[MINISIGN_LEN])
{
    crypto_sign_detached(signature, NULL, data, len, key->secret);
}

bool minisign_raw_verify(const struct minisign_public *public, const void *data, size_t len,
                         const uint8_t signature[MINISIGN_LEN])
{
    return crypto_sign_verify_detached(signature, data, len, public->key) == 0;
}

/* What the second signature is over. The bytes of it. */
static size_t signed_comment(const uint8_t signature[MINISIGN_LEN], const char *comment,
                             size_t comment_len, uint8_t out[MINISIGN_LEN + MINISIGN_COMMENT_MAX])
{
    memcpy(out, signature, MINISIGN_LEN);
    memcpy(out + MINISIGN_LEN, comment, comment_len);
    return MINISIGN_LEN + comment_len;
}

size_t minisign_write(const struct minisign_key *key, const uint8_t signature[MINISIGN_LEN],
                      const char *comment, char text[MINISIGN_SIGNATURE_TEXT])
{
    uint8_t bytes[SIGNATURE_LEN], second[MINISIGN_LEN];
    uint8_t covered[MINISIGN_LEN + MINISIGN_COMMENT_MAX];
    char first64[sodium_base64_ENCODED_LEN(SIGNATURE_LEN, BASE64)];
    char second64[sodium_base64_ENCODED_LEN(MINISIGN_LEN, BASE64)];
    size_t comment_len = strnlen(comment, MINISIGN_COMMENT_MAX - 1);
    memcpy(bytes, HASHED, ALGORITHM_LEN);
    memcpy(bytes + ALGORITHM_LEN, key->id, MINISIGN_ID_LEN);
    memcpy(bytes + ALGORITHM_LEN + MINISIGN_ID_LEN, signature, MINISIGN_LEN);
    minisign_raw(key, covered, signed_comment(signature, comment, comment_len, covered), second);
    sodium_bin2base64(first64, sizeof first64, bytes, sizeof bytes, BASE64);
    sodium_bin2base64(second64, sizeof second64, second, sizeof second, BASE64);
    return (size_t)snprintf(text, MINISIGN_SIGNATURE_TEXT,
                            UNTRUSTED "signature from minisign secret key\n%s\n" TRUSTED
                                      "%.*s\n%s\n",
                            first64, (int)comment_len, comment, second64);
}

const char *minisign_read(const char *text, size_t len, struct minisign_signature *signature)
{
    struct lines lines = {text, text + len};
    uint8_t bytes[SIGNATURE_LEN];
    const char *comment;
    if (!next_comment(&lines, UNTRUSTED, &comment, &len) ||
        !next_bytes(&lines, bytes, sizeof bytes) ||
        !next_comment(&lines, TRUSTED, &comment, &len) || len >= MINISIGN_COMMENT_MAX ||
        !next_bytes(&lines, signature->comment_bytes, MINISIGN_LEN) || lines.at != lines.end)
        return "it is no signature of minisign's format";
    signature->hashed = memcmp(bytes, HASHED, ALGORITHM_LEN) == 0;
    if (!signature->hashed && memcmp(bytes, PLAIN, ALGORITHM_LEN) != 0)
        return "it is a signature of a kind that is not known";
    memcpy(signature->id, bytes + ALGORITHM_LEN, MINISIGN_ID_LEN);
    memcpy(signature->bytes, bytes + ALGORITHM_LEN + MINISIGN_ID_LEN, MINISIGN_LEN);
    memcpy(signature->comment, comment, len);
    signature->comment[len] = '\0';
    return NULL;
}

const char *minisign_verify(const struct minisign_public *public,
                            const struct minisign_signature *signature, const void *data,
                            size_t len, const uint8_t hash[MINISIGN_HASH_LEN])
{
    uint8_t own[MINISIGN_HASH_LEN], covered[MINISIGN_LEN + MINISIGN_COMMENT_MAX];
    if (memcmp(public->id, signature->id, MINISIGN_ID_LEN) != 0)
        return "the signature is another key's";
    if (signature->hashed) {
        if (data)
            minisign_hash(data, len, own);
        data = data ? own : hash;
        len = MINISIGN_HASH_LEN;
    }
    if (!minisign_raw_verify(public, data, len, signature->bytes))
        return "the signature is not of these bytes";
    size_t covered_len =
        signed_comment(signature->bytes, signature->comment, strlen(signature->comment), covered);
    if (!minisign_raw_verify(public, covered, covered_len, signature->comment_bytes))
        return "the comment is not the one that was signed";
    return NULL;
}
