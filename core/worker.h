/* A worker: the event loop that serves one slot's sockets by a loaded policy. */
#ifndef MOONBOOT_WORKER_H
#define MOONBOOT_WORKER_H

#include "generation.h"
#include "policy.h"

/* Never returns. Serves from SIGUSR2 on, drains on SIGTERM, exits with 0. `channel` is what its
 * supervisor tells it by (channel.h). */
_Noreturn void worker_run(const struct generation *generation, struct policy *policy, unsigned slot,
                          int channel);

#endif
