#include "redis_health.h"

#include <errno.h>

static enum redis_errand errand_of(const struct store_request *request)
{
    if (request->verb != STORE_WRITE)
        return REDIS_READS;
    return request->change.deletes ? REDIS_DELETES : REDIS_WRITES;
}

/* It is busy for all, or for none. */
void redis_health_alive(struct redis_health *health)
{
    for (size_t i = 0; i < REDIS_ERRANDS; i++) {
        if (health->refused[i] == -EBUSY)
            health->refused[i] = 0;
    }
}

/* Where keys are set they are deleted too, but not the other way: a full Redis deletes. */
static void mend(struct redis_health *health, enum redis_errand errand)
{
    health->refused[errand] = 0;
    if (errand == REDIS_WRITES)
        health->refused[REDIS_DELETES] = 0;
    redis_health_alive(health);
}

bool redis_health_note(struct redis_health *health, const struct store_request *request,
                       int64_t result, bool refused)
{
    enum redis_errand errand = errand_of(request);
    if (!refused) {
        if (result >= 0 || (errand == REDIS_READS && result == -ENOENT))
            mend(health, errand);
        return false;
    }
    bool news = result != health->told;
    health->refused[errand] = health->told = result;
    return news;
}

int64_t redis_health_trouble(const struct redis_health *health)
{
    for (size_t i = 0; i < REDIS_ERRANDS; i++) {
        if (health->refused[i])
            return health->refused[i];
    }
    return 0;
}
