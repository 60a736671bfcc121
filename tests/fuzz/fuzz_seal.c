/* libFuzzer entry for sealed values and the files of their keys: no text opens but what was sealed
 * for the key, and what is malformed is said to be. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "seal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void require(int condition)
{
    if (!condition)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static struct seal_keys *keys;
    static struct seal_public public;
    const char *text = (const char *)data, *name;
    size_t name_len;
    struct secret value;
    if (!keys) {
        struct seal_pair pair;
        require(seal_pair_make(&pair) && (keys = seal_keys_alloc()));
        require(!seal_keys_add(keys, pair.secret, strlen(pair.secret)));
        require(!seal_public_read(pair.public, strlen(pair.public), &public));
        seal_pair_clear(&pair);
    }
    struct seal_public other;
    (void)!seal_public_read(text, len, &other);
    struct seal_keys *more = seal_keys_alloc();
    (void)!seal_keys_add(more, text, len);
    seal_keys_free(more);
    const char *malformed = seal_problem(text, len, &name, &name_len);
    require(seal_open(keys, text, len, &value) != NULL && !value.data);
    require(malformed || name_len <= SEAL_NAME_MAX);
    if (len < SEAL_VALUE_MIN || len > SEAL_VALUE_MAX)
        return 0;
    char *line = seal_make(&public, "name", data, len);
    require(line && !seal_open(keys, line, strlen(line), &value));
    require(value.len == len && !memcmp(value.data, data, len));
    secret_clear(&value);
    free(line);
    return 0;
}
