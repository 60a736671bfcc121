/* Making a bundle of a directory. */
#ifndef MOONBOOT_BUNDLE_MAKE_H
#define MOONBOOT_BUNDLE_MAKE_H

#include "bundle.h"
#include "problems.h"

/* All regular files at and below it, but those whose names begin with a dot, or are below such a
 * directory. Symbolic links and special files are problems. True: the writer has the whole bundle;
 * its data is the caller's to free either way. */
bool bundle_make(const char *directory, uint64_t version, const char *policy,
                 struct bundle_writer *writer, struct problems *problems);

#endif
