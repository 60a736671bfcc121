#include "redis_reply.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ERROR_WORDS                                                                                \
    {"NOSTORE ", -ENODATA}, {"OOM command", -EOVERFLOW}, {"READONLY ", -EROFS},                    \
        {"LOADING ", -EBUSY}, {"BUSY ", -EBUSY}, {"MASTERDOWN ", -EBUSY},                          \
        {"NOAUTH ", -EKEYREJECTED}, {"WRONGPASS ", -EKEYREJECTED}, {"NOPERM", -EKEYREJECTED},      \
        {"AUTH <password> called without", -EKEYREJECTED}, {"sent AUTH, but", -EKEYREJECTED},      \
        {"invalid password", -EKEYREJECTED}, {"can't run this command", -EKEYREJECTED},            \
        {"WRONGTYPE ", -EILSEQ},                                                                   \
    {                                                                                              \
        "MISCONF ", -EIO                                                                           \
    }

/* Errors of commands that a script calls come with words around them. */
int64_t redis_reply_error(const char *text)
{
    static const struct {
        const char *word;
        int64_t error;
    } words[] = {ERROR_WORDS};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strstr(text, words[i].word))
            return words[i].error;
    }
    return -EREMOTEIO;
}

const char *redis_reply_auth(const char *text)
{
    static const struct {
        const char *word, *says;
    } words[] = {
        {"WRONGPASS ", "WRONGPASS: it does not know this user with this password"},
        {"invalid password", "WRONGPASS: it does not know this password"},
        {"NOAUTH ", "NOAUTH: it wants another login"},
        {"NOPERM ", "NOPERM: it lets nobody log in"},
        {"without any password configured", "it has no password, and is given one"},
        {"no password is set", "it has no password, and is given one"},
        {"wrong number of arguments", "it knows no users: it wants a password alone"},
        {"unknown command", "it has no AUTH"},
        {"LOADING ", "LOADING: it still reads its data"},
    };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strstr(text, words[i].word))
            return words[i].says;
    }
    return "it refuses the login (AUTH)";
}

static bool is_text(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_STRING;
}

static struct bytes bytes_of(const redisReply *reply)
{
    return (struct bytes){(const uint8_t *)reply->str, reply->len};
}

static bool all_texts(const redisReply *reply)
{
    if (reply->type != REDIS_REPLY_ARRAY)
        return false;
    for (size_t i = 0; i < reply->elements; i++) {
        if (!is_text(reply->element[i]))
            return false;
    }
    return true;
}

/* Digits alone, below 2^53 like all that scripts make. */
static bool read_number(const redisReply *reply, int64_t *number)
{
    *number = 0;
    if (!is_text(reply) || reply->len < 1 || reply->len > 16)
        return false;
    for (size_t i = 0; i < (size_t)reply->len; i++) {
        if (reply->str[i] < '0' || reply->str[i] > '9')
            return false;
        *number = *number * 10 + (reply->str[i] - '0');
    }
    return *number < (int64_t)1 << 53;
}

static bool read_got(const struct store_request *request, const redisReply *reply,
                     struct store_answer *answer, struct store_entry *entry)
{
    if (!all_texts(reply) || (reply->elements != 0 && reply->elements != 2))
        return false;
    answer->result = reply->elements ? 0 : -ENOENT;
    answer->n = reply->elements ? 1 : 0;
    if (reply->elements == 0)
        return true;
    entry->key = request->key;
    entry->text = bytes_of(reply->element[0]);
    return read_number(reply->element[1], &entry->version);
}

static bool read_listed(const redisReply *reply, struct store_answer *answer,
                        struct store_entry *entries)
{
    for (size_t i = 0; i < reply->elements / 4; i++) {
        redisReply **part = reply->element + 1 + i * 4;
        entries[i].key = bytes_of(part[0]);
        entries[i].text = bytes_of(part[1]);
        if (!read_number(part[2], &entries[i].version) || !read_number(part[3], &entries[i].ends))
            return false;
    }
    answer->n = reply->elements / 4;
    answer->last = bytes_of(reply->element[0]);
    return true;
}

static bool read_written(const redisReply *reply, struct store_answer *answer)
{
    if (is_text(reply) && !strcmp(reply->str, "another")) {
        answer->result = -EAGAIN;
        return true;
    }
    return read_number(reply, &answer->result);
}

static bool read_any(const struct store_request *request, const redisReply *reply,
                     struct store_answer *answer, struct store_entry **entries)
{
    if (reply->type == REDIS_REPLY_ERROR) {
        answer->result = redis_reply_error(reply->str);
        return true;
    }
    if (request->verb == STORE_WRITE)
        return read_written(reply, answer);
    if (request->verb == STORE_LIST && (!all_texts(reply) || reply->elements % 4 != 1))
        return false;
    *entries = calloc(request->verb == STORE_LIST ? reply->elements / 4 + 1 : 1, sizeof **entries);
    if (!*entries)
        return false;
    answer->entries = *entries;
    return request->verb == STORE_LIST ? read_listed(reply, answer, *entries)
                                       : read_got(request, reply, answer, *entries);
}

bool redis_reply_read(const struct store_request *request, const redisReply *reply,
                      struct store_answer *answer, struct store_entry **entries)
{
    *entries = NULL;
    *answer = (struct store_answer){.result = 0};
    if (read_any(request, reply, answer, entries))
        return true;
    *answer = (struct store_answer){.result = -EPROTO};
    return false;
}

bool redis_reply_opened(const redisReply *reply, const char **id, int64_t *version)
{
    if (!all_texts(reply) || reply->elements != 2 || !read_number(reply->element[1], version))
        return false;
    *id = reply->element[0]->str;
    return true;
}
