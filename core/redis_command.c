#include "redis_command.h"

#include <openssl/evp.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "redis_script.h"

static void add(struct redis_command *command, struct bytes text)
{
    command->argv[command->argc] = text.len ? (const char *)text.data : "";
    command->lengths[command->argc++] = text.len;
}

static void add_text(struct redis_command *command, const char *text)
{
    add(command, (struct bytes){(const uint8_t *)text, strlen(text)});
}

bool redis_command_names(struct redis_names *names, const char *prefix)
{
    static const char *const keys[REDIS_COMMAND_KEYS] = {"store", "entries", "keys", "ends"};
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    for (size_t i = 0; i < REDIS_COMMAND_KEYS; i++)
        snprintf(names->keys[i], sizeof names->keys[i], "%.*s%s", REDIS_COMMAND_PREFIX_MAX, prefix,
                 keys[i]);
    if (EVP_Digest(redis_script, strlen(redis_script), digest, &len, EVP_sha1(), NULL) != 1)
        return false;
    sodium_bin2hex(names->script, sizeof names->script, digest, len);
    return true;
}

void redis_command_ping(struct redis_command *command)
{
    command->argc = 0;
    add_text(command, "PING");
}

void redis_command_script(struct redis_command *command, bool whole,
                          const struct redis_names *names)
{
    command->argc = 0;
    add_text(command, whole ? "EVAL" : "EVALSHA");
    add_text(command, whole ? redis_script : names->script);
    add_text(command, "4");
    for (size_t i = 0; i < REDIS_COMMAND_KEYS; i++)
        add_text(command, names->keys[i]);
}

void redis_command_open(struct redis_command *command, const char *id, bool makes)
{
    add_text(command, "open");
    add_text(command, id);
    add_text(command, makes ? "1" : "0");
}

static void add_number(struct redis_command *command, size_t which, int64_t number)
{
    snprintf(command->numbers[which], sizeof command->numbers[which], "%lld", (long long)number);
    add_text(command, command->numbers[which]);
}

void redis_command_request(struct redis_command *command, const char *id,
                           const struct store_request *request)
{
    static const char *const verbs[] = {
        [STORE_GET] = "get", [STORE_LIST] = "list", [STORE_WRITE] = "write"};
    add_text(command, verbs[request->verb]);
    add_text(command, id);
    if (request->verb != STORE_WRITE) {
        add(command, request->key);
        if (request->verb == STORE_LIST)
            add(command, request->after);
        return;
    }
    add(command, request->change.key);
    add_number(command, 0, request->change.version);
    add_number(command, 1, request->change.ttl_ms);
    if (!request->change.deletes)
        add(command, request->change.text);
}
