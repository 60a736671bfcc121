/* How often a client may ask: a bucket of tokens for each address, in a table that does not grow.
 * Who is pushed out of it starts with a full bucket. */
#ifndef MOONBOOT_RATE_H
#define MOONBOOT_RATE_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#define RATE_BURST_SECONDS 2 /* of unused rate are kept for a client */

struct rate;

/* `per_second` requests; NULL when memory is out. */
struct rate *rate_alloc(unsigned per_second);
void rate_free(struct rate *rate);

/* Takes a token; false when the client has none left. `now`: milliseconds of a clock that does
 * not go back. This host itself is never refused, and nobody when `rate` is NULL. */
bool rate_allow(struct rate *rate, struct in_addr client, uint64_t now);

#endif
