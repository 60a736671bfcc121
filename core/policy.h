/* The policy: Lua that decides, behind a C face. Nothing of Lua shows through. */
#ifndef MOONBOOT_POLICY_H
#define MOONBOOT_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "problems.h"
#include "reply.h"
#include "request.h"

struct event_base;
struct metrics;
struct policy;
struct seal_keys;
struct store;
struct token_rules;

struct policy_options {
    int dir;              /* an open directory: everything a policy reads is beneath it */
    const char *file;     /* the policy's name in it */
    const char *display;  /* what messages call the file */
    const char *base_url; /* NULL: "http://<the address asked>:<http_port>" */
    uint16_t http_port;
    uint16_t https_port;  /* of URLs that are told over TLS to who names no host */
    bool only_tls;        /* of all URLs */
    unsigned decision_ms; /* of CPU time */
    unsigned wait_ms;     /* that a decision may be suspended; DHCP's has POLICY_DHCP_WAIT_MS */
    unsigned waiting;     /* decisions that may be suspended at once; 0: as many as there are */
    unsigned memory_mb;
    const struct token_rules *tokens; /* NULL: URLs carry none. Outlives the policy */
    const struct seal_keys *seals;    /* NULL: what is sealed stays shut. Outlives the policy */
    bool state;           /* there will be a store: a policy that wants one is not refused */
    bool stages;          /* the stages of boots are recorded in it */
    bool unsigned_assets; /* there are no CMS signatures: a policy that wants some is refused */
    bool static_tftp;     /* TFTP gives plain files: a policy that needs more of it is refused */
    struct metrics *metrics;
    uint64_t generation; /* its number, for the decision log */
};

/* Loads a policy and everything it names. NULL after adding to `problems` all that
 * is wrong with it. */
struct policy *policy_load(const struct policy_options *options, struct problems *problems);
void policy_free(struct policy *policy);

/* A short name for what was loaded: BLAKE2b over all files read, in hexadecimal. */
#define POLICY_HASH_BYTES 16
#define POLICY_HASH_TEXT  (2 * POLICY_HASH_BYTES + 1)
const char *policy_hash(const struct policy *policy);

/* The files that were read, as messages call them: n names. */
const char *const *policy_files(const struct policy *policy, size_t *n);

/* Decides for machines that there are not; `report` is given each thing that goes wrong. The
 * policy, and this process, may be the worse for it afterwards. */
void policy_try(struct policy *policy, void (*report)(const char *warning, void *arg), void *arg);

/* Firmware takes the answers of the first second or so. */
#define POLICY_DHCP_WAIT_MS 400

/* From here on decisions are logged to what decision_log_open opened; it stays the caller's.
 * -1, as at first: nowhere. Returns where they were logged before. */
int policy_log_to(struct policy *policy, int fd);

/* Makes this process one that decides: starts the clock that ends runaway decisions
 * (timers do not survive fork), and counts into `metrics` from here on. What a decision waits
 * for is served by `base`; NULL: it is refused. `store` (NULL: none) is kept until policy_free. */
bool policy_start(struct policy *policy, struct metrics *metrics, struct event_base *base,
                  struct store *store);

/* Before policy_start: what policies ask of other servers, and keep, is asked by one worker for all
 * (core/http_share.h has these descriptors). */
void policy_share(struct policy *policy, const int *fds);

/* The bytes that its Lua takes; how many decisions wait. */
size_t policy_memory(const struct policy *policy);
unsigned policy_waiting(const struct policy *policy);

/* From here on this process's heartbeat is its successor's to give: it only ends what is
 * in flight. `idle` is called, from the event loop, when what it has seen of boots is written. */
void policy_retire(struct policy *policy, void (*idle)(void *arg), void *arg);

/* Nothing that it has seen of boots is still to be written. What policy_free finds is counted as
 * dropped. */
bool policy_idle(const struct policy *policy);

/* Takes the reply, which it then owns (and frees by reply_free). Never NULL. */
typedef void policy_done(struct reply *reply, void *arg);

/* Decides, logs the decision and calls `done` exactly once; that happens before policy_decide
 * returns, unless the policy waits for something: then it does so from the event loop, in
 * wait_ms at the latest. The request's views may die with this call. A policy that fails in any
 * way yields its on_error answer, REPLY_ERROR or, for DHCP, REPLY_SILENCE. One that would wait when
 * too many do is given up: REPLY_BUSY, or silence for DHCP and TFTP, whose clients ask again. */
void policy_decide(struct policy *policy, const struct request *request, policy_done *done,
                   void *arg);

/* Nobody wants the answer that was to go to `arg` any more. True: it waited, is given up, and
 * `done` will not be called. False: there is no such decision that waits. */
bool policy_cancel(struct policy *policy, const void *arg);

#endif
