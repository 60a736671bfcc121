#include "index_table.h"

#include <stdlib.h>

struct index_slot *index_table_slot(const struct index_table *table, uint64_t hash)
{
    size_t at = hash & (table->size - 1);
    while (table->slots[at].hash && table->slots[at].hash != hash)
        at = (at + 1) & (table->size - 1);
    return &table->slots[at];
}

bool index_table_double(struct index_table *table)
{
    struct index_table larger = {.n = table->n, .size = table->size ? table->size * 2 : 64};
    larger.slots = calloc(larger.size, sizeof *larger.slots);
    if (!larger.slots)
        return false;
    for (size_t i = 0; i < table->size; i++) {
        if (table->slots[i].hash)
            *index_table_slot(&larger, table->slots[i].hash) = table->slots[i];
    }
    free(table->slots);
    *table = larger;
    return true;
}

struct index_slot *index_table_add(struct index_table *table, uint64_t hash)
{
    if (table->n * 2 >= table->size && !index_table_double(table))
        return NULL;
    struct index_slot *slot = index_table_slot(table, hash);
    if (!slot->hash) {
        slot->hash = hash;
        table->n++;
    }
    return slot;
}
