#include "token.h"

#include <sodium.h>
#include <string.h>

#define ID_LEN   4
#define HEAD_LEN (ID_LEN + 4 + 1)
#define HASH_LEN (TOKEN_LEN - HEAD_LEN)
#define NONCE    (TOKEN_SINGLE_LEN - TOKEN_LEN)

/* The byte of how far it reaches: so many segments of a name, or the whole name; whether it is
 * good once alone, and has a nonce; and whether the address counts. */
#define DEPTH  0x3f
#define EXACT  0x3f
#define SINGLE 0x40
#define PINNED 0x80

struct key {
    unsigned char hash[crypto_generichash_KEYBYTES];
    unsigned char id[crypto_kdf_BYTES_MIN]; /* ID_LEN bytes of it are shown */
};

struct token_keys {
    size_t n;
    struct key keys[TOKEN_KEYS_MAX];
};

/* --- keys --------------------------------------------------------------------------------- */

static void derive(struct key *key, const unsigned char master[TOKEN_KEY_LEN])
{
    static const char context[crypto_kdf_CONTEXTBYTES + 1] = "mb-token";
    crypto_kdf_derive_from_key(key->hash, sizeof key->hash, 1, context, master);
    crypto_kdf_derive_from_key(key->id, sizeof key->id, 2, context, master);
}

static struct token_keys *alloc(void)
{
    struct token_keys *keys = sodium_init() < 0 ? NULL : sodium_malloc(sizeof *keys);
    if (keys)
        memset(keys, 0, sizeof *keys);
    return keys;
}

struct token_keys *token_keys_random(void)
{
    unsigned char master[TOKEN_KEY_LEN];
    struct token_keys *keys = alloc();
    if (!keys)
        return NULL;
    randombytes_buf(master, sizeof master);
    derive(&keys->keys[0], master);
    keys->n = 1;
    sodium_memzero(master, sizeof master);
    return keys;
}

/* One line, without its end. */
static bool parse_line(struct token_keys *keys, const char *line, size_t len)
{
    unsigned char master[TOKEN_KEY_LEN];
    size_t n = 0;
    const char *remark = memchr(line, '#', len);
    if (remark)
        len = (size_t)(remark - line);
    while (len && (line[len - 1] == ' ' || line[len - 1] == '\t' || line[len - 1] == '\r'))
        len--;
    if (len == 0)
        return true;
    bool good = keys->n < TOKEN_KEYS_MAX && len == 2 * sizeof master &&
                sodium_hex2bin(master, sizeof master, line, len, NULL, &n, NULL) == 0 &&
                n == sizeof master && !sodium_is_zero(master, sizeof master);
    if (good)
        derive(&keys->keys[keys->n++], master);
    sodium_memzero(master, sizeof master);
    return good;
}

struct token_keys *token_keys_parse(const char *text, size_t len, unsigned *line)
{
    const char *end = text + len;
    struct token_keys *keys = alloc();
    *line = 0;
    for (unsigned number = 1; keys && text < end; number++) {
        const char *stop = memchr(text, '\n', (size_t)(end - text));
        if (!parse_line(keys, text, (size_t)((stop ? stop : end) - text))) {
            *line = number;
            break;
        }
        text = stop ? stop + 1 : end;
    }
    if (keys && keys->n > 0 && *line == 0)
        return keys;
    token_keys_free(keys);
    return NULL;
}

struct token_keys *token_keys_copy(const struct token_keys *keys)
{
    struct token_keys *copy = alloc();
    if (copy)
        memcpy(copy, keys, sizeof *copy);
    return copy;
}

void token_keys_free(struct token_keys *keys)
{
    sodium_free(keys);
}

/* --- tokens ------------------------------------------------------------------------------- */

static void add(crypto_generichash_state *state, const void *data, size_t len)
{
    unsigned char framed[4];
    struct bytes_writer w = bytes_writer(framed, sizeof framed);
    bytes_put_u32(&w, (uint32_t)len);
    crypto_generichash_update(state, framed, sizeof framed);
    crypto_generichash_update(state, data, len);
}

/* What stands before the hash. */
static size_t head_len(const unsigned char *token)
{
    return token[HEAD_LEN - 1] & SINGLE ? HEAD_LEN + NONCE : HEAD_LEN;
}

static void hash(const struct key *key, const unsigned char *head, const struct token_claim *claim,
                 struct bytes name, unsigned char out[HASH_LEN])
{
    crypto_generichash_state state;
    bool pinned = head[HEAD_LEN - 1] & PINNED;
    crypto_generichash_init(&state, key->hash, sizeof key->hash, HASH_LEN);
    crypto_generichash_update(&state, head, head_len(head));
    add(&state, claim->purpose, strlen(claim->purpose));
    add(&state, claim->machine.data, claim->machine.len);
    add(&state, name.data, name.len);
    add(&state, &claim->client, pinned ? sizeof claim->client : 0);
    crypto_generichash_final(&state, out, HASH_LEN);
    sodium_memzero(&state, sizeof state);
}

/* How many segments a name that stands for all beneath it has; EXACT for any other, and for
 * one that has more than can be said. */
static unsigned char depth_of(struct bytes name)
{
    unsigned depth = 0;
    if (name.len && name.data[name.len - 1] != '/')
        return EXACT;
    for (size_t i = 0; i < name.len; i++)
        depth += name.data[i] == '/';
    return depth < EXACT ? (unsigned char)depth : EXACT;
}

/* The first `depth` segments of a name, with the slash after them. */
static struct bytes beneath(struct bytes name, unsigned depth)
{
    size_t len = 0;
    if (depth == EXACT)
        return name;
    for (; depth > 0 && len < name.len; len++)
        depth -= name.data[len] == '/';
    return (struct bytes){name.data, len};
}

static void make(const struct token_rules *rules, const struct token_claim *claim, time_t end,
                 unsigned char flags, char *text)
{
    const struct key *key = &rules->keys->keys[0];
    unsigned char token[TOKEN_SINGLE_LEN];
    struct bytes_writer w = bytes_writer(token, HEAD_LEN);
    bytes_put(&w, key->id, ID_LEN);
    bytes_put_u32(&w, (uint32_t)end);
    bytes_put_u8(&w, depth_of(claim->name) | flags | (rules->pin ? PINNED : 0));
    if (flags & SINGLE)
        randombytes_buf(token + HEAD_LEN, NONCE);
    size_t len = head_len(token);
    hash(key, token, claim, claim->name, token + len);
    sodium_bin2hex(text, 2 * (len + HASH_LEN) + 1, token, len + HASH_LEN);
}

void token_make(const struct token_rules *rules, const struct token_claim *claim, time_t now,
                char text[TOKEN_TEXT])
{
    /* The same text for a while: what is asked for again is to be what it was. */
    time_t step = rules->lifetime / 16 + 1;
    make(rules, claim, ((now + (time_t)rules->lifetime) / step + 1) * step, 0, text);
}

void token_make_single(const struct token_rules *rules, const struct token_claim *claim, time_t now,
                       char text[TOKEN_SINGLE_TEXT])
{
    make(rules, claim, now + (time_t)rules->lifetime + 1, SINGLE, text);
}

static const struct key *find(const struct token_keys *keys, const unsigned char id[ID_LEN])
{
    for (size_t i = 0; i < keys->n; i++) {
        if (memcmp(keys->keys[i].id, id, ID_LEN) == 0)
            return &keys->keys[i];
    }
    return NULL;
}

/* One token has one text: capital letters are none. As long as its flags say. */
static bool decode(struct bytes text, unsigned char token[TOKEN_SINGLE_LEN])
{
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] >= 'A' && text.data[i] <= 'F')
            return false;
    }
    return (text.len == TOKEN_TEXT - 1 || text.len == TOKEN_SINGLE_TEXT - 1) &&
           sodium_hex2bin(token, TOKEN_SINGLE_LEN, (const char *)text.data, text.len, NULL, &len,
                          NULL) == 0 &&
           len == head_len(token) + HASH_LEN;
}

bool token_is_single(struct bytes text, char id[TOKEN_ID_TEXT], time_t *end)
{
    unsigned char token[TOKEN_SINGLE_LEN];
    if (!decode(text, token) || !(token[HEAD_LEN - 1] & SINGLE))
        return false;
    struct bytes_reader r = bytes_reader(token + ID_LEN, 4);
    *end = (time_t)bytes_u32(&r);
    sodium_bin2hex(id, TOKEN_ID_TEXT, token + HEAD_LEN + NONCE, HASH_LEN);
    return true;
}

const char *token_problem(const struct token_rules *rules, const struct token_claim *claim,
                          time_t now, struct bytes text)
{
    unsigned char token[TOKEN_SINGLE_LEN], wanted[HASH_LEN];
    if (!decode(text, token))
        return "the token is malformed";
    const struct key *key = find(rules->keys, token);
    if (!key)
        return "the token was made with a key that is not known";
    unsigned char reach = token[HEAD_LEN - 1];
    hash(key, token, claim, beneath(claim->name, reach & DEPTH), wanted);
    if (sodium_memcmp(wanted, token + head_len(token), HASH_LEN) != 0)
        return "the token is forged, or another machine's, name's or address's";
    struct bytes_reader r = bytes_reader(token + ID_LEN, 4);
    if (bytes_u32(&r) <= (uint64_t)now)
        return "the token has expired";
    if (rules->pin && !(reach & PINNED))
        return "the token was made by other rules";
    return NULL;
}
