/* What was fetched, on the disk: two directories in `policy_cache`, one with the release that ran
 * last, one with a new one that has to prove itself. Each has a bundle, its signature, and where
 * they are from. */
#ifndef MOONBOOT_FETCH_CACHE_H
#define MOONBOOT_FETCH_CACHE_H

#include <stdbool.h>

#define FETCH_CACHE_RAN       "fetched"
#define FETCH_CACHE_NEW       "fetched.new"
#define FETCH_CACHE_BUNDLE    "bundle"
#define FETCH_CACHE_SIGNATURE "bundle.minisig"

#define FETCH_CACHE_ETAG_MAX 256

/* Empties the new one. 0 and two files to be written, or a negative errno. */
int fetch_cache_begin(const char *cache, int *bundle, int *signature);

/* Notes where the new one is from. 0 or a negative errno. */
int fetch_cache_note(const char *cache, const char *url, const char *etag);

/* The new one has proved itself: it takes the other's place, in one step. 0 or a negative errno. */
int fetch_cache_commit(const char *cache);

/* Whether there is one, FETCH_CACHE_RAN or FETCH_CACHE_NEW, that is from that URL; its ETag, ""
 * for none. `etag` may be NULL. */
bool fetch_cache_has(const char *cache, const char *which, const char *url,
                     char etag[FETCH_CACHE_ETAG_MAX]);

#endif
