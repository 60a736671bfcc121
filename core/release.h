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
    bool fetched;                      /* it came by way of `policy_cache` … */
    bool fresh;                        /* … and has not run yet */
    char *bundle, *signature;          /* their files; NULL: it is no bundle */
    struct ratchet version;            /* of a bundle */
    char key[2 * MINISIGN_ID_LEN + 1]; /* who signed it; "": nobody was asked */
};

/* What it is opened for. To check it, nothing is made or changed, a version that cannot be read is
 * no matter, and what has never been fetched neither: then nothing is opened. */
enum release_use { RELEASE_TO_CHECK, RELEASE_TO_SERVE, RELEASE_FETCHED /* just now */ };

/* Opens what `policy` of site.yaml names. False after adding to `problems`; what was opened is to
 * be closed either way. */
bool release_open(struct release *release, const struct config *config, enum release_use use,
                  struct problems *problems);
void release_close(struct release *release);

/* The directory that versions are kept in, and what was fetched; made if need be. For the caller to
 * free; NULL with errno, EPERM when somebody else could write there. */
char *release_prepare_cache(const struct config *config);

/* It is about to serve: none that is older will be taken any more. False when that cannot be
 * remembered; the log says why. */
bool release_ran(const struct release *release, const struct config *config);

#endif
