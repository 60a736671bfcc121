/* The kinds of wait: each is a file, and a struct that begins with struct wait. */
#ifndef MOONBOOT_WAIT_KIND_H
#define MOONBOOT_WAIT_KIND_H

#include <stdbool.h>

#include "wait.h"

struct wait {
    const struct wait_kind *kind;
    wait_done *done; /* set once `start` has returned */
    void *arg;
};

struct wait_kind {
    const char *name;
    /* What the table at that index of L wants, NULL for want of memory. Throws, before it takes
     * anything, when it makes no sense. Never done before it returns. */
    struct wait *(*start)(const struct wait_service *service, lua_State *L, int table);
    int (*answer)(const struct wait *wait, lua_State *L);
    void (*end)(struct wait *wait);
    /* Whether it has an answer of some kind after all, when its time is over; NULL: never. */
    bool (*late)(struct wait *wait);
};

extern const struct wait_kind wait_kind_all;
extern const struct wait_kind wait_kind_dns;
extern const struct wait_kind wait_kind_http;
extern const struct wait_kind wait_kind_sleep;
extern const struct wait_kind wait_kind_state;

#endif
