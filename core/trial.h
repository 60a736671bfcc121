/* A policy is tried before it serves, in a process of its own: whatever it does there is gone
 * afterwards. */
#ifndef MOONBOOT_TRIAL_H
#define MOONBOOT_TRIAL_H

#include <stdbool.h>

#include "policy.h"

/* Decides for machines that there are not; `warn` is given each thing that goes wrong. False when
 * the trial itself came to a bad end, which has then been given to `warn` too. */
bool trial_run(struct policy *policy, void (*warn)(const char *warning, void *arg), void *arg);

#endif
