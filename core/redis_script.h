/* What moonboot has Redis do, each request in one round trip: a script, run there as a whole or not
 * at all.
 *
 * KEYS: PREFIX"store" (a hash: `id`, which store it is, and `version`, the last), PREFIX"entries"
 * (a hash: key -> "version ends text"), PREFIX"keys" (a sorted set, all of score 0: the keys in
 * order) and PREFIX"ends" (a sorted set: the keys that end, by when, in ms). The clock is Redis's.
 *
 * ARGV: what to do, the store's id, and
 *   open   whether to make one, "1" or "0"         -> its id ("": there is none), its last version
 *   get    key                                     -> nothing, or text, version
 *   list   prefix, after                           -> last (""), key, text, version, ends, key, …
 *   write  key, version, ttl in ms, text (none: delete)  -> the result
 * NOSTORE is the error of a store that is not the one that was opened. */
#ifndef MOONBOOT_REDIS_SCRIPT_H
#define MOONBOOT_REDIS_SCRIPT_H

extern const char redis_script[];

/* No page of a list is longer. */
#define REDIS_SCRIPT_PAGE       256
#define REDIS_SCRIPT_PAGE_BYTES 262144

#endif
