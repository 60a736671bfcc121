/* libFuzzer entry for everything of minisign's format: what is read and verifies must be what was
 * written, but for the untrusted comment and the ends of lines. */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "minisign.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void require(int condition)
{
    if (!condition)
        abort();
}

/* A key of this process, and its signature of nothing. */
static struct minisign_key *key;
static struct minisign_public public;
static char own[MINISIGN_SIGNATURE_TEXT];

static void prepare(void)
{
    uint8_t hash[MINISIGN_HASH_LEN], bytes[MINISIGN_LEN];
    key = minisign_key_alloc();
    require(key != NULL);
    minisign_key_make(key);
    minisign_key_public(key, &public);
    minisign_hash("", 0, hash);
    minisign_raw(key, hash, sizeof hash, bytes);
    minisign_write(key, bytes, "comment", own);
}

/* The fuzzer's bytes, laid over a good signature. */
static void damage(const uint8_t *data, size_t len)
{
    static struct minisign_signature signature;
    static char text[MINISIGN_SIGNATURE_TEXT];
    size_t own_len = strlen(own), first = (size_t)(strchr(own, '\n') - own) + 1;
    size_t at = first + data[0] % (own_len - first), n = len - 1;
    n = n < own_len - at ? n : own_len - at;
    memcpy(text, own, own_len);
    memcpy(text + at, data + 1, n);
    bool same = memcmp(text + at, own + at, n) == 0;
    bool good = !minisign_read(text, own_len, &signature) &&
                !minisign_verify(&public, &signature, "", 0, NULL);
    require(good == same);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static struct minisign_signature signature;
    struct minisign_public other;
    const char *text = (const char *)data;
    if (!key)
        prepare();
    if (len == 0)
        return 0;
    if (!minisign_read(text, len, &signature)) {
        require(strlen(signature.comment) < MINISIGN_COMMENT_MAX);
        require(minisign_verify(&public, &signature, "x", 1, NULL) != NULL);
    }
    minisign_public_read(text, len, &other);
    struct minisign_key *secret = minisign_key_alloc();
    require(secret != NULL);
    minisign_key_read(text, len, NULL, secret);
    minisign_key_free(secret);
    damage(data, len);
    return 0;
}
