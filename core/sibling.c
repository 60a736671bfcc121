#include "sibling.h"

#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The C library has no such fork, and does for its own what follows here: a mutex notes who holds
 * it by the thread's number, which is kept in its memory, and the kernel, which looks after
 * those who die, must be told of their list anew. */
pid_t sibling_fork(void)
{
    struct robust_list_head *robust = NULL;
    size_t len = 0;
    int *number = NULL;
    unsigned long flags = CLONE_PARENT | SIGCHLD;
    if (syscall(SYS_get_robust_list, 0, &robust, &len) < 0)
        robust = NULL;
    if (prctl(PR_GET_TID_ADDRESS, &number) == 0 && number)
        flags |= CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID;
    pid_t pid = (pid_t)syscall(SYS_clone, flags, 0, 0, number, 0);
    if (pid == 0 && robust)
        syscall(SYS_set_robust_list, robust, len);
    return pid;
}
