/* How many of a thing each address has, in a table as large as there may be things in all. */
#ifndef MOONBOOT_TALLY_H
#define MOONBOOT_TALLY_H

#include <netinet/in.h>

struct tally;

/* For at most `max` things at once; NULL when memory is out. */
struct tally *tally_alloc(unsigned max);
void tally_free(struct tally *tally);

/* One more, of at most `max` in all; one less, of those that there are. */
void tally_take(struct tally *tally, struct in_addr client);
void tally_give(struct tally *tally, struct in_addr client);

unsigned tally_of(const struct tally *tally, struct in_addr client);

#endif
