/* What is sent to Redis: the words of a command, which view what they are made of. */
#ifndef MOONBOOT_REDIS_COMMAND_H
#define MOONBOOT_REDIS_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

#include "store.h"

#define REDIS_COMMAND_KEYS       4
#define REDIS_COMMAND_PREFIX_MAX 200
#define REDIS_COMMAND_ARGS       16

/* What redis_script is known by to Redis, its SHA-1, and its keys. */
struct redis_names {
    char script[41];
    char keys[REDIS_COMMAND_KEYS][REDIS_COMMAND_PREFIX_MAX + 16];
};

struct redis_command {
    int argc;
    const char *argv[REDIS_COMMAND_ARGS];
    size_t lengths[REDIS_COMMAND_ARGS];
    char numbers[2][24];
};

/* False when OpenSSL has no SHA-1. */
bool redis_command_names(struct redis_names *names, const char *prefix);

void redis_command_ping(struct redis_command *command);

/* Begins a run of the script, `whole` or by its name; one of the others goes on with it. */
void redis_command_script(struct redis_command *command, bool whole,
                          const struct redis_names *names);
void redis_command_open(struct redis_command *command, const char *id, bool makes);
void redis_command_request(struct redis_command *command, const char *id,
                           const struct store_request *request);

#endif
