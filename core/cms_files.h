/* SHA-256 of files that are served, for their signatures: found by a thread, as kernels and images
 * are large, once for each file as it is; who asks meanwhile waits for the same. */
#ifndef MOONBOOT_CMS_FILES_H
#define MOONBOOT_CMS_FILES_H

#include <event2/event.h>
#include <stdint.h>

#include "cms.h"

struct cms_files;

/* The thread starts when there is something to do. NULL: no memory. */
struct cms_files *cms_files_open(struct event_base *base);

/* Tells all who wait -ECANCELED. NULL is none. */
void cms_files_close(struct cms_files *files);

/* `error`: 0, or a negative errno; -EAGAIN, the file was being written. */
typedef void cms_files_done(int error, const uint8_t digest[CMS_DIGEST_LEN], void *arg);

/* Takes an open file over. `done` is called once: from the event loop, or before this returns when
 * the digest is known already. */
void cms_files_digest(struct cms_files *files, int fd, cms_files_done *done, void *arg);

#endif
