#include "signer.h"

#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define N_SLOTS      2048
#define KEEP_SECONDS 3600
#define HASH_LEN     16

/* Of one target; another that falls on its slot takes its place. */
struct memory {
    uint8_t target[HASH_LEN];
    struct signer_signature signature;
    uint8_t check[HASH_LEN]; /* over the rest: half of one worker's, half of another's is none */
};

#define N_WORDS ((sizeof(struct memory) + 7) / 8)

struct signer_board {
    _Atomic uint64_t slots[N_SLOTS][N_WORDS];
};

struct signer {
    struct minisign_key *key;
    struct cms *cms;
    struct signer_board *board;
};

struct signer_board *signer_board_alloc(void)
{
    struct signer_board *board =
        mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return board == MAP_FAILED ? NULL : board;
}

struct signer *signer_open(struct minisign_key *key, struct cms *cms, struct signer_board *board)
{
    struct signer *signer = malloc(sizeof *signer);
    if (signer)
        *signer = (struct signer){key, cms, board};
    return signer;
}

void signer_close(struct signer *signer)
{
    if (!signer)
        return;
    minisign_key_free(signer->key);
    cms_close(signer->cms);
    free(signer);
}

struct cms *signer_cms(const struct signer *signer)
{
    return signer->cms;
}

bool signer_has_key(const struct signer *signer)
{
    return signer->key != NULL;
}

/* --- what is remembered ------------------------------------------------------------------ */

static void hash_target(const struct signer *signer, const struct signer_target *target,
                        uint8_t out[HASH_LEN])
{
    crypto_generichash_state state;
    uint64_t path_len = target->path_len;
    uint8_t digested = signer->cms != NULL; /* without, no digest is remembered */
    crypto_generichash_init(&state, NULL, 0, HASH_LEN);
    crypto_generichash_update(&state, &digested, sizeof digested);
    if (signer->key)
        crypto_generichash_update(&state, signer->key->id, MINISIGN_ID_LEN);
    crypto_generichash_update(&state, (const uint8_t *)&target->client, sizeof target->client);
    crypto_generichash_update(&state, (const uint8_t *)&path_len, sizeof path_len);
    crypto_generichash_update(&state, (const uint8_t *)target->path, path_len);
    if (target->query)
        crypto_generichash_update(&state, (const uint8_t *)target->query, strlen(target->query));
    crypto_generichash_final(&state, out, HASH_LEN);
}

static _Atomic uint64_t *slot_of(const struct signer *signer, const uint8_t target[HASH_LEN])
{
    return signer->board->slots[((size_t)target[0] << 8 | target[1]) % N_SLOTS];
}

static void check_of(const struct memory *memory, uint8_t out[HASH_LEN])
{
    crypto_generichash(out, HASH_LEN, (const uint8_t *)memory, offsetof(struct memory, check), NULL,
                       0);
}

static void remember(struct signer *signer, const struct signer_target *target,
                     const struct signer_signature *signature)
{
    union {
        struct memory memory;
        uint64_t words[N_WORDS];
    } all;
    memset(&all, 0, sizeof all);
    hash_target(signer, target, all.memory.target);
    all.memory.signature = *signature;
    check_of(&all.memory, all.memory.check);
    _Atomic uint64_t *slot = slot_of(signer, all.memory.target);
    for (size_t i = 0; i < N_WORDS; i++)
        atomic_store_explicit(&slot[i], all.words[i], memory_order_relaxed);
}

bool signer_recall(const struct signer *signer, const struct signer_target *target, time_t now,
                   struct signer_signature *signature)
{
    union {
        struct memory memory;
        uint64_t words[N_WORDS];
    } all;
    uint8_t wanted[HASH_LEN], check[HASH_LEN];
    hash_target(signer, target, wanted);
    _Atomic uint64_t *slot = slot_of(signer, wanted);
    for (size_t i = 0; i < N_WORDS; i++)
        all.words[i] = atomic_load_explicit(&slot[i], memory_order_relaxed);
    check_of(&all.memory, check);
    if (memcmp(check, all.memory.check, HASH_LEN) != 0 ||
        memcmp(wanted, all.memory.target, HASH_LEN) != 0)
        return false;
    *signature = all.memory.signature;
    return signature->at <= now && now - signature->at < KEEP_SECONDS;
}

/* --- signing ------------------------------------------------------------------------------- */

void signer_sign(struct signer *signer, const struct signer_target *target, const char *machine,
                 const void *data, size_t len, time_t now, struct signer_signature *signature)
{
    uint8_t hash[MINISIGN_HASH_LEN];
    memset(signature, 0, sizeof *signature);
    signature->at = now;
    snprintf(signature->machine, sizeof signature->machine, "%s", machine ? machine : "");
    if (signer->cms)
        cms_digest(data, len, signature->digest);
    if (signer->key) {
        minisign_raw(signer->key, data, len, signature->raw);
        minisign_hash(data, len, hash);
        minisign_raw(signer->key, hash, sizeof hash, signature->hashed);
    }
    remember(signer, target, signature);
}

/* Appends text to a comment, with what could end it, or be taken for its next part, escaped. */
static size_t add(char comment[MINISIGN_COMMENT_MAX], size_t at, const char *text, size_t len)
{
    for (size_t i = 0; i < len && at + 4 < MINISIGN_COMMENT_MAX; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c > ' ' && c < 0x7f && c != '%')
            comment[at++] = (char)c;
        else
            at += (size_t)snprintf(comment + at, 4, "%%%02X", c);
    }
    comment[at] = '\0';
    return at;
}

size_t signer_text(const struct signer *signer, const struct signer_target *target,
                   const struct signer_signature *signature, char text[MINISIGN_SIGNATURE_TEXT])
{
    static const char mark[] = "~token=";
    char comment[MINISIGN_COMMENT_MAX];
    const char *path = target->path, *end = path + target->path_len;
    const char *token = memmem(path, target->path_len, mark, sizeof mark - 1);
    size_t at = (size_t)snprintf(comment, sizeof comment,
                                 "timestamp:%lld\tpath:", (long long)signature->at);
    at = add(comment, at, path, (size_t)((token ? token : end) - path));
    while (token && token < end && *token != '/')
        token++;
    if (token)
        at = add(comment, at, token, (size_t)(end - token));
    if (target->query) {
        at = add(comment, at, "?", 1);
        at = add(comment, at, target->query, strlen(target->query));
    }
    at += (size_t)snprintf(comment + at, sizeof comment - at, "\tmachine:");
    const char *machine = *signature->machine ? signature->machine : "any";
    if (at < sizeof comment)
        add(comment, at, machine, strlen(machine));
    return minisign_write(signer->key, signature->hashed, comment, text);
}
