/* Tokens: good for what they were made for, and for nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "secret.h"
#include "token.h"

#define ONE "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define TWO "ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100"
#define NOW ((time_t)1790000000)

static struct bytes bytes_of(const char *text)
{
    return (struct bytes){(const uint8_t *)text, strlen(text)};
}

static struct token_keys *keys_of(const char *text)
{
    unsigned line = 0;
    struct token_keys *keys = token_keys_parse(text, strlen(text), &line);
    assert_non_null(keys);
    return keys;
}

static struct token_claim claim_of(const char *machine, const char *name, const char *client)
{
    return (struct token_claim){.purpose = "config",
                                .machine = bytes_of(machine),
                                .name = bytes_of(name),
                                .client.s_addr = client ? inet_addr(client) : INADDR_ANY};
}

static const char *problem(const struct token_rules *rules, struct token_claim claim, time_t now,
                           const char *text)
{
    return token_problem(rules, &claim, now, bytes_of(text));
}

static void make(const struct token_rules *rules, struct token_claim claim, char text[TOKEN_TEXT])
{
    token_make(rules, &claim, NOW, text);
    assert_int_equal(strlen(text), TOKEN_TEXT - 1);
}

static const char machine[] = "~mac=52:54:00:00:00:01";
static const char other[] = "~mac=52:54:00:00:00:02";

static void test_what_it_is_good_for(void **state)
{
    struct token_rules rules = {.keys = keys_of(ONE), .lifetime = 3600};
    char text[TOKEN_TEXT];
    (void)state;
    make(&rules, claim_of(machine, "a/b", "10.0.0.1"), text);
    assert_null(problem(&rules, claim_of(machine, "a/b", "10.0.0.1"), NOW, text));
    assert_null(problem(&rules, claim_of(machine, "a/b", "10.0.0.2"), NOW, text));
    assert_null(problem(&rules, claim_of(machine, "a/b", NULL), NOW, text));
    assert_non_null(problem(&rules, claim_of(other, "a/b", NULL), NOW, text));
    assert_non_null(problem(&rules, claim_of("", "a/b", NULL), NOW, text));
    for (const char *const *name =
             (const char *const[]){"a/c", "a/", "a", "", "a/b/", "a/b/c", NULL};
         *name; name++)
        assert_non_null(problem(&rules, claim_of(machine, *name, NULL), NOW, text));
    struct token_claim event = claim_of(machine, "a/b", NULL);
    event.purpose = "event";
    assert_non_null(problem(&rules, event, NOW, text));
    /* What is said in parts cannot be said in other parts. */
    event = claim_of("~mac=52:54:00:00:00:01a", "/b", NULL);
    assert_non_null(problem(&rules, event, NOW, text));
    token_keys_free(rules.keys);
}

static void test_names_beneath(void **state)
{
    static const struct {
        const char *made, *asked;
        bool good;
    } cases[] = {
        {"", "a", true},         {"", "a/b/c", true},      {"", "", true},
        {"a/", "a/b", true},     {"a/", "a/b/c", true},    {"a/", "a/", true},
        {"a/", "ab", false},     {"a/", "b/a/", false},    {"a/", "a", false},
        {"a/b/", "a/b/c", true}, {"a/b/", "a/c/b", false}, {"a/b/", "a/b", false},
        {"a", "a/", false},      {"a", "a/b", false},
    };
    struct token_rules rules = {.keys = keys_of(ONE), .lifetime = 3600};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[TOKEN_TEXT];
        make(&rules, claim_of(machine, cases[i].made, NULL), text);
        const char *why = problem(&rules, claim_of(machine, cases[i].asked, NULL), NOW, text);
        if ((why == NULL) != cases[i].good)
            fail_msg("%s asked by a token for %s", cases[i].asked, cases[i].made);
    }
    /* More slashes than a token can count: good for that name alone. */
    char deep[200], text[TOKEN_TEXT];
    for (size_t i = 0; i < 140; i += 2)
        memcpy(deep + i, "x/", 3);
    make(&rules, claim_of(machine, deep, NULL), text);
    assert_null(problem(&rules, claim_of(machine, deep, NULL), NOW, text));
    strcat(deep, "x");
    assert_non_null(problem(&rules, claim_of(machine, deep, NULL), NOW, text));
    token_keys_free(rules.keys);
}

static void test_time(void **state)
{
    static const unsigned lifetimes[] = {1, 10, 60, 3600, 86400, 366 * 86400};
    struct token_keys *keys = keys_of(ONE);
    (void)state;
    for (size_t i = 0; i < sizeof lifetimes / sizeof *lifetimes; i++) {
        struct token_rules rules = {.keys = keys, .lifetime = lifetimes[i]};
        time_t at = (time_t)lifetimes[i];
        char text[TOKEN_TEXT];
        make(&rules, claim_of(machine, "a", NULL), text);
        assert_null(problem(&rules, claim_of(machine, "a", NULL), NOW + at, text));
        assert_string_equal(
            problem(&rules, claim_of(machine, "a", NULL), NOW + at + at / 16 + 1, text),
            "the token has expired");
    }
    token_keys_free(keys);
}

static void test_addresses(void **state)
{
    struct token_rules rules = {.keys = keys_of(ONE), .lifetime = 3600, .pin = true};
    char text[TOKEN_TEXT];
    (void)state;
    make(&rules, claim_of(machine, "a", "10.0.0.1"), text);
    assert_null(problem(&rules, claim_of(machine, "a", "10.0.0.1"), NOW, text));
    assert_non_null(problem(&rules, claim_of(machine, "a", "10.0.0.2"), NOW, text));
    assert_non_null(problem(&rules, claim_of(machine, "a", NULL), NOW, text));
    rules.pin = false; /* what was promised stays so */
    assert_non_null(problem(&rules, claim_of(machine, "a", "10.0.0.2"), NOW, text));
    make(&rules, claim_of(machine, "a", "10.0.0.1"), text);
    rules.pin = true;
    assert_string_equal(problem(&rules, claim_of(machine, "a", "10.0.0.1"), NOW, text),
                        "the token was made by other rules");
    token_keys_free(rules.keys);
}

static void test_rotation(void **state)
{
    struct token_rules old = {.keys = keys_of("# the first\n" ONE "\n"), .lifetime = 3600};
    struct token_rules both = {.keys = keys_of(TWO "  # new\r\n\n" ONE), .lifetime = 3600};
    struct token_rules new = {.keys = keys_of(TWO), .lifetime = 3600};
    struct token_rules own = {.keys = token_keys_random(), .lifetime = 3600};
    struct token_rules next = {.keys = token_keys_copy(own.keys), .lifetime = 3600};
    struct token_claim claim = claim_of(machine, "a", NULL);
    char text[TOKEN_TEXT];
    (void)state;
    make(&old, claim, text);
    assert_null(problem(&both, claim, NOW, text));
    assert_string_equal(problem(&new, claim, NOW, text),
                        "the token was made with a key that is not known");
    make(&both, claim, text);
    assert_null(problem(&new, claim, NOW, text));
    assert_non_null(problem(&old, claim, NOW, text));
    make(&own, claim, text);
    assert_null(problem(&next, claim, NOW, text));
    assert_non_null(problem(&new, claim, NOW, text));
    for (struct token_rules *const *each =
             (struct token_rules *const[]){&old, &both, &new, &own, &next, NULL};
         *each; each++)
        token_keys_free((*each)->keys);
}

static void test_key_files(void **state)
{
    static const struct {
        const char *text;
        unsigned line;
    } cases[] = {
        {"", 0},
        {"# nothing\n\n", 0},
        {"xyz", 1},
        {ONE "\n" ONE "0", 2},
        {ONE "\n\n" ONE "00\n", 3},
        {"0000000000000000000000000000000000000000000000000000000000000000", 1},
        {ONE "\n" ONE "\n" ONE "\n" ONE "\n" ONE "\n" ONE "\n" ONE "\n" ONE "\n" ONE "\n", 9},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        unsigned line = 99;
        assert_null(token_keys_parse(cases[i].text, strlen(cases[i].text), &line));
        assert_int_equal(line, cases[i].line);
    }
}

/* Bit by bit, and 10,000 at random, of the token and of what it stands for. */
static void test_flipped_bits(void **state)
{
    struct token_rules rules = {.keys = keys_of(ONE), .lifetime = 3600, .pin = true};
    struct token_claim claim = claim_of(machine, "nocloud/", "10.0.0.1");
    char text[TOKEN_TEXT], who[sizeof machine];
    (void)state;
    make(&rules, claim, text);
    claim.name = bytes_of("nocloud/user-data");
    assert_null(problem(&rules, claim, NOW, text));
    for (size_t bit = 0; bit < 8 * (TOKEN_TEXT - 1); bit++) {
        text[bit / 8] ^= (char)(1 << bit % 8);
        assert_non_null(problem(&rules, claim, NOW, text));
        text[bit / 8] ^= (char)(1 << bit % 8);
    }
    memcpy(who, machine, sizeof who);
    claim.machine = bytes_of(who);
    for (int i = 0; i < 10000; i++) {
        uint32_t bit = randombytes_uniform(8 * (TOKEN_TEXT - 1 + sizeof machine - 1));
        char *at = bit / 8 < TOKEN_TEXT - 1 ? &text[bit / 8] : &who[bit / 8 - (TOKEN_TEXT - 1)];
        *at ^= (char)(1 << bit % 8);
        assert_non_null(
            token_problem(&rules, &claim, NOW, (struct bytes){(uint8_t *)text, TOKEN_TEXT - 1}));
        *at ^= (char)(1 << bit % 8);
    }
    assert_null(problem(&rules, claim, NOW, text));
    for (const char *const *wrong = (const char *const[]){"", "0", "~", NULL}; *wrong; wrong++)
        assert_string_equal(problem(&rules, claim, NOW, *wrong), "the token is malformed");
    token_keys_free(rules.keys);
}

/* Good once: no two are alike, and what one is remembered by is its own; else as any other. */
static void test_single(void **state)
{
    struct token_rules rules = {.keys = keys_of(ONE), .lifetime = 3600, .pin = true};
    struct token_claim claim = claim_of(machine, "nocloud/", "10.0.0.1");
    char text[TOKEN_SINGLE_TEXT], second[TOKEN_SINGLE_TEXT], plain[TOKEN_TEXT];
    char id[TOKEN_ID_TEXT], other_id[TOKEN_ID_TEXT];
    time_t end = 0;
    (void)state;
    token_make_single(&rules, &claim, NOW, text);
    token_make_single(&rules, &claim, NOW, second);
    make(&rules, claim, plain);
    assert_int_equal(strlen(text), TOKEN_SINGLE_TEXT - 1);
    assert_string_not_equal(text, second);
    assert_true(token_is_single(bytes_of(text), id, &end));
    assert_true(token_is_single(bytes_of(second), other_id, &end));
    assert_false(token_is_single(bytes_of(plain), other_id, &end));
    assert_string_not_equal(id, other_id);
    assert_int_equal(end, NOW + 3601);
    assert_int_equal(strlen(id), TOKEN_ID_TEXT - 1);
    claim.name = bytes_of("nocloud/user-data");
    assert_null(problem(&rules, claim, NOW, text));
    assert_null(problem(&rules, claim, NOW + 3600, text));
    assert_string_equal(problem(&rules, claim, NOW + 3601, text), "the token has expired");
    assert_non_null(problem(&rules, claim_of(other, "nocloud/x", "10.0.0.1"), NOW, text));
    assert_non_null(problem(&rules, claim_of(machine, "x", "10.0.0.1"), NOW, text));
    assert_non_null(problem(&rules, claim_of(machine, "nocloud/x", "10.0.0.2"), NOW, text));
    /* Neither kind becomes the other, by its length or by its flag. */
    char longer[TOKEN_SINGLE_TEXT + 1];
    snprintf(longer, sizeof longer, "%s0000000000000000", plain);
    assert_string_equal(problem(&rules, claim, NOW, longer), "the token is malformed");
    memcpy(longer, text, TOKEN_TEXT - 1);
    longer[TOKEN_TEXT - 1] = '\0';
    assert_string_equal(problem(&rules, claim, NOW, longer), "the token is malformed");
    for (int i = 0; i < 10000; i++) {
        uint32_t bit = randombytes_uniform(8 * (TOKEN_SINGLE_TEXT - 1));
        text[bit / 8] ^= (char)(1 << bit % 8);
        assert_non_null(token_problem(&rules, &claim, NOW,
                                      (struct bytes){(uint8_t *)text, TOKEN_SINGLE_TEXT - 1}));
        text[bit / 8] ^= (char)(1 << bit % 8);
    }
    assert_null(problem(&rules, claim, NOW, text));
    token_keys_free(rules.keys);
}

/* The same for every service that has the key. Reckoned by another BLAKE2b (Python's). */
static void test_known_answer(void **state)
{
    struct token_rules rules = {.keys = keys_of(ONE), .lifetime = 3600};
    struct token_claim claim = claim_of(machine, "nocloud/", NULL);
    char text[TOKEN_TEXT];
    (void)state;
    make(&rules, claim, text);
    assert_string_equal(text, "88e4a0056ab149a401856658456963792bc9cf172a1c1eeb48");
    token_keys_free(rules.keys);
}

static void test_secret_files(void **state)
{
    char path[] = "/tmp/moonboot-secret-XXXXXX";
    struct secret secret;
    int fd = mkstemp(path);
    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "0123456789", 10), 10);
    assert_int_equal(secret_read(path, 10, &secret), 0);
    assert_int_equal(secret.len, 10);
    assert_string_equal(secret.data, "0123456789");
    secret_clear(&secret);
    assert_null(secret.data);
    assert_int_equal(secret_read(path, 9, &secret), -EFBIG);
    assert_null(secret.data);
    fchmod(fd, 0640);
    assert_int_equal(secret_read(path, 10, &secret), 0);
    secret_clear(&secret);
    fchmod(fd, 0644);
    assert_int_equal(secret_read(path, 10, &secret), -EPERM);
    fchmod(fd, 0602);
    assert_int_equal(secret_read(path, 10, &secret), -EPERM);
    fchmod(fd, 0600);
    assert_int_equal(ftruncate(fd, 0), 0);
    assert_int_equal(secret_read(path, 10, &secret), 0);
    assert_int_equal(secret.len, 0);
    secret_clear(&secret);
    assert_int_equal(secret_read("/tmp", 10, &secret), -EISDIR);
    unlink(path);
    assert_int_equal(secret_read(path, 10, &secret), -ENOENT);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_it_is_good_for),
        cmocka_unit_test(test_names_beneath),
        cmocka_unit_test(test_time),
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_rotation),
        cmocka_unit_test(test_key_files),
        cmocka_unit_test(test_flipped_bits),
        cmocka_unit_test(test_single),
        cmocka_unit_test(test_known_answer),
        cmocka_unit_test(test_secret_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
