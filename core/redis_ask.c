#include "redis_ask.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int64_t redis_ask_check(const struct store_request *request)
{
    const struct store_change *change = &request->change;
    if (request->verb == STORE_GET && (request->key.len == 0 || request->key.len > STORE_KEY_MAX))
        return -ENOENT;
    if (request->verb == STORE_LIST &&
        (request->key.len > STORE_KEY_MAX || request->after.len > STORE_KEY_MAX))
        return -EMSGSIZE;
    if (request->verb == STORE_WRITE && (change->key.len == 0 || change->key.len > STORE_KEY_MAX ||
                                         change->text.len > STORE_TEXT_MAX))
        return -EMSGSIZE;
    return 0;
}

static void copy(struct bytes *bytes, uint8_t **to)
{
    if (bytes->len)
        memcpy(*to, bytes->data, bytes->len);
    bytes->data = *to;
    *to += bytes->len;
}

struct redis_ask *redis_ask_make(const struct store_request *request, enum redis_ask_errand errand,
                                 int64_t deadline)
{
    static const struct store_request empty;
    if (!request)
        request = &empty;
    struct redis_ask *own = calloc(1, sizeof *own + request->key.len + request->after.len +
                                          request->change.key.len + request->change.text.len);
    if (!own)
        return NULL;
    uint8_t *to = (uint8_t *)(own + 1);
    own->request = *request;
    copy(&own->request.key, &to);
    copy(&own->request.after, &to);
    copy(&own->request.change.key, &to);
    copy(&own->request.change.text, &to);
    own->errand = errand;
    own->orphan = errand != REDIS_ASKED;
    own->deadline = deadline;
    return own;
}

void redis_ask_free(struct redis_ask *own)
{
    if (own->reply)
        freeReplyObject(own->reply);
    free(own->entries);
    free(own);
}

bool redis_ask_writes(const struct redis_asks *list)
{
    const struct redis_ask *own;
    STAILQ_FOREACH(own, list, link)
    {
        if (own->errand == REDIS_ASKED && own->request.verb == STORE_WRITE && !own->late)
            return true;
    }
    return false;
}
