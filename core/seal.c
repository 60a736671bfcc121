#include "seal.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VERSION    "seal1."
#define SECRET     "sealkey1."
#define PUBLIC     "sealpub1."
#define ID_BYTES   4
#define ID_LEN     (SEAL_ID_TEXT - 1)
#define VARIANT    sodium_base64_VARIANT_URLSAFE_NO_PADDING
#define KEY_TEXT   sodium_base64_ENCODED_LEN(32, VARIANT)
#define PAIR_TEXT  256
#define PLAIN_MAX  (SEAL_NAME_MAX + 1 + SEAL_VALUE_MAX + SEAL_PAD)
#define SEALED_MAX (PLAIN_MAX + crypto_box_SEALBYTES)
#define MALFORMED  "it is no sealed value: moonboot seal makes one (seal1.…)"

static const char no_memory[] = "there is not enough memory";
static const char forged[] = "it is not whole: a character of it was changed or is missing";

struct key {
    unsigned char secret[crypto_box_SECRETKEYBYTES], public[crypto_box_PUBLICKEYBYTES];
    char id[SEAL_ID_TEXT];
};

struct seal_keys {
    size_t n;
    struct key keys[SEAL_KEYS_MAX];
};

/* --- keys ---------------------------------------------------------------------------------- */

static void name_key(const unsigned char public[crypto_box_PUBLICKEYBYTES], char id[SEAL_ID_TEXT])
{
    unsigned char hash[crypto_generichash_BYTES_MIN];
    crypto_generichash(hash, sizeof hash, public, crypto_box_PUBLICKEYBYTES, NULL, 0);
    sodium_bin2hex(id, SEAL_ID_TEXT, hash, ID_BYTES);
}

bool seal_pair_make(struct seal_pair *pair)
{
    *pair = (struct seal_pair){0};
    if (sodium_init() < 0)
        return false;
    struct key *key = sodium_malloc(sizeof *key);
    char *text = sodium_malloc(KEY_TEXT);
    pair->secret = sodium_malloc(PAIR_TEXT);
    pair->public = sodium_malloc(PAIR_TEXT);
    bool good = key && text && pair->secret && pair->public;
    if (good) {
        crypto_box_keypair(key->public, key->secret);
        name_key(key->public, pair->id);
        sodium_bin2base64(text, KEY_TEXT, key->secret, sizeof key->secret, VARIANT);
        snprintf(pair->secret, PAIR_TEXT,
                 "# moonboot: opens what is sealed for %s; the server's alone\n" SECRET "%s\n",
                 pair->id, text);
        sodium_bin2base64(text, KEY_TEXT, key->public, sizeof key->public, VARIANT);
        snprintf(pair->public, PAIR_TEXT, "# moonboot: seals for %s\n" PUBLIC "%s\n", pair->id,
                 text);
    }
    sodium_free(key);
    sodium_free(text);
    if (!good)
        seal_pair_clear(pair);
    return good;
}

void seal_pair_clear(struct seal_pair *pair)
{
    sodium_free(pair->secret);
    sodium_free(pair->public);
    *pair = (struct seal_pair){0};
}

/* The one key of a text that begins with `word`; lines with a # are remarks. */
static bool parse_key(const char *text, size_t len, const char *word, unsigned char key[32])
{
    const char *end = text + len;
    size_t word_len = strlen(word);
    unsigned found = 0;
    bool good = true;
    while (text < end) {
        const char *stop = memchr(text, '\n', (size_t)(end - text));
        size_t line = (size_t)((stop ? stop : end) - text), n = 0;
        while (line && (text[line - 1] == '\r' || text[line - 1] == ' '))
            line--;
        if (line && *text != '#') {
            found++;
            good = good && line > word_len && !memcmp(text, word, word_len) &&
                   sodium_base642bin(key, 32, text + word_len, line - word_len, NULL, &n, NULL,
                                     VARIANT) == 0 &&
                   n == 32;
        }
        text = stop ? stop + 1 : end;
    }
    return good && found == 1;
}

const char *seal_public_read(const char *text, size_t len, struct seal_public *public)
{
    if (sodium_init() < 0)
        return no_memory;
    if (!parse_key(text, len, PUBLIC, public->key)) {
        unsigned char secret[32];
        bool other = parse_key(text, len, SECRET, secret);
        sodium_memzero(secret, sizeof secret);
        return other ? "it is the secret key, expected the public one (NAME.pub)"
                     : "it is no public key of `moonboot keygen --seal`";
    }
    name_key(public->key, public->id);
    return NULL;
}

struct seal_keys *seal_keys_alloc(void)
{
    struct seal_keys *keys = sodium_init() < 0 ? NULL : sodium_malloc(sizeof *keys);
    if (keys)
        memset(keys, 0, sizeof *keys);
    return keys;
}

void seal_keys_free(struct seal_keys *keys)
{
    sodium_free(keys);
}

const char *seal_keys_add(struct seal_keys *keys, const char *text, size_t len)
{
    struct seal_public other;
    if (keys->n == SEAL_KEYS_MAX)
        return "there are more than 8 keys";
    struct key *key = &keys->keys[keys->n];
    if (!parse_key(text, len, SECRET, key->secret)) {
        sodium_memzero(key, sizeof *key);
        return parse_key(text, len, PUBLIC, other.key)
                   ? "it is the public key, expected the secret one (NAME.key)"
                   : "it is no secret key of `moonboot keygen --seal`";
    }
    crypto_scalarmult_base(key->public, key->secret);
    name_key(key->public, key->id);
    keys->n++;
    return NULL;
}

/* --- values -------------------------------------------------------------------------------- */

bool seal_is_name(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '-' || c == '_'))
            return false;
    }
    return len > 0 && len <= SEAL_NAME_MAX;
}

char *seal_make(const struct seal_public *public, const char *name, const void *value, size_t len)
{
    size_t name_len = name ? strlen(name) : 0, plain_len = 0;
    size_t room = name_len + 1 + len + SEAL_PAD;
    unsigned char *plain = sodium_malloc(room), *box = malloc(room + crypto_box_SEALBYTES);
    size_t data_len = sodium_base64_encoded_len(room + crypto_box_SEALBYTES, VARIANT);
    char *data = malloc(data_len), *line = NULL;
    if (plain && box && data) {
        if (name_len)
            memcpy(plain, name, name_len);
        plain[name_len] = '\0';
        memcpy(plain + name_len + 1, value, len);
        sodium_pad(&plain_len, plain, name_len + 1 + len, SEAL_PAD, room);
        crypto_box_seal(box, plain, plain_len, public->key);
        sodium_bin2base64(data, data_len, box, plain_len + crypto_box_SEALBYTES, VARIANT);
        if (asprintf(&line, VERSION "%s.%s%s%s", public->id, name_len ? name : "",
                     name_len ? "." : "", data) < 0)
            line = NULL;
    }
    sodium_free(plain);
    free(box);
    free(data);
    return line;
}

/* The parts of a line. */
struct parts {
    const char *id, *name, *data;
    size_t name_len, data_len;
};

static const char *split(const char *text, size_t len, struct parts *parts)
{
    static const char digits[] = "0123456789abcdef";
    const char *end = text + len, *at = text + sizeof VERSION - 1;
    if (len < sizeof VERSION - 1 || memcmp(text, VERSION, sizeof VERSION - 1) != 0)
        return MALFORMED;
    *parts = (struct parts){.id = at, .name = ""};
    for (size_t i = 0; i < ID_LEN; i++, at++) {
        if (at == end || !*at || !strchr(digits, *at))
            return forged;
    }
    if (at == end || *at++ != '.')
        return forged;
    const char *dot = memchr(at, '.', (size_t)(end - at));
    if (dot) {
        parts->name = at;
        parts->name_len = (size_t)(dot - at);
        if (!seal_is_name(parts->name, parts->name_len))
            return forged;
        at = dot + 1;
    }
    parts->data = at;
    parts->data_len = (size_t)(end - at);
    /* As long as a box can be: how long it is, its own key says. */
    size_t least = sodium_base64_encoded_len(crypto_box_SEALBYTES + SEAL_PAD, VARIANT) - 1;
    size_t most = sodium_base64_encoded_len(SEALED_MAX, VARIANT) - 1;
    if (parts->data_len < least || parts->data_len > most)
        return forged;
    for (; at < end; at++) {
        if (*at == '.' || !(seal_is_name(at, 1)))
            return forged;
    }
    return NULL;
}

const char *seal_problem(const char *text, size_t len, const char **name, size_t *name_len)
{
    struct parts parts = {.name = ""};
    const char *problem = split(text, len, &parts);
    if (name) {
        *name = parts.name;
        *name_len = parts.name_len;
    }
    return problem;
}

/* What was in the box: the name, a NUL, the value. */
static const char *unpack(const struct parts *parts, const unsigned char *plain, size_t len,
                          struct secret *value)
{
    size_t unpadded = 0;
    if (sodium_unpad(&unpadded, plain, len, SEAL_PAD) != 0 || unpadded < parts->name_len + 1 ||
        memcmp(plain, parts->name, parts->name_len) != 0 || plain[parts->name_len] != '\0')
        return forged;
    size_t head = parts->name_len + 1, size = unpadded - head;
    if (size < SEAL_VALUE_MIN || size > SEAL_VALUE_MAX)
        return "what was sealed is too short to be a secret, or too long";
    if (!(value->data = sodium_malloc(size + 1)))
        return no_memory;
    memcpy(value->data, plain + head, size);
    value->data[size] = '\0';
    value->len = size;
    return NULL;
}

const char *seal_open(const struct seal_keys *keys, const char *text, size_t len,
                      struct secret *value)
{
    struct parts parts;
    *value = (struct secret){0};
    const char *problem = split(text, len, &parts);
    if (problem)
        return problem;
    size_t box_len = 0;
    unsigned char *box = malloc(parts.data_len), *plain = sodium_malloc(parts.data_len);
    if (!box || !plain)
        problem = no_memory;
    else if (sodium_base642bin(box, parts.data_len, parts.data, parts.data_len, NULL, &box_len,
                               NULL, VARIANT) != 0 ||
             box_len < crypto_box_SEALBYTES)
        problem = forged;
    bool known = false, open = false;
    for (size_t i = 0; !problem && !open && i < keys->n; i++) {
        const struct key *key = &keys->keys[i];
        if (memcmp(key->id, parts.id, ID_LEN) != 0)
            continue;
        known = true;
        open = crypto_box_seal_open(plain, box, box_len, key->public, key->secret) == 0;
    }
    if (!problem && !open)
        problem = known ? forged
                        : "it was sealed for another key than this server's: seal it anew, or name "
                          "that key in `secrets`";
    if (!problem)
        problem = unpack(&parts, plain, box_len - crypto_box_SEALBYTES, value);
    free(box);
    sodium_free(plain);
    return problem;
}
