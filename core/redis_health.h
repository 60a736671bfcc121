/* How Redis takes what is asked of it: what it refuses, until it takes the same again. */
#ifndef MOONBOOT_REDIS_HEALTH_H
#define MOONBOOT_REDIS_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

#include "store.h"

enum redis_errand { REDIS_READS, REDIS_WRITES, REDIS_DELETES, REDIS_ERRANDS };

struct redis_health {
    int64_t refused[REDIS_ERRANDS]; /* why the last of each kind was; 0: it was not */
    int64_t told;                   /* the last refusal that was to be logged */
};

/* What a request came to, refused by Redis itself or not. True: it is a refusal for the log,
 * another than the last. */
bool redis_health_note(struct redis_health *health, const struct store_request *request,
                       int64_t result, bool refused);

/* It has answered a PING, which one that is busy does not. */
void redis_health_alive(struct redis_health *health);

/* 0: nothing is refused; else a negative errno that says why. */
int64_t redis_health_trouble(const struct redis_health *health);

#endif
