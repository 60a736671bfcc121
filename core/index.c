#include "index.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "addr.h"
#include "index_table.h"

/* A key of a rule, as it was added. Of its text only the hash is kept: when two texts have the
 * same one, their rules are candidates for each other's machines, and nothing is lost. */
struct entry {
    uint64_t hash; /* of field, kind, length and text */
    uint32_t rule;
    uint16_t predicate, field;
    uint8_t kind;
    uint8_t length; /* of a prefix or suffix; a subnet's bits */
};

#define LENGTH_MAX UINT8_MAX

/* Rules that are looked up together: all of them, or those whose field is unknown. */
struct group {
    uint32_t *always; /* rules under no key */
    size_t n_always, room_always;
    struct probe *probes; /* what kinds of keys there are, by field */
    size_t n_probes, room_probes;
};

struct probe {
    uint16_t field;
    uint8_t kind, length;
};

struct index {
    unsigned *late; /* by field */
    size_t n_fields, room_fields;
    struct entry *entries; /* gone when frozen */
    size_t n_entries, room_entries;
    struct group *groups; /* 0: all rules */
    size_t n_groups, room_groups;
    uint16_t *waiting; /* by stage and field: the group for when the field is unknown, or 0 */
    struct index_table table;
    uint32_t *rules; /* what the slots share */
    size_t n_rules;
    struct index_list *lists;
    size_t n_lists, room_lists;
};

/* Room for one more of `size` bytes behind `n`: the array, moved perhaps, or NULL. */
static void *room_for(void *array, size_t n, size_t *room, size_t size)
{
    if (n < *room)
        return array;
    size_t more = *room ? *room * 2 : 16;
    void *moved = realloc(array, more * size);
    if (moved)
        *room = more;
    return moved;
}

static uint64_t mix(uint64_t hash)
{
    hash ^= hash >> 32;
    hash *= 0xd6e8feb86659fd93u;
    hash ^= hash >> 32;
    hash *= 0xd6e8feb86659fd93u;
    return hash ^ hash >> 32;
}

/* FNV-1a, mixed. */
static uint64_t hash_key(unsigned field, unsigned kind, size_t length, const void *data, size_t len)
{
    const unsigned char *bytes = data;
    uint64_t hash = 0xcbf29ce484222325u ^ ((uint64_t)field << 32 | kind << 16 | length);
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ bytes[i]) * 0x100000001b3u;
    return mix(hash);
}

/* The key as a group has it. Never 0, which is an empty slot. */
static uint64_t in_group(uint64_t hash, size_t group)
{
    hash = mix(hash + group);
    return hash ? hash : 1;
}

/* --- adding ----------------------------------------------------------------------------------- */

struct index *index_alloc(void)
{
    return calloc(1, sizeof(struct index));
}

void index_free(struct index *index)
{
    if (!index)
        return;
    for (size_t i = 0; i < index->n_groups; i++) {
        free(index->groups[i].always);
        free(index->groups[i].probes);
    }
    free(index->groups);
    free(index->late);
    free(index->entries);
    free(index->waiting);
    free(index->table.slots);
    free(index->rules);
    free(index->lists);
    free(index);
}

int index_field(struct index *index, unsigned late)
{
    if (index->n_fields == UINT16_MAX)
        return -ENOMEM;
    unsigned *fields =
        room_for(index->late, index->n_fields, &index->room_fields, sizeof *index->late);
    if (!fields)
        return -ENOMEM;
    index->late = fields;
    fields[index->n_fields] = late;
    return (int)index->n_fields++;
}

static unsigned mask_bits(uint32_t mask)
{
    unsigned bits = 0;
    for (; mask; mask <<= 1)
        bits++;
    return bits;
}

static uint32_t bits_mask(unsigned bits)
{
    return bits ? UINT32_MAX << (32 - bits) : 0;
}

int index_add(struct index *index, uint32_t rule, unsigned predicate, unsigned field,
              enum index_kind kind, const char *text, size_t len)
{
    struct entry entry = {.rule = rule,
                          .predicate = (uint16_t)predicate,
                          .field = (uint16_t)field,
                          .kind = (uint8_t)kind};
    struct addr_subnet subnet;
    if (field >= index->n_fields || predicate > UINT16_MAX ||
        (index->n_entries && rule < index->entries[index->n_entries - 1].rule))
        return -EINVAL;
    if (kind == INDEX_SUBNET) {
        if (strlen(text) != len || !addr_subnet_parse(text, &subnet))
            return -EINVAL;
        entry.length = (uint8_t)mask_bits(subnet.mask);
        text = (const char *)&subnet.address;
        len = sizeof subnet.address;
    } else if (kind != INDEX_PLAIN) {
        /* Longer ones are kept by their first, or last, bytes: a candidate is no match yet. */
        size_t used = len < LENGTH_MAX ? len : LENGTH_MAX;
        text += kind == INDEX_SUFFIX ? len - used : 0;
        len = used;
        entry.length = (uint8_t)used;
    }
    entry.hash = hash_key(field, kind, entry.length, text, len);
    struct entry *entries =
        room_for(index->entries, index->n_entries, &index->room_entries, sizeof *entries);
    if (!entries)
        return -ENOMEM;
    index->entries = entries;
    entries[index->n_entries++] = entry;
    return 0;
}

/* --- freezing: each rule under its rarest predicate --------------------------------------------
 */

/* The entries of one predicate. */
struct keys {
    const struct entry *first;
    size_t n;
};

static size_t add_group(struct index *index)
{
    if (index->n_groups == UINT16_MAX)
        return SIZE_MAX;
    struct group *groups =
        room_for(index->groups, index->n_groups, &index->room_groups, sizeof *groups);
    if (!groups)
        return SIZE_MAX;
    index->groups = groups;
    groups[index->n_groups] = (struct group){0};
    return index->n_groups++;
}

static bool add_always(struct group *group, uint32_t rule)
{
    uint32_t *always =
        room_for(group->always, group->n_always, &group->room_always, sizeof *always);
    if (!always)
        return false;
    group->always = always;
    always[group->n_always++] = rule;
    return true;
}

static bool same_probe(const struct probe *probe, const struct entry *entry)
{
    return probe->field == entry->field && probe->kind == entry->kind &&
           probe->length == entry->length;
}

static bool add_probe(struct group *group, const struct entry *entry)
{
    for (size_t i = 0; i < group->n_probes; i++) {
        if (same_probe(&group->probes[i], entry))
            return true;
    }
    struct probe *probes =
        room_for(group->probes, group->n_probes, &group->room_probes, sizeof *probes);
    if (!probes)
        return false;
    group->probes = probes;
    probes[group->n_probes++] = (struct probe){entry->field, entry->kind, entry->length};
    return true;
}

/* How many rules a look under these keys may find: those of the most frequent one. */
static uint32_t frequency(const struct index_table *counts, const struct keys *keys)
{
    uint32_t most = 0;
    for (size_t i = 0; i < keys->n; i++) {
        uint32_t n = index_table_slot(counts, in_group(keys->first[i].hash, 0))->n;
        most = n > most ? n : most;
    }
    return most;
}

/* The rarest predicate of the rule's `n` entries, of those on fields that are not late at
 * `stage`; the one with the fewest keys when several are. `n` is 0 when there is none. */
static struct keys rarest(const struct index *index, const struct index_table *counts,
                          const struct entry *entries, size_t n, unsigned stage)
{
    struct keys best = {0};
    uint32_t least = UINT32_MAX;
    for (size_t from = 0, to; from < n; from = to) {
        for (to = from; to < n && entries[to].predicate == entries[from].predicate;)
            to++;
        struct keys keys = {entries + from, to - from};
        if (index->late[keys.first->field] & stage)
            continue;
        uint32_t found = frequency(counts, &keys);
        if (!best.n || found < least || (found == least && keys.n < best.n)) {
            best = keys;
            least = found;
        }
    }
    return best;
}

/* What filling does twice: counts first, then has room for all. */
struct filling {
    struct index *index;
    const struct index_table *counts;
    bool counting;
};

/* Keeps the rule in the group under these keys, or always. */
static bool keep(struct filling *f, size_t group, const struct keys *keys, uint32_t rule)
{
    struct index *index = f->index;
    if (!keys->n)
        return !f->counting || add_always(&index->groups[group], rule);
    for (size_t i = 0; i < keys->n; i++) {
        struct index_slot *slot =
            index_table_add(&index->table, in_group(keys->first[i].hash, group));
        if (!slot || (f->counting && !add_probe(&index->groups[group], &keys->first[i])))
            return false;
        if (f->counting)
            index->n_rules++;
        else if (!slot->n || index->rules[slot->first + slot->n - 1] != rule)
            index->rules[slot->first + slot->n] = rule;
        else
            continue; /* two of its keys look alike */
        slot->n++;
    }
    return true;
}

static bool keep_rule(struct filling *f, const struct entry *entries, size_t n, uint32_t rule)
{
    struct index *index = f->index;
    struct keys keys = rarest(index, f->counts, entries, n, 0);
    if (!keep(f, 0, &keys, rule))
        return false;
    for (unsigned stage = 0; keys.n && stage < INDEX_STAGES; stage++) {
        unsigned field = keys.first->field;
        if (!(index->late[field] & 1u << stage))
            continue;
        uint16_t *group = &index->waiting[stage * index->n_fields + field];
        if (!*group) {
            size_t added = add_group(index);
            if (added == SIZE_MAX)
                return false;
            *group = (uint16_t)added;
        }
        struct keys others = rarest(index, f->counts, entries, n, 1u << stage);
        if (!keep(f, *group, &others, rule))
            return false;
    }
    return true;
}

static bool fill(struct filling *f, uint32_t n)
{
    const struct entry *entries = f->index->entries;
    size_t at = 0;
    for (uint32_t rule = 1; rule <= n; rule++) {
        size_t first = at;
        while (at < f->index->n_entries && entries[at].rule == rule)
            at++;
        if (!keep_rule(f, at > first ? entries + first : entries, at - first, rule))
            return false;
    }
    return true;
}

/* Gives each slot its place in the shared array. */
static bool place(struct index *index)
{
    uint32_t first = 0;
    index->rules = malloc((index->n_rules + 1) * sizeof *index->rules);
    if (!index->rules || index->n_rules > UINT32_MAX)
        return false;
    for (size_t i = 0; i < index->table.size; i++) {
        struct index_slot *slot = &index->table.slots[i];
        uint32_t n = slot->n;
        slot->first = first;
        slot->n = 0;
        first += n;
    }
    return true;
}

int index_freeze(struct index *index, uint32_t n)
{
    struct index_table counts = {0};
    struct filling filling = {index, &counts, true};
    bool ok =
        add_group(index) == 0 && index_table_double(&counts) && index_table_double(&index->table);
    index->waiting = calloc(INDEX_STAGES * index->n_fields + 1, sizeof *index->waiting);
    ok = ok && index->waiting;
    for (size_t i = 0; ok && i < index->n_entries; i++) {
        struct index_slot *slot = index_table_add(&counts, in_group(index->entries[i].hash, 0));
        ok = slot != NULL;
        if (ok)
            slot->n++;
    }
    ok = ok && fill(&filling, n) && place(index);
    filling.counting = false;
    ok = ok && fill(&filling, n);
    free(counts.slots);
    free(index->entries);
    index->entries = NULL;
    return ok ? 0 : -ENOMEM;
}

/* --- looking ------------------------------------------------------------------------------------
 */

static bool add_list(struct index *index, const uint32_t *at, size_t n)
{
    if (!n)
        return true;
    struct index_list *lists =
        room_for(index->lists, index->n_lists, &index->room_lists, sizeof *lists);
    if (!lists)
        return false;
    index->lists = lists;
    lists[index->n_lists++] = (struct index_list){at, at + n};
    return true;
}

static bool look_probe(struct index *index, size_t group, const struct probe *probe,
                       const struct index_value *value)
{
    const char *text = value->text;
    size_t len = value->len;
    uint32_t ip;
    if (probe->kind == INDEX_SUBNET) {
        if (!addr_ip_parse(text, &ip))
            return true;
        ip &= bits_mask(probe->length);
        text = (const char *)&ip;
        len = sizeof ip;
    } else if (probe->kind != INDEX_PLAIN) {
        if (len < probe->length)
            return true;
        text += probe->kind == INDEX_SUFFIX ? len - probe->length : 0;
        len = probe->length;
    }
    uint64_t hash = hash_key(probe->field, probe->kind, probe->length, text, len);
    const struct index_slot *slot = index_table_slot(&index->table, in_group(hash, group));
    return add_list(index, index->rules + slot->first, slot->n);
}

static bool look_group(struct index *index, size_t number, const struct index_value *values,
                       size_t n_values)
{
    const struct group *group = &index->groups[number];
    if (!add_list(index, group->always, group->n_always))
        return false;
    for (size_t i = 0; i < group->n_probes; i++) {
        for (size_t v = 0; v < n_values; v++) {
            if (values[v].field == group->probes[i].field && values[v].text &&
                !look_probe(index, number, &group->probes[i], &values[v]))
                return false;
        }
    }
    return true;
}

int index_look(struct index *index, const struct index_value *values, size_t n_values,
               unsigned stage, struct index_list **lists)
{
    index->n_lists = 0;
    bool ok = look_group(index, 0, values, n_values);
    for (unsigned s = 0; ok && s < INDEX_STAGES; s++) {
        for (size_t v = 0; ok && (stage & 1u << s) && v < n_values; v++) {
            size_t group = index->waiting[s * index->n_fields + values[v].field];
            if (!values[v].text && group)
                ok = look_group(index, group, values, n_values);
        }
    }
    *lists = index->lists;
    return ok ? (int)index->n_lists : -ENOMEM;
}

uint32_t index_take(struct index_list *lists, size_t *n)
{
    uint32_t lowest = UINT32_MAX;
    for (size_t i = 0; i < *n; i++)
        lowest = *lists[i].at < lowest ? *lists[i].at : lowest;
    if (!*n)
        return 0;
    for (size_t i = 0; i < *n;) {
        if (*lists[i].at == lowest && ++lists[i].at == lists[i].end)
            lists[i] = lists[--*n];
        else
            i++;
    }
    return lowest;
}

size_t index_memory(const struct index *index)
{
    size_t bytes = sizeof *index + index->table.size * sizeof(struct index_slot) +
                   index->n_rules * sizeof *index->rules +
                   index->n_fields * INDEX_STAGES * sizeof *index->waiting;
    for (size_t i = 0; i < index->n_groups; i++)
        bytes += index->groups[i].room_always * sizeof(uint32_t) +
                 index->groups[i].room_probes * sizeof(struct probe);
    return bytes;
}
