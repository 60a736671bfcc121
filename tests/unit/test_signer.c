/* What was signed is remembered for who was sent it, for an hour, and by all workers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "signer.h"

#define NOW ((time_t)1790000000)

static struct signer_board *board;
static struct signer *signer;
static struct minisign_public public;

static struct signer_target target_of(const char *client, const char *path, const char *query)
{
    return (struct signer_target){
        .client.s_addr = inet_addr(client), .path = path, .path_len = strlen(path), .query = query};
}

static void test_remembers(void **state)
{
    struct signer_target target = target_of("10.0.0.1", "/ipxe", "mac=1");
    struct signer_signature signature, again;
    (void)state;
    assert_false(signer_recall(signer, &target, NOW, &again));
    signer_sign(signer, &target, "52:54:00:00:00:01", "one", 3, NOW, &signature);
    assert_true(minisign_raw_verify(&public, "one", 3, signature.raw));
    assert_true(signer_recall(signer, &target, NOW + 3599, &again));
    assert_memory_equal(&signature, &again, sizeof again);
    assert_false(signer_recall(signer, &target, NOW + 3600, &again));
    assert_false(signer_recall(signer, &target, NOW - 1, &again)); /* the clock was set back */
    signer_sign(signer, &target, NULL, "two", 3, NOW, &signature);
    assert_true(signer_recall(signer, &target, NOW, &again));
    assert_true(minisign_raw_verify(&public, "two", 3, again.raw));
    assert_string_equal(again.machine, "");
    const struct signer_target others[] = {
        target_of("10.0.0.2", "/ipxe", "mac=1"), target_of("10.0.0.1", "/ipx", "emac=1"),
        target_of("10.0.0.1", "/ipxe", "mac=2"), target_of("10.0.0.1", "/ipxe", NULL),
        target_of("10.0.0.1", "/ipxemac=1", NULL)};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_false(signer_recall(signer, &others[i], NOW, &again));
}

static void test_other_keys_do_not(void **state)
{
    struct signer_target target = target_of("10.0.0.1", "/rotated", NULL);
    struct signer_signature signature;
    struct minisign_key *key = minisign_key_alloc();
    (void)state;
    minisign_key_make(key);
    struct signer *next = signer_open(key, NULL, board);
    signer_sign(signer, &target, NULL, "x", 1, NOW, &signature);
    assert_false(signer_recall(next, &target, NOW, &signature));
    signer_close(next);
}

/* Whatever workers write at the same time, what is recalled was written as a whole. */
static void test_many_workers(void **state)
{
    enum { WORKERS = 3, ROUNDS = 2000, PATHS = 5000 };
    (void)state;
    for (int worker = 0; worker < WORKERS; worker++) {
        if (fork() != 0)
            continue;
        for (int i = 0; i < ROUNDS; i++) {
            char path[32];
            struct signer_signature signature;
            snprintf(path, sizeof path, "/%d", rand() % PATHS);
            struct signer_target target = target_of("10.0.0.1", path, NULL);
            signer_sign(signer, &target, path, path, strlen(path), NOW, &signature);
            snprintf(path, sizeof path, "/%d", rand() % PATHS);
            target = target_of("10.0.0.1", path, NULL);
            if (signer_recall(signer, &target, NOW, &signature) &&
                (strcmp(signature.machine, path) != 0 ||
                 !minisign_raw_verify(&public, path, strlen(path), signature.raw)))
                _exit(1);
        }
        _exit(0);
    }
    for (int worker = 0; worker < WORKERS; worker++) {
        int status;
        assert_true(wait(&status) > 0);
        assert_int_equal(status, 0);
    }
}

/* The comment of a signature's file. */
static const char *comment_of(const struct signer_target *target, const char *machine)
{
    static struct minisign_signature read;
    static char text[MINISIGN_SIGNATURE_TEXT];
    struct signer_signature signature;
    signer_sign(signer, target, machine, "x", 1, NOW, &signature);
    size_t len = signer_text(signer, target, &signature, text);
    assert_null(minisign_read(text, len, &read));
    assert_null(minisign_verify(&public, &read, "x", 1, NULL));
    return read.comment;
}

static void test_comments(void **state)
{
    static char huge[3 * MINISIGN_COMMENT_MAX];
    (void)state;
    struct signer_target target = target_of("10.0.0.1", "/config/~mac=1~token=00ff/a b", "x\ty\n%");
    assert_string_equal(
        comment_of(&target, "R 5"),
        "timestamp:1790000000\tpath:/config/~mac=1/a%20b?x%09y%0A%25\tmachine:R%205");
    target = target_of("10.0.0.1", "/config/~mac=1~token=00ff", NULL);
    assert_string_equal(comment_of(&target, NULL),
                        "timestamp:1790000000\tpath:/config/~mac=1\tmachine:any");
    memset(huge, '\n', sizeof huge - 1);
    target = target_of("10.0.0.1", huge, huge);
    assert_true(strlen(comment_of(&target, huge)) < MINISIGN_COMMENT_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_remembers),
        cmocka_unit_test(test_other_keys_do_not),
        cmocka_unit_test(test_many_workers),
        cmocka_unit_test(test_comments),
    };
    struct minisign_key *key = minisign_key_alloc();
    board = signer_board_alloc();
    if (!key || !board)
        return 1;
    minisign_key_make(key);
    minisign_key_public(key, &public);
    signer = signer_open(key, NULL, board);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    signer_close(signer);
    return failed;
}
