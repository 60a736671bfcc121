/* What a worker may ask of the kernel: a list (seccomp), for the day that somebody else's code
 * runs in it. */
#ifndef MOONBOOT_SANDBOX_H
#define MOONBOOT_SANDBOX_H

#include <stdbool.h>

/* Whether this build can be confined: AddressSanitizer's runtime asks for much more. */
bool sandbox_available(void);

/* From here on this process may make the calls of the list in sandbox.c alone. Any other is not
 * carried out and ends the process by SIGSYS, after `told`, which is run in a signal handler, was
 * given its number. Needs no_new_privs. 0 or a negative errno. */
int sandbox_enter(void (*told)(int call));

/* A call's name, a new string; NULL when it has none. */
char *sandbox_call_name(int call);

#endif
