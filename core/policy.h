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
struct token_rules;

struct policy_options {
    int dir;              /* an open directory: everything a policy reads is beneath it */
    const char *file;     /* the policy's name in it */
    const char *display;  /* what messages call the file */
    const char *base_url; /* NULL: "http://<the address asked>:<http_port>" */
    uint16_t http_port;
    unsigned decision_ms; /* of CPU time */
    unsigned memory_mb;
    const struct token_rules *tokens; /* NULL: URLs carry none. Outlives the policy */
    struct metrics *metrics;
};

/* Loads a policy and everything it names. NULL after adding to `problems` all that
 * is wrong with it. */
struct policy *policy_load(const struct policy_options *options, struct problems *problems);
void policy_free(struct policy *policy);

/* A short name for what was loaded: BLAKE2b over all files read, in hexadecimal. */
#define POLICY_HASH_BYTES 16
#define POLICY_HASH_TEXT  (2 * POLICY_HASH_BYTES + 1)
const char *policy_hash(const struct policy *policy);

/* Makes this process one that decides: starts the clock that ends runaway decisions
 * (timers do not survive fork), and counts into `metrics` from here on. */
bool policy_start(struct policy *policy, struct metrics *metrics);

/* From here on this process's heartbeat is its successor's to give: it only ends what is
 * in flight. */
void policy_retire(struct policy *policy);

/* Takes the reply, which it then owns (and frees by reply_free). Never NULL. */
typedef void policy_done(struct reply *reply, void *arg);

/* Decides, logs the decision and calls `done` exactly once; that may happen before
 * policy_decide returns. A policy that fails in any way yields its on_error answer,
 * REPLY_ERROR or, for DHCP, REPLY_SILENCE. */
void policy_decide(struct policy *policy, const struct request *request, policy_done *done,
                   void *arg);

#endif
