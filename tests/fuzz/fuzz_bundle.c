/* libFuzzer entry for bundles: what is read is what would be written of it, byte for byte, and no
 * path finds what is not there. */
#include <stdlib.h>
#include <string.h>

#include "bundle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void require(int condition)
{
    if (!condition)
        abort();
}

static void require_name(const char *name, bool directory, void *arg)
{
    (void)directory;
    (void)arg;
    require(*name && !strchr(name, '/'));
}

static void measure(const char *name, bool directory, void *arg)
{
    *(size_t *)arg += strlen(name) + directory;
}

static void check(const uint8_t *data, size_t len)
{
    struct bundle bundle;
    struct bundle_file file, found;
    struct bundle_writer again = {0};
    if (bundle_read(data, len, &bundle))
        return;
    require(!bundle_begin(&again, bundle.version, bundle.policy));
    for (size_t at = bundle.first; bundle_next(&bundle, &at, &file);) {
        require(!bundle_add(&again, file.name, file.data, file.len));
        require(bundle_find(&bundle, file.name, &found) == 0);
        require(found.data == file.data);
    }
    require(!bundle_end(&again));
    require(again.len == len && memcmp(again.data, data, len) == 0);
    free(again.data);
    bundle_list(&bundle, "", require_name, NULL);
}

/* A good bundle with the fuzzer's bytes laid over it; the first two say where. */
static void damage(const uint8_t *data, size_t len)
{
    struct bundle_writer writer = {0};
    if (len < 2)
        return;
    require(!bundle_begin(&writer, 1, "policy.lua"));
    require(!bundle_add(&writer, "lib/m.lua", "return {}", 9));
    require(!bundle_add(&writer, "policy.lua", "", 0));
    require(!bundle_end(&writer));
    size_t at = (size_t)(data[0] << 8 | data[1]) % writer.len, n = len - 2;
    memcpy(writer.data + at, data + 2, n < writer.len - at ? n : writer.len - at);
    check(writer.data, writer.len);
    free(writer.data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct bundle bundle;
    struct bundle_file file;
    size_t total = 0;
    char path[BUNDLE_NAME_MAX + 2];
    size_t n = len < sizeof path - 1 ? len : sizeof path - 1;
    check(data, len);
    damage(data, len);
    if (!bundle_head(data, len, &bundle)) /* safe, too, where nothing has been checked */
        bundle_list(&bundle, ".", measure, &total);
    memcpy(path, data, n);
    path[n] = '\0';
    static const struct bundle empty = {.data = (const uint8_t *)"", .len = 0};
    bundle_find(&empty, path, &file);
    return 0;
}
