#include "tally.h"

#include <stdint.h>
#include <stdlib.h>

/* Open addressing, linear: an entry stands at its home or behind it, with no hole between. */
struct entry {
    uint32_t client;
    unsigned n; /* 0: the entry is free */
};

struct tally {
    uint32_t mask; /* entries, a power of two, less one: at most half of them are used */
    uint32_t seed;
    struct entry entries[];
};

struct tally *tally_alloc(unsigned max)
{
    uint32_t n = 16;
    while (n / 2 < max && n < UINT32_C(1) << 31)
        n *= 2;
    struct tally *tally = calloc(1, sizeof *tally + n * sizeof(struct entry));
    if (!tally)
        return NULL;
    tally->mask = n - 1;
    arc4random_buf(&tally->seed, sizeof tally->seed);
    return tally;
}

void tally_free(struct tally *tally)
{
    free(tally);
}

static uint32_t home_of(const struct tally *tally, uint32_t client)
{
    uint64_t mixed = (uint64_t)(client ^ tally->seed) * UINT64_C(11400714819323198485);
    return (uint32_t)(mixed >> 32) & tally->mask;
}

/* Its entry, or the free one that is to become it. */
static uint32_t find(const struct tally *tally, uint32_t client)
{
    uint32_t at = home_of(tally, client);
    while (tally->entries[at].n > 0 && tally->entries[at].client != client)
        at = (at + 1) & tally->mask;
    return at;
}

unsigned tally_of(const struct tally *tally, struct in_addr client)
{
    return tally->entries[find(tally, client.s_addr)].n;
}

void tally_take(struct tally *tally, struct in_addr client)
{
    struct entry *entry = &tally->entries[find(tally, client.s_addr)];
    entry->client = client.s_addr;
    entry->n++;
}

/* Those behind a hole whose home is not behind it move up. */
static void close_hole(struct tally *tally, uint32_t hole)
{
    for (uint32_t at = (hole + 1) & tally->mask; tally->entries[at].n > 0;
         at = (at + 1) & tally->mask) {
        uint32_t home = home_of(tally, tally->entries[at].client);
        if (((at - home) & tally->mask) < ((at - hole) & tally->mask))
            continue;
        tally->entries[hole] = tally->entries[at];
        tally->entries[at].n = 0;
        hole = at;
    }
}

void tally_give(struct tally *tally, struct in_addr client)
{
    uint32_t at = find(tally, client.s_addr);
    if (tally->entries[at].n > 0 && --tally->entries[at].n == 0)
        close_hole(tally, at);
}
