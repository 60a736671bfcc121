/* The version of the signed policy that ran last, kept in a directory of the supervisor's own, so
 * that none that is older is ever taken again. */
#ifndef MOONBOOT_RATCHET_H
#define MOONBOOT_RATCHET_H

#include <stdbool.h>
#include <stdint.h>

#define RATCHET_HASH_LEN 32

struct ratchet {
    uint64_t version;
    uint8_t hash[RATCHET_HASH_LEN]; /* BLAKE2b of the bundle that had it */
};

/* Makes the directory if it is missing, 0700. 0, or a negative errno: -EPERM when somebody else
 * owns it, or may write there, or when others than root could put another in its place. */
int ratchet_prepare(const char *directory);

/* What is kept there: 0, -ENOENT when there is nothing yet, -EBADMSG when it is no such file, or
 * another negative errno. */
int ratchet_read(const char *directory, struct ratchet *ratchet);

/* Replaces it, in one step that a crash leaves done or undone. 0 or a negative errno. */
int ratchet_write(const char *directory, const struct ratchet *ratchet);

/* The name of the file, for messages. */
#define RATCHET_FILE "version"

#endif
