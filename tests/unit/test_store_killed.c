/* 100,000 changes of the store, and kill -9 again and again while they are made: what was
 * acknowledged is there afterwards, and nothing is half there. KILLED_WRITES: another number of
 * them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "sanitized.h"
#include "store_lmdb.h"
#include "store_local.h"

#ifdef SANITIZED /* it takes a multiple of the time */
#define WRITES 20000
#else
#define WRITES 100000
#endif
#define ROUNDS    2 /* each key is made, then changed */
#define IN_FLIGHT 200
#define TEXT_MAX  700
#define MAX_BYTES ((size_t)256 << 20)

static char path[] = "/tmp/moonboot-killed-XXXXXX";

/* What the writer has been told is done, for who outlives it. */
struct told {
    unsigned rounds; /* of that key */
};

struct writer {
    struct store *store;
    struct event_base *base;
    struct told *told;
    unsigned n_keys, next, round, in_flight;
    unsigned last; /* with so many acknowledgements more it kills itself; 0: never */
};

struct one {
    struct writer *writer;
    struct store_ask *ask;
    unsigned key, round;
};

static unsigned n_writes(void)
{
    const char *text = getenv("KILLED_WRITES");
    return text ? (unsigned)strtoul(text, NULL, 10) : WRITES;
}

/* A text that tells whether all of it is there: its length and each byte follow from its name. */
static size_t text_of(unsigned key, unsigned round, char *text)
{
    int head = snprintf(text, TEXT_MAX, "%u %u ", key, round);
    size_t len = (size_t)head + (key * 31 + round * 17) % (TEXT_MAX - 64);
    for (size_t i = (size_t)head; i < len; i++)
        text[i] = (char)('a' + (key + round + i) % 26);
    return len;
}

static void go_on(struct writer *w);

/* While the thread that commits goes on, with what is in flight. */
static void die(void)
{
    struct timespec now, end;
    clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_nsec += random() % 2000000;
    do
        clock_gettime(CLOCK_MONOTONIC, &now);
    while ((now.tv_sec - end.tv_sec) * 1000000000L + now.tv_nsec < end.tv_nsec);
    raise(SIGKILL);
}

static void on_done(void *arg)
{
    struct one *one = arg;
    struct writer *w = one->writer;
    if (store_answer(one->ask)->result <= 0)
        _exit(2);
    w->told[one->key].rounds = one->round + 1;
    store_end(one->ask);
    free(one);
    w->in_flight--;
    if (w->last > 0 && --w->last == 0)
        die();
    go_on(w);
}

static void ask(struct writer *w, unsigned key, unsigned round)
{
    char name[32], text[TEXT_MAX];
    struct one *one = calloc(1, sizeof *one);
    if (!one)
        _exit(2);
    *one = (struct one){.writer = w, .key = key, .round = round};
    int len = snprintf(name, sizeof name, "kill/%u", key);
    const struct store_request request = {
        .verb = STORE_WRITE,
        .change = {.key = {(const uint8_t *)name, (size_t)len},
                   .text = {(const uint8_t *)text, text_of(key, round, text)},
                   .version = STORE_ANY}};
    one->ask = store_ask(w->store, &request, on_done, one);
    if (!one->ask)
        _exit(2);
    w->in_flight++;
}

/* What nobody was told of yet, in order; each round when the one before is over. */
static void go_on(struct writer *w)
{
    while (w->in_flight < IN_FLIGHT && w->round < ROUNDS) {
        if (w->next == w->n_keys) {
            if (w->in_flight > 0)
                return;
            w->next = 0;
            w->round++;
            continue;
        }
        unsigned key = w->next++;
        if (w->told[key].rounds <= w->round)
            ask(w, key, w->round);
    }
}

static void write_all(struct told *told, unsigned n_keys, unsigned last)
{
    struct writer w = {.told = told, .n_keys = n_keys, .last = last, .base = event_base_new()};
    if (!w.base || store_local_open(&w.store, w.base, path, MAX_BYTES))
        _exit(2);
    go_on(&w);
    while (w.in_flight > 0)
        event_base_loop(w.base, EVLOOP_ONCE);
    store_close(w.store);
    _exit(0);
}

/* Each entry is whole, and each change that was told of is there, or one after it -> how many. */
static unsigned check_all(const struct told *told, unsigned n_keys)
{
    struct store_lmdb *store = NULL;
    struct store_entry entry;
    unsigned n = 0;
    int error = store_lmdb_open(&store, path, MAX_BYTES);
    if (error)
        fail_msg("store_lmdb_open: %s", store_problem(error));
    for (unsigned key = 0; key < n_keys; key++) {
        char name[32], text[TEXT_MAX];
        unsigned found = 0, round = 0;
        int len = snprintf(name, sizeof name, "kill/%u", key);
        error = store_lmdb_get(store, (struct bytes){(const uint8_t *)name, (size_t)len}, &entry);
        if (error == -ENOENT && told[key].rounds == 0)
            continue;
        if (error)
            fail_msg("%s, which was acknowledged: %s", name, store_problem(error));
        snprintf(text, sizeof text, "%.*s", (int)(entry.text.len < 40 ? entry.text.len : 40),
                 (const char *)entry.text.data);
        assert_int_equal(sscanf(text, "%u %u ", &found, &round), 2);
        assert_int_equal(found, key);
        assert_true(round + 1 >= told[key].rounds && round < ROUNDS);
        assert_int_equal(entry.text.len, text_of(key, round, text));
        assert_memory_equal(entry.text.data, text, entry.text.len);
        n++;
    }
    store_lmdb_close(store);
    return n;
}

static unsigned count(const struct told *told, unsigned n_keys)
{
    unsigned n = 0;
    for (unsigned key = 0; key < n_keys; key++)
        n += told[key].rounds;
    return n;
}

static void test_killed(void **state)
{
    unsigned n_keys = n_writes() / ROUNDS, kills = 0, lives = 0;
    struct told *told = mmap(NULL, n_keys * sizeof *told, PROT_READ | PROT_WRITE,
                             MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    (void)state;
    assert_true(told != MAP_FAILED);
    srandom(1);
    for (int status = 1; status != 0; lives++) {
        /* By turns: in the midst of its work, however fast that is; and after a time, which may
         * end while it opens the store, and grows, so that slow machines come to an end too. */
        bool by_clock = lives % 2 == 1;
        unsigned last = 1 + (unsigned)random() % (n_keys * ROUNDS / 50);
        struct timespec pause = {.tv_nsec =
                                     random() % (5 + lives % 400) * 1000000L + random() % 1000000};
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0)
            write_all(told, n_keys, by_clock ? 0 : last);
        if (by_clock) {
            nanosleep(&pause, NULL);
            kill(pid, SIGKILL);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        if (status != 0)
            assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        kills += status != 0;
        check_all(told, n_keys);
    }
    assert_int_equal(check_all(told, n_keys), n_keys);
    assert_int_equal(count(told, n_keys), n_keys * ROUNDS);
    assert_true(kills > 0);
    print_message("%u changes, %u times killed\n", n_keys * ROUNDS, kills);
    munmap(told, n_keys * sizeof *told);
}

static int set_up(void **state)
{
    (void)state;
    return mkdtemp(path) ? 0 : -1;
}

static int tear_down(void **state)
{
    static const char *const made[] = {"data.mdb", "lock.mdb", ""};
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
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_killed)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
