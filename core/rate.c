#include "rate.h"

#include <arpa/inet.h>
#include <stdlib.h>

#define SETS 1024
#define WAYS 4

struct bucket {
    uint32_t client; /* 0: none */
    uint64_t at;     /* when the tokens were counted */
    uint64_t tokens; /* thousandths */
};

struct rate {
    unsigned per_second;
    uint32_t seed;
    struct bucket sets[SETS][WAYS];
};

struct rate *rate_alloc(unsigned per_second)
{
    struct rate *rate = calloc(1, sizeof *rate);
    if (!rate)
        return NULL;
    rate->per_second = per_second;
    arc4random_buf(&rate->seed, sizeof rate->seed);
    return rate;
}

void rate_free(struct rate *rate)
{
    free(rate);
}

static uint64_t full(const struct rate *rate)
{
    return (uint64_t)rate->per_second * RATE_BURST_SECONDS * 1000;
}

/* The client's bucket; one that was not used for the longest time is made its own. */
static struct bucket *find(struct rate *rate, uint32_t client, uint64_t now)
{
    uint32_t hash = (client ^ rate->seed) * 2654435761U;
    struct bucket *set = rate->sets[hash >> 22], *oldest = set;
    for (size_t i = 0; i < WAYS; i++) {
        if (set[i].client == client)
            return &set[i];
        if (set[i].at < oldest->at)
            oldest = &set[i];
    }
    *oldest = (struct bucket){client, now, full(rate)};
    return oldest;
}

bool rate_allow(struct rate *rate, struct in_addr client, uint64_t now)
{
    if (!rate || ntohl(client.s_addr) >> 24 == IN_LOOPBACKNET)
        return true;
    struct bucket *bucket = find(rate, client.s_addr, now);
    uint64_t missing = full(rate) - bucket->tokens;
    uint64_t passed = now > bucket->at ? now - bucket->at : 0;
    uint64_t gained = passed >= RATE_BURST_SECONDS * 1000 ? missing : passed * rate->per_second;
    bucket->tokens += gained < missing ? gained : missing;
    bucket->at = now;
    if (bucket->tokens < 1000)
        return false;
    bucket->tokens -= 1000;
    return true;
}
