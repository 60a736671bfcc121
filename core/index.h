/* Which rules may mean a machine, without looking at all of them.
 *
 * A rule has predicates, all of which must hold; a predicate that can be looked up has keys
 * ("serial is R5QNN72", "uuid starts with 4c4c4544", "relay in 10.0.0.0/8"), one of which must
 * hold. The index keeps each rule under the keys of one of its predicates, the rarest, and so
 * finds *candidates* in ascending order: all rules that match are among them, the caller
 * verifies each. Rules that cannot be looked up are always candidates.
 *
 * A field can be unknown at a stage (firmware has not told it yet): then the rules that are
 * kept under it are candidates all the same, as the decision may have to wait for it. So that
 * this is no scan, they are kept a second time for each such stage, under the rarest of
 * their predicates on other fields. */
#ifndef MOONBOOT_INDEX_H
#define MOONBOOT_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct index;

/* How a key's text is compared with a field's value. INDEX_SUBNET's is "10.0.0.0/8". */
enum index_kind { INDEX_PLAIN, INDEX_PREFIX, INDEX_SUFFIX, INDEX_SUBNET };

/* Stages at which fields can be unknown are bits. */
#define INDEX_STAGES 4

struct index *index_alloc(void); /* NULL when memory is out */
void index_free(struct index *index);

/* A new field, which is late at these stages (bits) -> its number from 0, or -ENOMEM. */
int index_field(struct index *index, unsigned late);

/* Adds a key to a predicate of a rule. Rules come in ascending order, the keys of one
 * predicate together. 0, -ENOMEM, or -EINVAL: out of order, or a text that is no subnet. */
int index_add(struct index *index, uint32_t rule, unsigned predicate, unsigned field,
              enum index_kind kind, const char *text, size_t len);

/* Ends the adding: the rules are 1 to n. 0 or -ENOMEM. */
int index_freeze(struct index *index, uint32_t n);

/* One value of a field; fields of several values come several times, in sequence. */
struct index_value {
    const char *text; /* NULL: unknown; a field that is not named is known to be absent */
    size_t len;
    unsigned field;
};

/* A list of candidates, not empty. */
struct index_list {
    const uint32_t *at, *end;
};

/* The lists whose union are the candidates for a machine at a stage (a bit, or 0: all is
 * known). The array is the index's, valid until the next look, and may be taken from. -ENOMEM, or
 * how many. */
int index_look(struct index *index, const struct index_value *values, size_t n_values,
               unsigned stage, struct index_list **lists);

/* Takes the lowest number out of the lists; 0 when they are empty. */
uint32_t index_take(struct index_list *lists, size_t *n);

/* Bytes that it holds. */
size_t index_memory(const struct index *index);

#endif
