/* A fork whose child is a child of the caller's parent: it is he who learns of its end. */
#ifndef MOONBOOT_SIBLING_H
#define MOONBOOT_SIBLING_H

#include <sys/types.h>

/* As fork, for a process with one thread. To its C library the child is the process that it is:
 * a robust mutex that it holds when it is killed is the next one's (LMDB has them). */
pid_t sibling_fork(void);

#endif
