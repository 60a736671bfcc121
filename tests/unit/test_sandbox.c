#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "sandbox.h"

static int pipes[2];

static void tell(int call)
{
    if (write(pipes[1], &call, sizeof call) < 0)
        _exit(9);
}

/* Runs `act` in a confined process: its exit code, or minus the signal that ended it. *told is
 * the call that was forbidden, -1 when none was. */
static int confined(int (*act)(void), int *told)
{
    int status;
    assert_int_equal(pipe2(pipes, O_NONBLOCK), 0);
    pid_t pid = fork();
    if (pid == 0) {
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || sandbox_enter(tell) < 0)
            _exit(8);
        _exit(act());
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (read(pipes[0], told, sizeof *told) != sizeof *told)
        *told = -1;
    close(pipes[0]);
    close(pipes[1]);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static void *thread(void *arg)
{
    return arg;
}

static int work(void)
{
    pthread_t other;
    char text[16];
    void *result = NULL;
    int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
    if (fd < 0 || read(fd, text, sizeof text) != sizeof text || close(fd) < 0)
        return 1;
    fd = socket(AF_INET, SOCK_DGRAM, 0);
    if (fd < 0 || close(fd) < 0)
        return 2;
    if (pthread_create(&other, NULL, thread, &pipes) != 0 || pthread_join(other, &result) != 0 ||
        result != &pipes)
        return 3;
    char *memory = malloc(10000000);
    if (!memory)
        return 4;
    memset(memory, 1, 10000000);
    free(memory);
    return 0;
}

static int make_code(void)
{
    void *code =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (code != MAP_FAILED || errno != EACCES)
        return 1;
    code = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (code == MAP_FAILED || mprotect(code, 4096, PROT_READ | PROT_EXEC) == 0)
        return 2;
    return 0;
}

static int run_program(void)
{
    return execl("/bin/true", "true", (char *)NULL);
}

static int make_process(void)
{
    return (int)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
}

static int look_into(void)
{
    return (int)ptrace(PTRACE_TRACEME, 0, NULL, NULL);
}

static int end_another(void)
{
    return kill(getppid(), 0);
}

static int open_raw(void)
{
    return socket(AF_PACKET, SOCK_RAW, 0);
}

static int remove_file(void)
{
    return unlink("/nonexistent");
}

static void test_work_goes_on(void **state)
{
    int told;
    (void)state;
    if (!sandbox_available()) /* of a build with AddressSanitizer nothing is promised */
        return;
    assert_int_equal(confined(work, &told), 0);
    assert_int_equal(confined(make_code, &told), 0);
    assert_int_equal(told, -1);
}

static void test_forbidden(void **state)
{
    static const struct {
        int (*act)(void);
        int call;
    } cases[] = {
        {run_program, SYS_execve}, {make_process, SYS_clone}, {look_into, SYS_ptrace},
        {end_another, SYS_kill},   {open_raw, SYS_socket},    {remove_file, SYS_unlink},
    };
    int told;
    (void)state;
    if (!sandbox_available()) /* of a build with AddressSanitizer nothing is promised */
        return;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(confined(cases[i].act, &told), -SIGSYS);
        assert_int_equal(told, cases[i].call);
    }
}

static void test_names(void **state)
{
    char *name = sandbox_call_name(SYS_execve);
    (void)state;
    assert_string_equal(name, "execve");
    free(name);
    assert_null(sandbox_call_name(-12345));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_work_goes_on),
        cmocka_unit_test(test_forbidden),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
