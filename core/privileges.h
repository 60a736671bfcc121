/* From root to the user that workers run as. Without root there is nothing to give up. */
#ifndef MOONBOOT_PRIVILEGES_H
#define MOONBOOT_PRIVILEGES_H

#include <stdbool.h>

/* Whom workers are to run as: `configured` if there is such a user; when it is NULL,
 * "moonboot", else "nobody". NULL: there is no such user. */
const char *privileges_user(const char *configured);

/* Becomes that user for good, whose other processes cannot look into this one; no core is
 * written. What remains until privileges_finish is to read any file
 * (CAP_DAC_READ_SEARCH), so that policies with secrets in them need not be readable by
 * the workers' user; how policies are read keeps to their directory. False with errno. */
bool privileges_drop(const char *user);

/* Gives up what privileges_drop left. False with errno. */
bool privileges_finish(void);

#endif
