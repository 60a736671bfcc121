/* The policy: Lua that decides, behind a C face. Nothing of Lua shows through. */
#ifndef MOONBOOT_POLICY_H
#define MOONBOOT_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#include "problems.h"
#include "reply.h"
#include "request.h"

struct metrics;
struct policy;

struct policy_options {
    const char *path;     /* policy.lua, relative to `dir` */
    int dir;              /* an open directory: everything a policy reads is beneath it */
    const char *base_url; /* NULL: "http://<the address asked>:<http_port>" */
    uint16_t http_port;
    unsigned decision_ms; /* of CPU time */
    unsigned memory_mb;
    struct metrics *metrics;
};

/* Loads a policy and everything it names. NULL after adding to `problems` all that
 * is wrong with it. */
struct policy *policy_load(const struct policy_options *options, struct problems *problems);
void policy_free(struct policy *policy);

/* Starts the clock that ends runaway decisions. Once in each process that decides:
 * timers do not survive fork. */
bool policy_start(struct policy *policy);

/* Counts from here on into these (a worker's own slot). */
void policy_metrics(struct policy *policy, struct metrics *metrics);

/* Takes the reply, which it then owns (and frees by reply_free). Never NULL. */
typedef void policy_done(struct reply *reply, void *arg);

/* Decides, logs the decision and calls `done` exactly once; that may happen before
 * policy_decide returns. A policy that fails in any way yields its on_error answer,
 * REPLY_ERROR or, for DHCP, REPLY_SILENCE. */
void policy_decide(struct policy *policy, const struct request *request, policy_done *done,
                   void *arg);

#endif
