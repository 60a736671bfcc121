/* The nursery: an unprivileged process that loads a generation's policy once and then
 * forks workers on request, so that they share what was loaded, and a worker that died
 * is replaced without reading a file that may have changed since. */
#ifndef MOONBOOT_NURSERY_H
#define MOONBOOT_NURSERY_H

#include "generation.h"

/* Never returns: exits with 0 when `commands` (a channel) is closed, 1 when the policy is bad. */
_Noreturn void nursery_run(struct generation *generation, int commands);

#endif
