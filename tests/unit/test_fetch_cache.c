/* What was fetched, on the disk: a new release takes the old one's place at once, or not at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fetch_cache.h"

#define URL "https://releases.lab/r.bundle"

static char cache[] = "/tmp/moonboot-fetched-XXXXXX";

static void fetched(const char *text, const char *url, const char *etag)
{
    int bundle, signature;
    assert_int_equal(fetch_cache_begin(cache, &bundle, &signature), 0);
    assert_int_equal(write(bundle, text, strlen(text)), strlen(text));
    close(bundle);
    close(signature);
    assert_int_equal(fetch_cache_note(cache, url, etag), 0);
}

static void assert_text(const char *which, const char *wanted)
{
    char path[256], text[64];
    snprintf(path, sizeof path, "%s/%s/" FETCH_CACHE_BUNDLE, cache, which);
    int fd = open(path, O_RDONLY);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (fd >= 0)
        close(fd);
    if (!wanted) {
        assert_true(fd < 0);
        return;
    }
    assert_true(n >= 0);
    text[n] = '\0';
    assert_string_equal(text, wanted);
}

static void test_releases(void **state)
{
    char etag[FETCH_CACHE_ETAG_MAX];
    (void)state;
    assert_false(fetch_cache_has(cache, FETCH_CACHE_RAN, URL, etag));
    assert_string_equal(etag, "");
    assert_int_equal(fetch_cache_commit(cache), -ENOENT);
    fetched("one", URL, "\"1\"");
    assert_true(fetch_cache_has(cache, FETCH_CACHE_NEW, URL, NULL));
    assert_false(fetch_cache_has(cache, FETCH_CACHE_RAN, URL, NULL));
    assert_int_equal(fetch_cache_commit(cache), 0);
    assert_text(FETCH_CACHE_RAN, "one");
    assert_true(fetch_cache_has(cache, FETCH_CACHE_RAN, URL, etag));
    assert_string_equal(etag, "\"1\"");
    fetched("two", URL, "");
    assert_text(FETCH_CACHE_RAN, "one");
    assert_int_equal(fetch_cache_commit(cache), 0);
    assert_text(FETCH_CACHE_RAN, "two");
    assert_text(FETCH_CACHE_NEW, NULL);
    assert_true(fetch_cache_has(cache, FETCH_CACHE_RAN, URL, etag));
    assert_string_equal(etag, "");
}

static void test_other_urls(void **state)
{
    (void)state;
    fetched("three", URL "x", "\"3\"");
    assert_false(fetch_cache_has(cache, FETCH_CACHE_NEW, URL, NULL));
    assert_true(fetch_cache_has(cache, FETCH_CACHE_NEW, URL "x", NULL));
    int bundle, signature; /* a fetch that comes to nothing leaves nothing to be loaded */
    assert_int_equal(fetch_cache_begin(cache, &bundle, &signature), 0);
    close(bundle);
    close(signature);
    assert_false(fetch_cache_has(cache, FETCH_CACHE_NEW, URL "x", NULL));
}

static void test_bad_directories(void **state)
{
    int bundle, signature;
    char long_url[5000], path[256];
    (void)state;
    assert_int_equal(fetch_cache_begin("/nowhere", &bundle, &signature), -ENOENT);
    assert_int_equal(fetch_cache_note("/nowhere", URL, ""), -ENOENT);
    assert_int_equal(fetch_cache_commit("/nowhere"), -ENOENT);
    memset(long_url, 'u', sizeof long_url - 1);
    long_url[sizeof long_url - 1] = '\0';
    assert_int_equal(fetch_cache_begin(cache, &bundle, &signature), 0);
    close(bundle);
    close(signature);
    assert_int_equal(fetch_cache_note(cache, long_url, ""), -ENAMETOOLONG);
    snprintf(path, sizeof path, "rm -rf %s/" FETCH_CACHE_NEW, cache);
    assert_int_equal(system(path), 0);
    snprintf(path, sizeof path, "%s/" FETCH_CACHE_NEW, cache);
    assert_int_equal(symlink("/tmp", path), 0); /* is not followed */
    assert_true(fetch_cache_begin(cache, &bundle, &signature) < 0);
    assert_int_equal(unlink(path), 0);
}

static int set_up(void **state)
{
    (void)state;
    return mkdtemp(cache) ? 0 : -1;
}

static int tear_down(void **state)
{
    char command[128];
    (void)state;
    snprintf(command, sizeof command, "rm -rf %s", cache);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_releases),
        cmocka_unit_test(test_other_urls),
        cmocka_unit_test(test_bad_directories),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
