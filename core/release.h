/* Which policy a generation is made of: a file of a directory, or a bundle, verified by
 * `policy_keys` where there are any. */
#ifndef MOONBOOT_RELEASE_H
#define MOONBOOT_RELEASE_H

#include <stdbool.h>
#include <stdint.h>

#include "config.h"
#include "minisign.h"
#include "problems.h"
#include "ratchet.h"

struct release {
    int source;    /* source.h; -1: none */
    char *file;    /* the policy's name in it */
    char *display; /* what messages call the policy */
    bool bundled;
    char *bundle, *signature;          /* their names, to be watched; NULL: it is no file */
    struct ratchet version;            /* of a bundle */
    char key[2 * MINISIGN_ID_LEN + 1]; /* who signed it; "": nobody was asked */
};

/* Opens what `policy` of site.yaml names. False after adding to `problems`; what was opened is to
 * be closed either way. With `to_serve` the directory that versions are kept in is made if need be;
 * without, nothing is changed, and a version that cannot be read is no matter. */
bool release_open(struct release *release, const struct config *config, bool to_serve,
                  struct problems *problems);
void release_close(struct release *release);

/* It is about to serve: none that is older will be taken any more. False when that cannot be
 * remembered; the log says why. */
bool release_ran(const struct release *release, const struct config *config);

#endif
