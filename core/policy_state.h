/* A loaded policy, for policy_load.c, which makes it, and policy.c, which decides by it. */
#ifndef MOONBOOT_POLICY_STATE_H
#define MOONBOOT_POLICY_STATE_H

#include <sys/queue.h>

#include "base_url.h"
#include "course.h"
#include "decision_log.h"
#include "mask.h"
#include "policy.h"
#include "vm.h"

LIST_HEAD(decision_list, decision);

struct policy {
    struct vm *vm;
    struct course_owner courses; /* its metrics are the policy's */
    char *fixed_url;             /* NULL: base_url says */
    struct base_url base_url;
    unsigned wait_ms;
    int decide; /* registry references: waits.decider's function, and the loaded policy */
    int loaded;
    const int *share; /* NULL: this process asks for itself (http_share.h) */
    int field_names;  /* of machines, in order */
    char hash[POLICY_HASH_TEXT];
    struct problems files; /* names, one a line */
    struct decision_list idle;
    struct mask mask;
    struct decision_log log;
    struct {
        bool wanted;
        bool settling, woken; /* notes are being written; more have come meanwhile */
        bool hurried;         /* there is no time to let more gather */
        void (*idle)(void *); /* NULL: nobody wants to know that all are written */
        void *arg;
        struct event *timer; /* NULL: none are taken */
    } stages;                /* policy_stages.h */
    uint64_t complained;     /* of too many that wait; seconds of CLOCK_MONOTONIC, 0: never */
};

/* Lua: take(decision) -> the request; give(decision, reply, what was decided) */
int policy_take(lua_State *L);
int policy_give(lua_State *L);

#endif
