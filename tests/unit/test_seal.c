/* Sealed values: the key that they are for opens them, whole, and no other; and what was opened is
 * hidden wherever it stands. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "mask.h"
#include "seal.h"

#define FLIPS 10000

static struct seal_public public_one, public_two;
static struct seal_keys *one, *two, *both;

static struct seal_keys *keys_of(const char *first, const char *second)
{
    struct seal_keys *keys = seal_keys_alloc();
    assert_non_null(keys);
    assert_null(seal_keys_add(keys, first, strlen(first)));
    if (second)
        assert_null(seal_keys_add(keys, second, strlen(second)));
    return keys;
}

static int set_up(void **state)
{
    struct seal_pair a, b;
    (void)state;
    assert_true(seal_pair_make(&a) && seal_pair_make(&b));
    assert_null(seal_public_read(a.public, strlen(a.public), &public_one));
    assert_null(seal_public_read(b.public, strlen(b.public), &public_two));
    assert_string_equal(a.id, public_one.id);
    one = keys_of(a.secret, NULL);
    two = keys_of(b.secret, NULL);
    both = keys_of(b.secret, a.secret);
    seal_pair_clear(&a);
    seal_pair_clear(&b);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    seal_keys_free(one);
    seal_keys_free(two);
    seal_keys_free(both);
    return 0;
}

static void opens(const struct seal_keys *keys, const char *line, const char *value, size_t len)
{
    struct secret found;
    assert_null(seal_open(keys, line, strlen(line), &found));
    assert_int_equal(found.len, len);
    assert_memory_equal(found.data, value, len);
    assert_int_equal(found.data[len], '\0');
    secret_clear(&found);
}

static const char *problem_of(const struct seal_keys *keys, const char *line, size_t len)
{
    struct secret found;
    const char *problem = seal_open(keys, line, len, &found);
    assert_null(found.data);
    return problem;
}

static void test_round(void **state)
{
    static char large[SEAL_VALUE_MAX];
    static const size_t sizes[] = {4, 30, 31, 32, 33, 1000, SEAL_VALUE_MAX};
    (void)state;
    randombytes_buf(large, sizeof large);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char *line = seal_make(&public_one, i % 2 ? "a-Name_1" : NULL, large, sizes[i]);
        const char *name;
        size_t name_len;
        assert_non_null(line);
        assert_null(seal_problem(line, strlen(line), &name, &name_len));
        assert_int_equal(name_len, i % 2 ? 8 : 0);
        assert_memory_equal(name, "a-Name_1", name_len);
        assert_null(strpbrk(line, " \t\n\"'\\:#,[]{}&*!|>%@`")); /* it stands in YAML as it is */
        opens(one, line, large, sizes[i]);
        opens(both, line, large, sizes[i]);
        assert_non_null(strstr(problem_of(two, line, strlen(line)), "for another key"));
        free(line);
    }
    /* Of the same value no two are alike, but as long: its length shows in steps alone. */
    char *a = seal_make(&public_one, NULL, "four", 4),
         *b = seal_make(&public_one, NULL, "four and more", 13);
    assert_int_equal(strlen(a), strlen(b));
    assert_string_not_equal(a, b);
    free(a);
    free(b);
}

static void test_malformed(void **state)
{
    static const char *const lines[] = {"",
                                        "x",
                                        "seal1",
                                        "seal1.",
                                        "seal2.00000000.AAAA",
                                        "seal1.0000000.AAAA",
                                        "seal1.0000000g.AAAA",
                                        "seal1.00000000.",
                                        "seal1.00000000..AAAA",
                                        "seal1.00000000.a.b.c",
                                        "seal1.00000000.a b.AAAA",
                                        "Seal1.00000000.AAAA"};
    char *line = seal_make(&public_one, "name", "hunter22", 8);
    size_t len = strlen(line);
    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        assert_non_null(seal_problem(lines[i], strlen(lines[i]), NULL, NULL));
        assert_non_null(problem_of(both, lines[i], strlen(lines[i])));
    }
    for (size_t n = 0; n < len; n++) /* cut short, and with more behind it */
        assert_non_null(problem_of(both, line, n));
    char longer[512];
    for (int c = 0; c < 256; c++) {
        snprintf(longer, sizeof longer, "%s ", line);
        longer[len] = (char)c;
        assert_non_null(problem_of(both, longer, len + 1));
    }
    /* Another name, and none, with what was sealed under this one. */
    char *dot = strrchr(line, '.');
    snprintf(longer, sizeof longer, "seal1.%s.mane%s", public_one.id, dot);
    assert_non_null(problem_of(both, longer, strlen(longer)));
    snprintf(longer, sizeof longer, "seal1.%s%s", public_one.id, dot);
    assert_non_null(problem_of(both, longer, strlen(longer)));
    free(line);
}

static void test_flips(void **state)
{
    char *line = seal_make(&public_one, "root-password", "correct horse battery staple", 28);
    size_t len = strlen(line);
    (void)state;
    for (unsigned i = 0; i < FLIPS; i++) {
        unsigned at = randombytes_uniform((uint32_t)len * 8);
        line[at / 8] ^= (char)(1 << at % 8);
        if (!problem_of(both, line, len))
            fail_msg("bit %u of %s", at, line);
        line[at / 8] ^= (char)(1 << at % 8);
    }
    opens(both, line, "correct horse battery staple", 28);
    free(line);
}

static void test_keys(void **state)
{
    struct seal_pair pair;
    struct seal_public public;
    struct seal_keys *keys = seal_keys_alloc();
    (void)state;
    assert_true(seal_pair_make(&pair));
    assert_non_null(
        strstr(seal_public_read(pair.secret, strlen(pair.secret), &public), "secret key"));
    assert_non_null(strstr(seal_keys_add(keys, pair.public, strlen(pair.public)), "public key"));
    assert_non_null(seal_keys_add(keys, "", 0));
    assert_non_null(seal_keys_add(keys, "# nothing\n", 10));
    assert_non_null(seal_keys_add(keys, "sealkey1.AAAA", 13));
    const char *line =
        strchr(pair.public, '\n') + 1; /* the second line alone, with its end or not */
    assert_null(seal_public_read(line, strlen(line), &public));
    assert_null(seal_public_read(line, strlen(line) - 1, &public));
    assert_non_null(seal_public_read(line, strlen(line) - 2, &public));
    for (int i = 0; i < SEAL_KEYS_MAX; i++)
        assert_null(seal_keys_add(keys, pair.secret, strlen(pair.secret)));
    assert_non_null(seal_keys_add(keys, pair.secret, strlen(pair.secret)));
    seal_keys_free(keys);
    seal_pair_clear(&pair);
}

/* --- hiding ------------------------------------------------------------------------------- */

static void hides(const struct mask *mask, const char *text, const char *wanted)
{
    char out[256], *copy = mask_copy(mask, text, strlen(text));
    mask_secrets(mask, text, strlen(text), out, sizeof out);
    assert_string_equal(out, wanted);
    assert_string_equal(copy, wanted);
    assert_int_equal(mask_has(mask, text, strlen(text)), strcmp(text, wanted) != 0);
    free(copy);
}

static void test_mask(void **state)
{
    struct mask mask = {0};
    char text[64];
    (void)state;
    hides(&mask, "nothing is added", "nothing is added");
    for (int i = 0; i < 5000; i++) {
        snprintf(text, sizeof text, "secret-%d", i);
        assert_true(mask_add(&mask, text, strlen(text)));
        assert_true(mask_add(&mask, text, strlen(text))); /* once more is as good */
    }
    assert_int_equal(mask.n, 5000);
    hides(&mask, "secret-4999", MASK_MARK);
    hides(&mask, "secret-17secret-4", MASK_MARK MASK_MARK);
    hides(&mask, "a secret-17 b, token=x", "a " MASK_MARK " b, token=x");
    hides(&mask, "secret-", "secret-");
    assert_true(mask_add(&mask, "secret-17 and", 13)); /* the longest counts */
    hides(&mask, "secret-17 and more", MASK_MARK " more");
    hides(&mask, "secret-17 or", MASK_MARK " or");
    /* What a name hides may end where the secret goes on. */
    assert_true(mask_add(&mask, "pass;word", 9));
    mask_text(&mask, "token=pass;word", 15, text, sizeof text);
    assert_string_equal(text, "token=" MASK_MARK);
    mask_clear(&mask);
    assert_int_equal(mask.n, 0);
    hides(&mask, "secret-17", "secret-17");
}

/* The lines that `write` logs, in one text. */
static const char *logged(void (*write)(void))
{
    static char text[20000];
    int pipes[2], before = dup(STDERR_FILENO);
    assert_int_equal(pipe(pipes), 0);
    assert_true(fcntl(pipes[1], F_SETPIPE_SZ, 1 << 16) > 0);
    dup2(pipes[1], STDERR_FILENO);
    write();
    dup2(before, STDERR_FILENO);
    close(pipes[1]);
    close(before);
    ssize_t n = read(pipes[0], text, sizeof text - 1);
    close(pipes[0]);
    text[n > 0 ? n : 0] = '\0';
    return text;
}

static void log_all(void)
{
    static char filler[4090];
    const struct log_field field = {"error", "it is hunter22, or \"hunt\ner22\""};
    memset(filler, 'x', sizeof filler - 1);
    log_event(LOG_LEVEL_WARN, &field, 1, "hunter22");
    log_warn("%s hunter22", filler + 10); /* cut in its middle, were it not hidden before */
    log_setup(LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    log_event(LOG_LEVEL_WARN, &field, 1, "hunter22");
    log_setup(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
}

static void test_log(void **state)
{
    struct mask mask = {0};
    (void)state;
    mask_add(&mask, "hunter22", 8);
    mask_add(&mask, "hunt\ner22", 9);
    log_hide(&mask);
    const char *text = logged(log_all);
    log_hide(NULL);
    assert_null(strstr(text, "hunt"));
    assert_null(strstr(text, "er22"));
    assert_non_null(
        strstr(text, MASK_MARK " error=\"it is " MASK_MARK ", or \\\"" MASK_MARK "\\\"\""));
    assert_non_null(strstr(text, "\"message\":\"" MASK_MARK "\""));
    mask_clear(&mask);
    assert_non_null(strstr(logged(log_all), "hunter22"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round), cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_flips), cmocka_unit_test(test_keys),
        cmocka_unit_test(test_mask),  cmocka_unit_test(test_log),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
