/* Where a policy's files are read from: an open directory, or a bundle that lies in sealed memory.
 * One descriptor stands for either, and processes inherit it. What is sealed can be changed by
 * nobody, this process included: what was verified is what is loaded. */
#ifndef MOONBOOT_SOURCE_H
#define MOONBOOT_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bundle.h"

/* The whole of a regular file beneath it, for the caller to free. 0, or a negative errno, as of
 * files_read_beneath. */
int source_read(int source, const char *path, size_t max, char **text, size_t *len);

/* Whether that is a bundle. */
bool source_is_bundle(int source);

/* Memory to be filled and sealed; a descriptor or a negative errno. */
int source_memory(void);

/* From here on it can only be read. 0 or a negative errno. */
int source_seal(int memory);

/* A copy of a regular file, or of those bytes, in sealed memory: a descriptor or a negative errno,
 * -EFBIG when it has more than `max` bytes, -EISDIR when it is no file. */
int source_copy(const char *path, size_t max);
int source_keep(const void *data, size_t len);

/* The bytes of sealed memory, to be let go of by source_unmap. NULL with errno. */
const uint8_t *source_map(int source, size_t *len);
void source_unmap(const uint8_t *data, size_t len);

/* What is below a directory of a bundle, as a bundle of its own: a descriptor or a negative
 * errno. */
int source_below(const struct bundle *bundle, const char *directory);

/* A bundle by the name of its file, or by that and a directory in it, "release.bundle/sub".
 * A descriptor, or -ENOTDIR when no part of the name is a bundle, or another negative errno.
 * The bundle's policy is written to `policy` when the name is the bundle's own, else "". */
int source_open_bundle(const char *path, char policy[BUNDLE_NAME_MAX], const char **problem);

#endif
