#include "reply.h"

#include <stdlib.h>
#include <string.h>

static struct reply silence = {.kind = REPLY_SILENCE};

struct reply *reply_silence(void)
{
    return &silence;
}

struct reply *reply_alloc(enum reply_kind kind)
{
    struct reply *reply = calloc(1, sizeof *reply);
    if (reply)
        reply->kind = kind;
    return reply;
}

struct reply *reply_error(enum reply_reason reason, const char *message)
{
    struct reply *reply = reply_alloc(REPLY_ERROR);
    if (!reply)
        return NULL;
    reply->error.reason = reason;
    reply->error.message = strdup(message);
    if (!reply->error.message) {
        free(reply);
        return NULL;
    }
    return reply;
}

void reply_free(struct reply *reply)
{
    if (!reply || reply == &silence)
        return;
    switch (reply->kind) {
    case REPLY_SILENCE:
        break;
    case REPLY_DHCP:
        free(reply->dhcp.file);
        free(reply->dhcp.vendor_class);
        for (size_t i = 0; i < reply->dhcp.n_options; i++)
            free(reply->dhcp.options[i].data);
        free(reply->dhcp.options);
        break;
    case REPLY_FILE:
        free(reply->file.path);
        free(reply->file.content_type);
        reply_free(reply->file.otherwise);
        break;
    case REPLY_BODY:
        free(reply->body.content_type);
        free(reply->body.machine);
        free(reply->body.data);
        break;
    case REPLY_ERROR:
        free(reply->error.message);
        break;
    }
    free(reply);
}

struct reply *reply_otherwise(struct reply *reply)
{
    struct reply *otherwise = reply->file.otherwise;
    if (otherwise) {
        reply->file.otherwise = NULL;
        reply_free(reply);
    }
    return otherwise;
}
