/* The server, asked by the clients that people have; those that are not installed are
 * left out, and said so. */
#include "tftp_world.h"

#include <sys/wait.h>

/* Runs a shell command in the world's directory while its server runs; the exit code. */
static int run(struct world *w, const char *command)
{
    pid_t pid = fork();
    if (pid == 0) {
        char port[8];
        snprintf(port, sizeof port, "%u", w->port);
        if (setenv("PORT", port, 1) == 0 && chdir(w->directory) == 0)
            execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    int status;
    struct timeval tick = {.tv_usec = 1000};
    while (waitpid(pid, &status, WNOHANG) == 0) {
        event_base_loopexit(w->base, &tick);
        event_base_dispatch(w->base);
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

/* `program` with `arguments` fetches `file` into `got` from $PORT. */
static void fetch_by(struct world *w, const char *program, const char *arguments)
{
    static const size_t sizes[] = {0, 1, 511, 512, 513, 1000000};
    char command[512];
    snprintf(command, sizeof command, "command -v %s >/dev/null", program);
    if (run(w, command) != 0) {
        print_message("# without %s, which is not installed\n", program);
        return;
    }
    snprintf(command, sizeof command,
             "rm -f got; timeout 60 %s %s >log 2>&1 && cmp file got || { cat log; exit 1; }",
             program, arguments);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        make_file(w, "file", sizes[i]);
        if (run(w, command) != 0)
            fail_msg("%s, %zu bytes", command, sizes[i]);
    }
}

static void test_real_clients(void **state)
{
    (void)state;
    struct world w;
    setup_world(&w);
    fetch_by(&w, "curl", "-sS tftp://127.0.0.1:$PORT/file -o got");
    fetch_by(&w, "curl", "-sS --tftp-blksize 1468 tftp://127.0.0.1:$PORT/file -o got");
    fetch_by(&w, "curl", "-sS --tftp-no-options tftp://127.0.0.1:$PORT/file -o got");
    fetch_by(&w, "tftp", "-m octet 127.0.0.1 $PORT -c get file got");
    fetch_by(&w, "busybox", "tftp -g -r file -l got 127.0.0.1 $PORT");
    fetch_by(&w, "busybox", "tftp -b 1468 -g -r file -l got 127.0.0.1 $PORT");
    fetch_by(&w, "atftp", "-g -r file -l got 127.0.0.1 $PORT");
    static const unsigned windows[] = {1, 4, 16, 64};
    for (size_t i = 0; i < sizeof windows / sizeof *windows; i++) {
        char arguments[256];
        snprintf(arguments, sizeof arguments,
                 "--option 'blksize 1468' --option 'windowsize %u' -g -r file -l got "
                 "127.0.0.1 $PORT",
                 windows[i]);
        fetch_by(&w, "atftp", arguments);
    }
    assert_int_equal(counted(&w, METRICS_TFTP_TIMED_OUT), 0);
    close_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_real_clients),
    };
    log_setup(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
