/* The hash table of an index (index.h): rules under keys, which are hashes alone. */
#ifndef MOONBOOT_INDEX_TABLE_H
#define MOONBOOT_INDEX_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The rules under one key, `n` from `first` on of an array of the index. */
struct index_slot {
    uint64_t hash; /* 0: empty */
    uint32_t first, n;
};

/* All 0 at first; its owner frees `slots`. */
struct index_table {
    struct index_slot *slots;
    size_t n, size; /* a power of two, at least twice `n` */
};

/* The slot of a key, empty when there is none. The table has slots. */
struct index_slot *index_table_slot(const struct index_table *table, uint64_t hash);

/* Makes room for more; false when memory is out. */
bool index_table_double(struct index_table *table);

/* The slot of a key, made when there is none; NULL when memory is out. */
struct index_slot *index_table_add(struct index_table *table, uint64_t hash);

#endif
