/* Bundles: what is written is read, what tar makes otherwise is not, and no flipped bit passes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bundle.h"
#include "minisign.h"

#define FLIPS 10000
#define BLOCK 512

/* A bundle of files in order, name after name and NULL; each has its own name as text. */
static struct bundle_writer make(uint64_t version, const char *policy, const char *const *names)
{
    struct bundle_writer writer = {0};
    assert_null(bundle_begin(&writer, version, policy));
    for (; *names; names++)
        assert_null(bundle_add(&writer, *names, *names, strlen(*names)));
    assert_null(bundle_end(&writer));
    return writer;
}

static const char *const names[] = {
    "a-b.lua", "a.lua", "lib/deep/x.lua", "lib/m.lua", "lib0.lua", "policy.lua", NULL};

static void test_round(void **state)
{
    struct bundle_writer writer = make(42, "policy.lua", names);
    struct bundle bundle;
    struct bundle_file file;
    size_t n = 0;
    (void)state;
    assert_null(bundle_read(writer.data, writer.len, &bundle));
    assert_int_equal(bundle.version, 42);
    assert_string_equal(bundle.policy, "policy.lua");
    assert_int_equal(bundle.files, 6);
    for (size_t at = bundle.first; bundle_next(&bundle, &at, &file); n++) {
        assert_string_equal(file.name, names[n]);
        assert_int_equal(file.len, strlen(names[n]));
        assert_memory_equal(file.data, names[n], file.len);
    }
    assert_int_equal(n, 6);
    struct bundle_writer again = make(42, "policy.lua", names);
    assert_int_equal(again.len, writer.len);
    assert_memory_equal(again.data, writer.data, writer.len);
    free(again.data);
    free(writer.data);
}

static void test_find(void **state)
{
    static const struct {
        const char *path;
        int error;
    } cases[] = {{"policy.lua", 0},
                 {"./lib//m.lua", 0},
                 {"lib/deep/../m.lua", 0},
                 {"lib/deep/../../policy.lua", 0},
                 {"lib", -EISDIR},
                 {"lib/deep", -EISDIR},
                 {".", -EISDIR},
                 {"lib/..", -EISDIR},
                 {"lib/m", -ENOENT},
                 {"policy.lua/x", -ENOENT},
                 {".moonboot-bundle", -ENOENT},
                 {"..", -EXDEV},
                 {"../policy.lua", -EXDEV},
                 {"lib/../../policy.lua", -EXDEV},
                 {"/policy.lua", -EXDEV}};
    struct bundle_writer writer = make(1, "policy.lua", names);
    struct bundle bundle;
    struct bundle_file file;
    (void)state;
    assert_null(bundle_read(writer.data, writer.len, &bundle));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (bundle_find(&bundle, cases[i].path, &file) != cases[i].error)
            fail_msg("%s: %d", cases[i].path, bundle_find(&bundle, cases[i].path, &file));
    }
    char *large = malloc(100000);
    assert_non_null(large);
    memset(large, 'x', 99999);
    large[99999] = '\0';
    assert_int_equal(bundle_find(&bundle, large, &file), -ENAMETOOLONG);
    free(large);
    free(writer.data);
}

static void join(const char *name, bool directory, void *arg)
{
    strcat(arg, name);
    strcat(arg, directory ? "/ " : " ");
}

static void test_list(void **state)
{
    struct bundle_writer writer = make(1, "policy.lua", names);
    struct bundle bundle;
    (void)state;
    assert_null(bundle_read(writer.data, writer.len, &bundle));
    char text[256] = "";
    assert_int_equal(bundle_list(&bundle, "", join, text), 0);
    assert_string_equal(text, "a-b.lua a.lua lib/ lib0.lua policy.lua ");
    *text = '\0';
    assert_int_equal(bundle_list(&bundle, "./lib/", join, text), 0);
    assert_string_equal(text, "deep/ m.lua ");
    assert_int_equal(bundle_list(&bundle, "li", join, text), -ENOENT);
    assert_int_equal(bundle_list(&bundle, "policy.lua", join, text), -ENOENT);
    assert_int_equal(bundle_list(&bundle, "lib/../..", join, text), -EXDEV);
    free(writer.data);
}

static void test_names(void **state)
{
    char part[102], name[400];
    struct bundle bundle;
    struct bundle_file file;
    (void)state;
    memset(part, 'n', 100);
    part[100] = '\0';
    static const char *const bad[] = {"",     "/a",   "a/",   "a//b", ".a", "a/.b",
                                      "../a", "a/..", "a\nb", "\x7f", NULL};
    for (size_t i = 0; bad[i]; i++)
        assert_non_null(bundle_name_problem(bad[i]));
    snprintf(name, sizeof name, "%s/%.54s/%s", part, part, part); /* 155, a slash, 100 */
    const char *const longest[] = {name, "policy.lua", NULL};
    struct bundle_writer writer = make(1, "policy.lua", longest);
    assert_null(bundle_read(writer.data, writer.len, &bundle));
    assert_int_equal(bundle_find(&bundle, name, &file), 0);
    assert_string_equal(file.name, name);
    free(writer.data);
    writer = (struct bundle_writer){0};
    assert_null(bundle_begin(&writer, 1, "policy.lua"));
    memset(name, 'n', 101); /* nowhere to cut it */
    name[101] = '\0';
    assert_non_null(bundle_add(&writer, name, "", 0));
    assert_non_null(bundle_add(&writer, ".hidden", "", 0));
    assert_null(bundle_add(&writer, "o", "", 0));
    assert_non_null(bundle_add(&writer, "o", "", 0));
    assert_non_null(bundle_add(&writer, "b", "", 0));
    free(writer.data);
}

static const char *read_changed(const struct bundle_writer *writer, size_t at, char byte)
{
    struct bundle bundle;
    uint8_t *copy = malloc(writer->len);
    assert_non_null(copy);
    memcpy(copy, writer->data, writer->len);
    copy[at] = (uint8_t)byte;
    const char *problem = bundle_read(copy, writer->len, &bundle);
    free(copy);
    return problem;
}

/* What tar could say, and a bundle cannot. */
static void test_other_archives(void **state)
{
    static const struct {
        size_t at;
        char byte;
    } changes[] = {
        {100, '1'}, {103, '7'}, {108, '1'}, {136, '1'}, {148, '1'}, {155, '\0'}, {156, '2'},
        {156, '5'}, {156, 'x'}, {157, 'a'}, {262, ' '}, {263, ' '}, {265, 'r'},  {297, 'r'},
        {345, 'p'}, {500, 'x'}, {124, ' '}, {0, '/'},   {1, '.'},   {0, '\0'},
    };
    struct bundle_writer writer = make(1, "policy.lua", names);
    struct bundle bundle;
    (void)state;
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        assert_non_null(read_changed(&writer, changes[i].at, changes[i].byte));
        assert_non_null(read_changed(&writer, (size_t)2 * BLOCK + changes[i].at, changes[i].byte));
    }
    for (size_t len = 0; len < writer.len; len++)
        assert_non_null(bundle_read(writer.data, len, &bundle));
    writer.data = realloc(writer.data, writer.len + BLOCK);
    assert_non_null(writer.data);
    memset(writer.data + writer.len, 0, BLOCK);
    assert_non_null(bundle_read(writer.data, writer.len + BLOCK, &bundle));
    free(writer.data);
    const char *const others[] = {"other.lua", NULL};
    writer = make(1, "policy.lua", others);
    assert_string_equal(bundle_read(writer.data, writer.len, &bundle),
                        "the bundle lacks the policy that its head names");
    free(writer.data);
}

static void test_too_many(void **state)
{
    struct bundle_writer writer = {0};
    const char *problem = NULL;
    (void)state;
    assert_null(bundle_begin(&writer, 1, "f00000"));
    for (int i = 0; i <= BUNDLE_FILES_MAX && !problem; i++) {
        char name[16];
        snprintf(name, sizeof name, "f%05d", i);
        problem = bundle_add(&writer, name, "", 0);
    }
    assert_string_equal(problem, "there are too many files");
    assert_non_null(bundle_add(&writer, "g", "", BUNDLE_FILE_MAX + 1));
    free(writer.data);
    writer = (struct bundle_writer){0};
    assert_non_null(bundle_begin(&writer, BUNDLE_VERSION_MAX + 1, "p"));
    assert_non_null(bundle_begin(&writer, 1, ".p"));
    free(writer.data);
}

/* Without a signature a flipped bit may pass, if it is a file's own; with one never. */
static void test_flipped_bits(void **state)
{
    struct bundle_writer writer = make(7, "policy.lua", names);
    struct minisign_key *key = minisign_key_alloc();
    struct minisign_public public;
    static struct minisign_signature signature;
    static char text[MINISIGN_SIGNATURE_TEXT];
    uint8_t hash[MINISIGN_HASH_LEN], bytes[MINISIGN_LEN];
    struct bundle bundle;
    struct bundle_file file;
    (void)state;
    assert_non_null(key);
    minisign_key_make(key);
    minisign_key_public(key, &public);
    minisign_hash(writer.data, writer.len, hash);
    minisign_raw(key, hash, sizeof hash, bytes);
    size_t len = minisign_write(key, bytes, "version 7", text);
    assert_null(minisign_read(text, len, &signature));
    assert_null(minisign_verify(&public, &signature, writer.data, writer.len, NULL));
    for (int i = 0; i < FLIPS; i++) {
        uint32_t bit = randombytes_uniform((uint32_t)writer.len * 8);
        writer.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        if (!minisign_verify(&public, &signature, writer.data, writer.len, NULL))
            fail_msg("bit %u was flipped, and nobody noticed", bit);
        if (!bundle_read(writer.data, writer.len, &bundle)) {
            for (size_t at = bundle.first; bundle_next(&bundle, &at, &file);)
                assert_true(file.data + file.len <= writer.data + writer.len);
        }
        writer.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    assert_null(minisign_verify(&public, &signature, writer.data, writer.len, NULL));
    minisign_key_free(key);
    free(writer.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round),          cmocka_unit_test(test_find),
        cmocka_unit_test(test_list),           cmocka_unit_test(test_names),
        cmocka_unit_test(test_other_archives), cmocka_unit_test(test_too_many),
        cmocka_unit_test(test_flipped_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
