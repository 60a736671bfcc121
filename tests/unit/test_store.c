/* The store: what was written is there, whoever asks, whatever was killed; and whoever writes does
 * not wait. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "store_lmdb.h"
#include "store_writer.h"

#define MEGABYTE ((size_t)1 << 20)

static char path[] = "/tmp/moonboot-store-XXXXXX";

static struct bytes bytes_of(const char *text)
{
    return (struct bytes){(const uint8_t *)text, strlen(text)};
}

static struct store_lmdb *open_of(size_t max_bytes)
{
    struct store_lmdb *store = NULL;
    int error = store_lmdb_open(&store, path, max_bytes);
    if (error)
        fail_msg("store_open: %s", store_problem(error));
    return store;
}

/* One change -> its result. */
static int64_t change(struct store_lmdb *store, const char *key, const char *text, int64_t version,
                      int64_t ttl_ms)
{
    struct store_change one = {.key = bytes_of(key), .version = version, .ttl_ms = ttl_ms};
    struct store_change *list[] = {&one};
    one.deletes = text == NULL;
    if (text)
        one.text = bytes_of(text);
    store_lmdb_apply(store, list, 1);
    return one.result;
}

static void holds(struct store_lmdb *store, const char *key, const char *text)
{
    struct store_entry entry;
    int error = store_lmdb_get(store, bytes_of(key), &entry);
    if (!text) {
        assert_int_equal(error, -ENOENT);
        return;
    }
    if (error)
        fail_msg("%s: %s", key, store_problem(error));
    assert_int_equal(entry.text.len, strlen(text));
    assert_memory_equal(entry.text.data, text, entry.text.len);
}

/* The keys that begin so, one after the other. */
static const char *keys(struct store_lmdb *store, const char *prefix)
{
    static char all[1024];
    struct store_entry entry = {.key = {NULL, 0}};
    *all = '\0';
    while (store_lmdb_next(store, bytes_of(prefix), entry.key, &entry) == 0)
        snprintf(all + strlen(all), sizeof all - strlen(all), "%.*s ", (int)entry.key.len,
                 (const char *)entry.key.data);
    return all;
}

static void test_changes(void **state)
{
    struct store_lmdb *store = open_of(MEGABYTE);
    (void)state;
    holds(store, "a", NULL);
    int64_t first = change(store, "a", "one", STORE_ABSENT, 0);
    assert_true(first > 0);
    holds(store, "a", "one");
    assert_int_equal(change(store, "a", "two", STORE_ABSENT, 0), -EAGAIN);
    assert_int_equal(change(store, "a", "two", first + 1, 0), -EAGAIN);
    int64_t second = change(store, "a", "two", first, 0);
    assert_true(second > first);
    assert_int_equal(change(store, "a", NULL, first, 0), -EAGAIN);
    assert_int_equal(change(store, "a", NULL, second, 0), 0);
    holds(store, "a", NULL);
    assert_int_equal(change(store, "a", NULL, STORE_ANY, 0), 0);
    assert_int_equal(change(store, "a", "x", second, 0), -EAGAIN);
    assert_true(change(store, "a", "", STORE_ANY, 0) > second);
    holds(store, "a", "");

    char long_key[STORE_KEY_MAX + 2] = "";
    memset(long_key, 'k', STORE_KEY_MAX + 1);
    assert_int_equal(change(store, long_key, "x", STORE_ANY, 0), -EMSGSIZE);
    assert_int_equal(change(store, "", "x", STORE_ANY, 0), -EMSGSIZE);
    long_key[STORE_KEY_MAX] = '\0';
    assert_true(change(store, long_key, "x", STORE_ANY, 1000000) > 0);
    holds(store, long_key, "x");
    char *text = calloc(1, STORE_TEXT_MAX + 2);
    memset(text, 't', STORE_TEXT_MAX + 1);
    assert_int_equal(change(store, "t", text, STORE_ANY, 0), -EMSGSIZE);
    text[STORE_TEXT_MAX] = '\0';
    assert_true(change(store, "t", text, STORE_ANY, 0) > 0);
    holds(store, "t", text);
    free(text);
    store_lmdb_close(store);
    store = open_of(MEGABYTE);
    holds(store, "a", "");
    holds(store, long_key, "x");
    store_lmdb_close(store);
}

static void test_lists(void **state)
{
    struct store_lmdb *store = open_of(MEGABYTE);
    (void)state;
    static const char *const made[] = {"m/2", "m/1", "m/10", "n", "m", "m/"};
    for (size_t i = 0; i < sizeof made / sizeof *made; i++)
        assert_true(change(store, made[i], "x", STORE_ANY, 0) > 0);
    assert_string_equal(keys(store, "m/"), "m/ m/1 m/10 m/2 ");
    assert_string_equal(keys(store, "m/1"), "m/1 m/10 ");
    assert_string_equal(keys(store, "zzz"), "");
    assert_non_null(strstr(keys(store, ""), "m m/ m/1 m/10 m/2 n "));
    store_lmdb_close(store);
}

/* What has ended is not there, and its room is given back. */
static void test_ends(void **state)
{
    enum { N = 50 };
    struct store_lmdb *store = open_of(MEGABYTE);
    struct timespec pause = {.tv_nsec = 320000000};
    struct store_change changes[N], *list[N];
    char key[N][32];
    (void)state;
    assert_true(change(store, "e/stays", "x", STORE_ANY, 0) > 0);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < N; i++) {
            snprintf(key[i], sizeof key[i], "e/%d", i);
            changes[i] = (struct store_change){.key = bytes_of(key[i]),
                                               .text = bytes_of("x"),
                                               .ttl_ms = 300,
                                               .version = STORE_ANY};
            list[i] = &changes[i];
        }
        store_lmdb_apply(store, list, N);
        assert_non_null(strstr(keys(store, "e/"), "e/0 "));
        nanosleep(&pause, NULL);
        assert_string_equal(keys(store, "e/"), "e/stays ");
        holds(store, "e/0", NULL);
        assert_true(change(store, "e/0", "again", STORE_ABSENT, 0) > 0);
        holds(store, "e/0", "again");
        assert_int_equal(change(store, "e/0", NULL, STORE_ANY, 0), 0);
    }
    store_lmdb_close(store);
}

/* A store that is full is an error to who writes, and goes on when there is room. */
static void test_full(void **state)
{
    struct store_lmdb *store = open_of(MEGABYTE);
    char *text = calloc(1, 40001), key[32];
    int64_t result = 1;
    int n = 0;
    (void)state;
    memset(text, 'f', 40000);
    for (; n < 100 && result > 0; n++) {
        snprintf(key, sizeof key, "full/%d", n);
        result = change(store, key, text, STORE_ANY, 0);
    }
    assert_int_equal(result, -EDQUOT);
    assert_non_null(strstr(store_problem(result), "full"));
    assert_null(strstr(store_problem(-EACCES), "Redis"));
    assert_non_null(strstr(store_problem(-EKEYREJECTED), "Redis denies it"));
    holds(store, "full/0", text);
    holds(store, key, NULL);
    /* One that is too large for what is left takes none with it. */
    struct store_change small = {.key = bytes_of("small"), .text = bytes_of("x"), .version = -1};
    struct store_change large = {
        .key = bytes_of("large"), .text = {(uint8_t *)text, 40000}, .version = -1};
    struct store_change *both[] = {&small, &large};
    store_lmdb_apply(store, both, 2);
    assert_true(small.result > 0);
    assert_int_equal(large.result, -EDQUOT);
    for (int i = 0; i < n; i++) {
        snprintf(key, sizeof key, "full/%d", i);
        assert_int_equal(change(store, key, NULL, STORE_ANY, 0), 0);
    }
    assert_true(change(store, "large", text, STORE_ANY, 0) > 0);
    assert_int_equal(change(store, "large", NULL, STORE_ANY, 0), 0);
    free(text);
    store_lmdb_close(store);
}

/* The file may not grow: the system says so, the caller hears it. */
static void test_disk(void **state)
{
    struct rlimit before, tight;
    char *text = calloc(1, 60001), key[32];
    int64_t result = 1;
    (void)state;
    signal(SIGXFSZ, SIG_IGN);
    memset(text, 'd', 60000);
    struct store_lmdb *store = open_of(16 * MEGABYTE);
    getrlimit(RLIMIT_FSIZE, &before);
    tight = before;
    tight.rlim_cur = 4 * MEGABYTE;
    setrlimit(RLIMIT_FSIZE, &tight);
    for (int i = 0; i < 100 && result > 0; i++) {
        snprintf(key, sizeof key, "disk/%d", i);
        result = change(store, key, text, STORE_ANY, 0);
    }
    setrlimit(RLIMIT_FSIZE, &before);
    assert_true(result < 0);
    holds(store, "disk/0", text);
    holds(store, key, NULL);
    assert_true(change(store, key, "x", STORE_ANY, 0) > 0);
    store_lmdb_close(store);
    free(text);
}

#define GROUP 100

/* Writes groups of a number each until it is killed; tells of each when it is on disk. */
static void write_until_killed(int told, uint32_t from)
{
    struct store_lmdb *store = NULL;
    if (store_lmdb_open(&store, path, 64 * MEGABYTE))
        _exit(1);
    for (uint32_t n = from;; n++) {
        struct store_change changes[GROUP], *list[GROUP];
        char key[GROUP][32], text[GROUP][64];
        for (int i = 0; i < GROUP; i++) {
            snprintf(key[i], sizeof key[i], "kill/%d", i);
            snprintf(text[i], sizeof text[i], "%u %u %u", n, n * 7, n);
            changes[i] = (struct store_change){
                .key = bytes_of(key[i]), .text = bytes_of(text[i]), .version = STORE_ANY};
            list[i] = &changes[i];
        }
        store_lmdb_apply(store, list, GROUP);
        if (changes[0].result <= 0 || write(told, &n, sizeof n) != sizeof n)
            _exit(1);
    }
}

/* kill -9 while it writes: what was acknowledged is there, whole, and the lock is free. */
static void test_killed(void **state)
{
    uint32_t last = 0;
    (void)state;
    for (int round = 0; round < 12; round++) {
        int told[2];
        assert_int_equal(pipe(told), 0);
        pid_t pid = fork();
        if (pid == 0) {
            close(told[0]);
            write_until_killed(told[1], last + 1);
        }
        close(told[1]);
        /* At different moments of a commit. */
        struct timespec pause = {.tv_nsec = 40000000 + round * 1700000};
        nanosleep(&pause, NULL);
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        uint32_t n;
        while (read(told[0], &n, sizeof n) == sizeof n)
            last = n;
        close(told[0]);
        struct store_lmdb *store = open_of(64 * MEGABYTE);
        uint32_t first = 0;
        for (int i = 0; i < GROUP && last > 0; i++) {
            struct store_entry entry;
            char key[32], text[64];
            uint32_t a, b, c;
            snprintf(key, sizeof key, "kill/%d", i);
            assert_int_equal(store_lmdb_get(store, bytes_of(key), &entry), 0);
            snprintf(text, sizeof text, "%.*s", (int)entry.text.len, (char *)entry.text.data);
            assert_int_equal(sscanf(text, "%u %u %u", &a, &b, &c), 3);
            assert_true(a == c && b == a * 7);
            first = i ? first : a;
            assert_int_equal(a, first); /* of one commit, all of them */
        }
        assert_true(first >= last);
        last = first;
        assert_true(change(store, "kill/after", "x", STORE_ANY, 0) > 0);
        store_lmdb_close(store);
    }
    assert_true(last > 0);
}

/* --- the writer --------------------------------------------------------------------------- */

static unsigned n_written;
static double longest;

static double now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static void on_written(const struct store_change *one, void *arg)
{
    assert_true(one->result > 0);
    assert_ptr_equal(arg, &n_written);
    n_written++;
}

static void test_writer(void **state)
{
    struct event_base *base = event_base_new();
    struct store_writer *writer = store_writer_open(base, open_of(64 * MEGABYTE));
    struct store_change one = {.text = bytes_of("w"), .version = STORE_ANY};
    char key[32];
    (void)state;
    assert_non_null(writer);
    n_written = 0;
    double began = now_ms();
    for (int i = 0; i < 5000; i++) {
        snprintf(key, sizeof key, "w/%d", i);
        one.key = bytes_of(key);
        double before = now_ms();
        struct store_write *write =
            store_writer_add(writer, &one, i % 10 ? on_written : NULL, &n_written);
        assert_non_null(write);
        memset(key, 'x', sizeof key);
        if (i % 10 == 1) { /* nobody wants to know */
            store_writer_forget(write);
        }
        if (now_ms() - before > longest)
            longest = now_ms() - before;
    }
    while (n_written < 4000)
        event_base_loop(base, EVLOOP_ONCE);
    print_message("5000 writes in %.0f ms; the longest call took %.2f ms\n", now_ms() - began,
                  longest);
    holds(store_writer_store(writer), "w/4999", "w");
    holds(store_writer_store(writer), "w/1", "w");
    one.key = bytes_of("w/last");
    assert_non_null(store_writer_add(writer, &one, on_written, &n_written));
    store_writer_close(writer); /* when it is written */
    event_base_free(base);
    struct store_lmdb *store = open_of(64 * MEGABYTE);
    holds(store, "w/last", "w");
    store_lmdb_close(store);
}

static void test_not_a_store(void **state)
{
    struct store_lmdb *store = NULL;
    char name[64];
    (void)state;
    assert_int_equal(store_lmdb_open(&store, "/nonexistent/x", MEGABYTE), -ENOENT);
    assert_null(store);
    snprintf(name, sizeof name, "%s/sub", path);
    assert_int_equal(store_lmdb_prepare(name, getuid(), getgid()), 0);
    assert_int_equal(store_lmdb_prepare(name, getuid(), getgid()), 0);
    assert_int_equal(store_lmdb_prepare("/nonexistent/x/y", getuid(), getgid()), -ENOENT);
    snprintf(name, sizeof name, "%s/sub/data.mdb", path);
    FILE *file = fopen(name, "w");
    for (int i = 0; i < 4096; i++)
        fputs("no store", file);
    fclose(file);
    snprintf(name, sizeof name, "%s/sub", path);
    assert_int_equal(store_lmdb_open(&store, name, MEGABYTE), -EBADMSG);
    assert_null(store);
}

static int set_up(void **state)
{
    (void)state;
    return mkdtemp(path) ? 0 : -1;
}

static int tear_down(void **state)
{
    static const char *const made[] = {"sub/data.mdb", "sub/lock.mdb", "sub",
                                       "data.mdb",     "lock.mdb",     ""};
    (void)state;
    for (size_t i = 0; i < sizeof made / sizeof *made; i++) {
        char name[64];
        snprintf(name, sizeof name, "%s/%s", path, made[i]);
        remove(name);
    }
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_changes), cmocka_unit_test(test_lists),
        cmocka_unit_test(test_ends),    cmocka_unit_test(test_full),
        cmocka_unit_test(test_disk),    cmocka_unit_test(test_killed),
        cmocka_unit_test(test_writer),  cmocka_unit_test(test_not_a_store),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
