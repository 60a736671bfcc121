/* Any bytes as an inventory: the first says which format. What loads is found again, and all of
 * its arguments and vars can be taken. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "inventory.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void take_value(struct inventory_host *host, const struct inventory_value *value)
{
    struct inventory_value item;
    if (value->kind != INVENTORY_LIST && value->kind != INVENTORY_MAPPING)
        return;
    for (inventory_take_value(host, &item); item.kind != INVENTORY_END;
         inventory_take_value(host, &item))
        take_value(host, &item);
}

static void look(const struct inventory *inventory, const char *key)
{
    struct inventory_host host;
    struct inventory_value value;
    const char *text;
    size_t len;
    bool sealed;
    if (!inventory_find(inventory, key, strlen(key), &host))
        return;
    while (inventory_take_arg(&host, &text, &len, &sealed))
        assert(text && len < SIZE_MAX);
    while (inventory_take_var(inventory, &host, &value))
        take_value(&host, &value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"a.yaml", "a.json", "a.csv"};
    static const struct inventory_field fields[] = {{"mac", INVENTORY_MAC},
                                                    {"serial", INVENTORY_TEXT}};
    if (size < 2)
        return 0;
    struct inventory_options options = {.display = names[data[0] % 3],
                                        .key = data[0] & 0x80 ? "serial" : NULL,
                                        .fields = fields,
                                        .n_fields = 2};
    struct problems problems = {0};
    char *text = malloc(size - 1);
    memcpy(text, data + 1, size - 1);
    struct inventory *inventory = inventory_load(text, size - 1, &options, &problems);
    assert(!inventory == (problems.n > 0));
    free(text);
    if (inventory) {
        look(inventory, "52:54:00:00:00:01");
        look(inventory, "A");
    }
    inventory_free(inventory);
    problems_clear(&problems);
    return 0;
}
