/* Which policy is served: bundles whose signature and version are right, and no others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "release.h"
#include "source.h"

static char directory[] = "/tmp/moonboot-release-XXXXXX";
static struct minisign_key *ours, *theirs;

static void save(const char *name, const void *data, size_t len)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, data, len), len);
    close(fd);
}

static void save_key(const struct minisign_key *key, const char *name)
{
    struct minisign_public public;
    char text[MINISIGN_PUBLIC_TEXT];
    minisign_key_public(key, &public);
    minisign_public_write(&public, text);
    save(name, text, strlen(text));
}

static void save_signature(const struct minisign_key *key, const void *data, size_t len)
{
    static char text[MINISIGN_SIGNATURE_TEXT];
    uint8_t hash[MINISIGN_HASH_LEN], signature[MINISIGN_LEN];
    minisign_hash(data, len, hash);
    minisign_raw(key, hash, sizeof hash, signature);
    save("r.bundle.minisig", text, minisign_write(key, signature, "a release", text));
}

static void save_bundle(uint64_t version, const char *policy, const struct minisign_key *key)
{
    struct bundle_writer writer = {0};
    assert_null(bundle_begin(&writer, version, "policy.lua"));
    assert_null(bundle_add(&writer, "policy.lua", policy, strlen(policy)));
    assert_null(bundle_end(&writer));
    save("r.bundle", writer.data, writer.len);
    save_signature(key, writer.data, writer.len);
    free(writer.data);
}

static struct config *config(const char *more)
{
    char path[128], text[512];
    struct problems problems = {0};
    snprintf(text, sizeof text, "policy: r.bundle\npolicy_cache: cache\n%s", more);
    save("site.yaml", text, strlen(text));
    snprintf(path, sizeof path, "%s/site.yaml", directory);
    struct config *config = config_load(path, &problems);
    assert_non_null(config);
    return config;
}

/* Loads and lets it run; NULL, or the first problem, for the caller to free. */
static char *load(const char *more)
{
    struct config *site = config(more);
    struct problems problems = {0};
    struct release release;
    char *problem = NULL;
    if (release_open(&release, site, RELEASE_TO_SERVE, &problems)) {
        char *text;
        size_t len;
        assert_int_equal(problems.n, 0);
        assert_int_equal(source_read(release.source, release.file, 100, &text, &len), 0);
        free(text);
        assert_true(release_ran(&release, site));
    } else {
        assert_true(problems.n > 0);
        problem = strdup(problems.lines[0]);
    }
    problems_clear(&problems);
    release_close(&release);
    config_free(site);
    return problem;
}

static void expect(const char *more, const char *wanted)
{
    char *problem = load(more);
    if (!wanted && problem)
        fail_msg("%s", problem);
    if (wanted && (!problem || !strstr(problem, wanted)))
        fail_msg("expected %s, found %s", wanted, problem ? problem : "nothing wrong");
    free(problem);
}

#define KEYS "policy_keys: [ours.pub]\n"

static void test_signatures(void **state)
{
    (void)state;
    save_bundle(1, "-- one", ours);
    expect(KEYS, NULL);
    expect("policy_keys: [theirs.pub, ours.pub]\n", NULL);
    expect("policy_keys: theirs.pub\n", "which is none of `policy_keys`");
    expect("policy_keys: [none.pub]\n", "`policy_keys: none.pub`: No such file");
    expect("policy_keys: [site.yaml]\n", "`policy_keys: site.yaml`: it is no public key");
    save_bundle(2, "-- two", theirs);
    expect(KEYS, "which is none of `policy_keys`");
    save_bundle(2, "-- two", ours);
    save("r.bundle.minisig", "x", 1);
    expect(KEYS, "`policy: r.bundle`");
    save_signature(ours, "x", 1);
    expect(KEYS, "the signature is not of these bytes");
    char path[128];
    snprintf(path, sizeof path, "%s/r.bundle.minisig", directory);
    assert_int_equal(unlink(path), 0);
    expect(KEYS, "r.bundle.minisig: No such file");
    expect("", NULL); /* nobody asks */
    save("r.bundle", "-- a policy", 11);
    save_signature(ours, "-- a policy", 11);
    expect(KEYS, "it is no bundle");
    snprintf(path, sizeof path, "%s/r.bundle", directory);
    assert_int_equal(truncate(path, 5), 0);
    expect(KEYS, "the signature is not of these bytes");
}

static void test_versions(void **state)
{
    char path[128];
    (void)state;
    save_bundle(5, "-- five", ours);
    expect(KEYS, NULL);
    expect(KEYS, NULL);
    save_bundle(4, "-- four", ours);
    expect(KEYS, "it is version 4, older than 5, which ran");
    save_bundle(5, "-- another", ours);
    expect(KEYS, "it is another bundle of version 5");
    save_bundle(6, "-- six", ours);
    expect(KEYS, NULL);
    save_bundle(5, "-- five", ours);
    expect(KEYS, "older than 6");
    expect("", NULL);             /* nobody asks */
    expect(KEYS, "older than 6"); /* and nothing is forgotten */
    snprintf(path, sizeof path, "%s/cache/" RATCHET_FILE, directory);
    assert_int_equal(truncate(path, 10), 0);
    expect(KEYS, "the version that ran last cannot be read");
    assert_int_equal(unlink(path), 0);
    expect(KEYS, NULL);
    snprintf(path, sizeof path, "%s/cache", directory);
    assert_int_equal(chmod(path, 0777), 0);
    expect(KEYS, "`policy_cache: cache`: it is to be a directory that only");
    assert_int_equal(chmod(path, 0700), 0);
}

/* Who can write to a directory above can put another in the place of what is kept. */
static void test_place(void **state)
{
    char path[128], below[160];
    (void)state;
    save_bundle(7, "-- seven", ours);
    expect(KEYS, NULL);
    assert_int_equal(chmod(directory, 0777), 0);
    expect(KEYS, "below directories that only he can");
    assert_int_equal(chmod(directory, 01777), 0); /* what lies there is its owner's */
    expect(KEYS, NULL);
    assert_int_equal(chmod(directory, 0700), 0);
    snprintf(path, sizeof path, "%s/theirs", directory);
    snprintf(below, sizeof below, "%s/ours", path);
    assert_int_equal(mkdir(path, 0755) || mkdir(below, 0755), 0);
    assert_int_equal(ratchet_prepare(below), 0);
    snprintf(below, sizeof below, "%s/ours/cache", path);
    assert_int_equal(ratchet_prepare(below), 0);
    if (geteuid() == 0) { /* not the one above, but the one above that */
        assert_int_equal(chown(path, 65534, 65534), 0);
        assert_int_equal(ratchet_prepare(below), -EPERM);
    }
    snprintf(path, sizeof path, "%s/cache", directory);
    snprintf(below, sizeof below, "%s/elsewhere", directory);
    assert_int_equal(rename(path, below) || symlink(below, path), 0);
    expect(KEYS, "`policy_cache: cache`: Not a directory");
    assert_true(ratchet_read(path, &(struct ratchet){0}) < 0);
    assert_int_equal(unlink(path) || rename(below, path), 0);
}

/* What has been opened is what is read, whatever becomes of the file. */
static void test_sealed(void **state)
{
    struct config *site = config(KEYS);
    struct problems problems = {0};
    struct release release;
    char *text;
    size_t len;
    (void)state;
    save_bundle(9, "-- good", ours);
    assert_true(release_open(&release, site, RELEASE_TO_SERVE, &problems));
    save_bundle(9, "-- evil", theirs);
    assert_int_equal(source_read(release.source, "policy.lua", 100, &text, &len), 0);
    assert_int_equal(len, 7);
    assert_memory_equal(text, "-- good", 7);
    free(text);
    assert_int_equal(source_read(release.source, "policy.lua", 6, &text, &len), -EFBIG);
    assert_int_equal(source_read(release.source, "../site.yaml", 100, &text, &len), -EXDEV);
    assert_int_equal(write(release.source, "x", 1), -1);
    assert_int_equal(ftruncate(release.source, 0), -1);
    release_close(&release);
    config_free(site);
}

static int set_up(void **state)
{
    (void)state;
    ours = minisign_key_alloc();
    theirs = minisign_key_alloc();
    if (!ours || !theirs || !mkdtemp(directory))
        return -1;
    minisign_key_make(ours);
    minisign_key_make(theirs);
    save_key(ours, "ours.pub");
    save_key(theirs, "theirs.pub");
    return 0;
}

static int tear_down(void **state)
{
    char command[128];
    (void)state;
    minisign_key_free(ours);
    minisign_key_free(theirs);
    snprintf(command, sizeof command, "rm -rf %s", directory);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_signatures),
        cmocka_unit_test(test_versions),
        cmocka_unit_test(test_place),
        cmocka_unit_test(test_sealed),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
