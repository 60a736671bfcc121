/* What the replies to redis_script mean, whatever they are. */
#ifndef MOONBOOT_REDIS_REPLY_H
#define MOONBOOT_REDIS_REPLY_H

#include <hiredis/hiredis.h>
#include <stdbool.h>

#include "store.h"

/* The answer to this request. It views the reply and the request, and `*entries`, which is to be
 * freed in any case. False: the reply makes no sense, and the answer says so. */
bool redis_reply_read(const struct store_request *request, const redisReply *reply,
                      struct store_answer *answer, struct store_entry **entries);

/* The reply to `open`: its id ("": there is none) and last version. False: it makes no sense. */
bool redis_reply_opened(const redisReply *reply, const char **id, int64_t *version);

/* What an error that Redis replied means: a negative errno. */
int64_t redis_reply_error(const char *text);

/* What an error means that is the reply to AUTH, in words for the log: what Redis says may have the
 * password in it, and is in none of them. */
const char *redis_reply_auth(const char *text);

#endif
