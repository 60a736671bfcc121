/* A fork whose child is its parent's sibling, and is itself to its C library. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sibling.h"

struct shared {
    pthread_mutex_t mutex;
    volatile pid_t child;
};

/* This process forks one that forks a sibling of itself, which takes the mutex. */
static void start(struct shared *shared)
{
    pid_t between = fork();
    if (between == 0) {
        pid_t pid = sibling_fork();
        if (pid == 0) {
            if (pthread_mutex_lock(&shared->mutex) == 0)
                shared->child = getpid();
            for (;;)
                pause();
        }
        _exit(pid > 0 ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(between, &status, 0), between);
    assert_int_equal(status, 0);
    for (int i = 0; i < 5000 && !shared->child; i++)
        usleep(1000);
    assert_true(shared->child > 0);
}

static void test_killed_with_a_mutex(void **state)
{
    pthread_mutexattr_t robust;
    struct shared *shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int status;
    (void)state;
    pthread_mutexattr_init(&robust);
    pthread_mutexattr_setpshared(&robust, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&robust, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&shared->mutex, &robust);
    start(shared);
    assert_int_equal(pthread_mutex_trylock(&shared->mutex), EBUSY);
    kill(shared->child, SIGKILL);
    assert_int_equal(waitpid(shared->child, &status, 0), shared->child); /* it is ours */
    assert_true(WIFSIGNALED(status));
    assert_int_equal(pthread_mutex_trylock(&shared->mutex), EOWNERDEAD);
    munmap(shared, sizeof *shared);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_killed_with_a_mutex)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
