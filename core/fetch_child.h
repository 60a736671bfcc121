/* The process that fetches a policy's bundle: unprivileged, confined as workers are, gone when it
 * has said what came of it. The bundle is not looked at here. */
#ifndef MOONBOOT_FETCH_CHILD_H
#define MOONBOOT_FETCH_CHILD_H

#include <stdint.h>

#include "config.h"
#include "fetch_cache.h"

#define FETCH_PROBLEM_MAX 512
#define FETCH_HASH_LEN    32

enum fetch_result { FETCH_FAILED, FETCH_SAME, FETCH_NEW };

/* Written at once, to a pipe. */
struct fetch_report {
    enum fetch_result result;
    char etag[FETCH_CACHE_ETAG_MAX];
    char problem[FETCH_PROBLEM_MAX]; /* with FETCH_FAILED */
    uint8_t hash[FETCH_HASH_LEN];    /* of bundle and signature, to know them again by */
};

struct fetch_order {
    const struct config *config; /* its `policy` is the URL */
    const char *etag;            /* of what we have; "": nothing, or it has none */
    int bundle, signature;       /* files to be written */
    int report;
};

_Noreturn void fetch_child_run(const struct fetch_order *order);

#endif
