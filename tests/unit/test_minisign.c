/* minisign's format: what Debian's minisign 0.11 wrote is read, and what is damaged is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "minisign.h"

/* minisign -G -W; minisign -S, and -S -l, of "moonboot\n" */
static const char secret_text[] =
    "untrusted comment: minisign encrypted secret key\n"
    "RWQAAEIyAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAZRhFkVtUiv6WdALgcwkt"
    "+n7mhiPvWcGty5QQ8coqlxy55sydJOfy9sxBRGvwhbmIeBDF0XyqpD69WXejFe1KmsIhTJPvRrCMAAAAAAAAAAAAAAAAAA"
    "AA"
    "AAAAAAAAAAAAAAAAAAAAAAA=\n";
static const char public_text[] = "untrusted comment: minisign public key FE8A545B91451865\n"
                                  "RWRlGEWRW1SK/sxBRGvwhbmIeBDF0XyqpD69WXejFe1KmsIhTJPvRrCM\n";
static const char signature_text[] =
    "untrusted comment: signature from minisign secret key\n"
    "RURlGEWRW1SK/"
    "lZtTh05MQkCMEo5KvMfG0qXjynYLly1bogB59BKjmS6WAkb0Z2Co+JDfb5Gs+6oC9zO1dcNNVAoEDWiRsaN"
    "BQQ=\n"
    "trusted comment: a trusted comment\n"
    "Fg2BI7ompUL56HVuB7lsb9gU94hSUnjTDjqXzjt83BOWKchC5KMsHH+5h60yYbTU4bRKVcBVLM9YsoVZyBkYAQ==\n";
static const char old_text[] =
    "untrusted comment: signature from minisign secret key\n"
    "RWRlGEWRW1SK/"
    "l4CNJAyDHIRj01WoCqfAjegCKX18fzT0EEHZHGY4xp7pWBKAojQfoyanbq2ISvaCURu6chR1rdTru6XFNhj"
    "hgA=\n"
    "trusted comment: an old one\n"
    "0o63P3rmBxluIkvF5F33OieezqDlXRG8Xs0/9ybPPdtH+oeGFtFHuqyZhAk2AVSdb7/5TQf5JY2T1bw6eBdxBg==\n";
static const char message[] = "moonboot\n";

static struct minisign_public public_of(const char *text)
{
    struct minisign_public public;
    assert_null(minisign_public_read(text, strlen(text), &public));
    return public;
}

static struct minisign_key *key_of(const char *text)
{
    struct minisign_key *key = minisign_key_alloc();
    assert_non_null(key);
    assert_null(minisign_key_read(text, strlen(text), NULL, key));
    return key;
}

/* NULL, or what is wrong with a signature of that text, of those bytes. */
static const char *check(const struct minisign_public *public, const char *text, size_t len,
                         const char *data, size_t data_len)
{
    static struct minisign_signature signature;
    const char *problem = minisign_read(text, len, &signature);
    return problem ? problem : minisign_verify(public, &signature, data, data_len, NULL);
}

static void test_what_minisign_wrote(void **state)
{
    struct minisign_public public = public_of(public_text), derived;
    struct minisign_key *key = key_of(secret_text);
    static struct minisign_signature signature;
    char text[MINISIGN_SIGNATURE_TEXT], id[2 * MINISIGN_ID_LEN + 1];
    uint8_t hash[MINISIGN_HASH_LEN], bytes[MINISIGN_LEN];
    (void)state;
    minisign_key_public(key, &derived);
    assert_memory_equal(&derived, &public, sizeof public);
    minisign_id_text(public.id, id);
    assert_string_equal(id, "FE8A545B91451865");
    assert_null(check(&public, signature_text, strlen(signature_text), message, strlen(message)));
    assert_null(check(&public, old_text, strlen(old_text), message, strlen(message)));
    /* Ed25519 has one signature of a message: ours is minisign's, to the byte. */
    minisign_hash(message, strlen(message), hash);
    minisign_raw(key, hash, sizeof hash, bytes);
    assert_int_equal(minisign_write(key, bytes, "a trusted comment", text), strlen(signature_text));
    assert_string_equal(text, signature_text);
    assert_null(minisign_read(text, strlen(text), &signature));
    assert_string_equal(signature.comment, "a trusted comment");
    assert_null(minisign_verify(&public, &signature, NULL, 0, hash));
    hash[0] ^= 1;
    assert_string_equal(minisign_verify(&public, &signature, NULL, 0, hash),
                        "the signature is not of these bytes");
    minisign_raw(key, message, strlen(message), bytes);
    assert_true(minisign_raw_verify(&public, message, strlen(message), bytes));
    assert_false(minisign_raw_verify(&public, message, strlen(message) - 1, bytes));
    minisign_key_free(key);
}

static void test_own_keys(void **state)
{
    struct minisign_key *key = minisign_key_alloc(), *again;
    struct minisign_public public, other = public_of(public_text);
    char secret[MINISIGN_SECRET_TEXT], text[MINISIGN_PUBLIC_TEXT], signed_[MINISIGN_SIGNATURE_TEXT];
    uint8_t hash[MINISIGN_HASH_LEN], bytes[MINISIGN_LEN];
    (void)state;
    minisign_key_make(key);
    assert_true(minisign_key_write(key, NULL, secret));
    assert_false(minisign_key_is_locked(secret, strlen(secret)));
    assert_null(minisign_key_problem(secret, strlen(secret)));
    again = key_of(secret);
    assert_memory_equal(key, again, sizeof *key);
    minisign_key_public(again, &public);
    minisign_public_write(&public, text);
    public = public_of(text);
    public = public_of(strchr(text, '\n') + 1); /* the line alone */
    minisign_hash("x", 1, hash);
    minisign_raw(key, hash, sizeof hash, bytes);
    size_t len = minisign_write(key, bytes, "c", signed_);
    assert_null(check(&public, signed_, len, "x", 1));
    assert_string_equal(check(&other, signed_, len, "x", 1), "the signature is another key's");
    memcpy(other.id, public.id, sizeof other.id);
    assert_string_equal(check(&other, signed_, len, "x", 1), "the signature is not of these bytes");
    minisign_key_free(key);
    minisign_key_free(again);
}

/* Its bytes, with these changed. */
static const char *read_damaged(size_t at, uint8_t bits)
{
    struct minisign_key *key = minisign_key_alloc();
    uint8_t bytes[158];
    size_t len;
    char text[MINISIGN_SECRET_TEXT] = "untrusted comment: x\n", base64[224];
    const char *line = strchr(secret_text, '\n') + 1;
    assert_int_equal(sodium_base642bin(bytes, sizeof bytes, line, strlen(line), "\n", &len, NULL,
                                       sodium_base64_VARIANT_ORIGINAL),
                     0);
    bytes[at] ^= bits;
    sodium_bin2base64(base64, sizeof base64, bytes, sizeof bytes, sodium_base64_VARIANT_ORIGINAL);
    strcat(text, base64);
    const char *problem = minisign_key_read(text, strlen(text), NULL, key);
    assert_true(!problem || sodium_is_zero(key->secret, sizeof key->secret));
    minisign_key_free(key);
    return problem;
}

static void test_damaged_keys(void **state)
{
    struct minisign_key *key = minisign_key_alloc();
    struct minisign_public public;
    (void)state;
    assert_null(read_damaged(0, 0));
    assert_string_equal(read_damaged(0, 1), "it is no secret key of minisign's format");
    assert_string_equal(read_damaged(2, 1), "the secret key is locked in a way that is not known");
    assert_string_equal(read_damaged(4, 1), "it is no secret key of minisign's format");
    assert_string_equal(read_damaged(62, 1), "the secret key is damaged");  /* its seed */
    assert_string_equal(read_damaged(125, 1), "the secret key is damaged"); /* its public half */
    assert_string_equal(read_damaged(157, 1), "the secret key is damaged"); /* its checksum */
    for (size_t len = 0; len < strlen(secret_text) - 1; len++)
        assert_non_null(minisign_key_read(secret_text, len, NULL, key));
    for (size_t len = 0; len < strlen(public_text) - 1; len++)
        assert_non_null(minisign_public_read(public_text, len, &public));
    minisign_key_free(key);
}

/* A key that wants the earth of who asks for its passphrase. */
static void test_unreasonable_keys(void **state)
{
    uint8_t bytes[158] = "EdScB2";
    char text[MINISIGN_SECRET_TEXT] = "untrusted comment: x\n", base64[224];
    struct minisign_key *key = minisign_key_alloc();
    (void)state;
    memset(bytes + 38, 0xff, 16);
    sodium_bin2base64(base64, sizeof base64, bytes, sizeof bytes, sodium_base64_VARIANT_ORIGINAL);
    strcat(text, base64);
    assert_true(minisign_key_is_locked(text, strlen(text)));
    assert_string_equal(minisign_key_read(text, strlen(text), NULL, key),
                        "the secret key is under a passphrase");
    assert_string_equal(
        minisign_key_read(text, strlen(text), "x", key),
        "the secret key wants more memory or time for its passphrase than is reasonable");
    minisign_key_free(key);
}

static void test_malformed_signatures(void **state)
{
    struct minisign_public public = public_of(public_text);
    char text[2 * sizeof signature_text];
    (void)state;
    for (size_t len = 0; len < strlen(signature_text) - 1;
         len++) /* the last line may lack its end */
        assert_non_null(check(&public, signature_text, len, message, strlen(message)));
    snprintf(text, sizeof text, "%s\n", signature_text);
    assert_non_null(check(&public, text, strlen(text), message, strlen(message)));
    snprintf(text, sizeof text, "%s%s", signature_text, signature_text);
    assert_non_null(check(&public, text, strlen(text), message, strlen(message)));
    assert_non_null(check(&public, public_text, strlen(public_text), message, strlen(message)));
}

static void flip(char *at, uint32_t bit)
{
    at[bit / 8] ^= (char)(1 << bit % 8);
}

/* One bit of 10,000 at random, of the message, of the signature and its comment, of the public
 * key. What stands after "untrusted comment: " is, as it says, for nobody to trust. */
static void test_flipped_bits(void **state)
{
    char text[sizeof signature_text], key[sizeof public_text], data[4096];
    struct minisign_key *secret = key_of(secret_text);
    struct minisign_public public = public_of(public_text);
    uint8_t hash[MINISIGN_HASH_LEN], bytes[MINISIGN_LEN];
    char whole[MINISIGN_SIGNATURE_TEXT];
    (void)state;
    randombytes_buf(data, sizeof data);
    minisign_hash(data, sizeof data, hash);
    minisign_raw(secret, hash, sizeof hash, bytes);
    size_t len = minisign_write(secret, bytes, "path:/ipxe", whole);
    assert_true(len < sizeof text);
    memcpy(text, whole, len);
    memcpy(key, public_text, sizeof key);
    assert_null(check(&public, text, len, data, sizeof data));
    size_t first = (size_t)(strchr(whole, '\n') - whole);
    char *line = strchr(key, '\n') + 1;
    size_t key_len = strlen(line) - 1;
    for (int i = 0; i < 10000; i++) {
        size_t total = sizeof data + (len - 1 - first) + key_len;
        uint32_t bit = randombytes_uniform((uint32_t)(8 * total)), at = bit / 8;
        char *where = at < sizeof data       ? data
                      : at < total - key_len ? text + first - sizeof data
                                             : line - (total - key_len);
        flip(where, bit);
        const char *problem = minisign_public_read(key, strlen(key), &public);
        if (!problem)
            problem = check(&public, text, len, data, sizeof data);
        if (!problem)
            fail_msg("bit %u was flipped, and nobody noticed", bit);
        flip(where, bit);
    }
    public = public_of(key);
    assert_null(check(&public, text, len, data, sizeof data));
    minisign_key_free(secret);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_minisign_wrote),  cmocka_unit_test(test_own_keys),
        cmocka_unit_test(test_damaged_keys),         cmocka_unit_test(test_unreasonable_keys),
        cmocka_unit_test(test_malformed_signatures), cmocka_unit_test(test_flipped_bits),
    };
    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
