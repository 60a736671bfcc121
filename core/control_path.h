/* Where the control socket of a site is. */
#ifndef MOONBOOT_CONTROL_PATH_H
#define MOONBOOT_CONTROL_PATH_H

#include "config.h"

#define CONTROL_PATH_DEFAULT "/run/moonboot.sock" /* of a service that root starts */

/* A new string; NULL when there is to be none. */
char *control_path(const struct config *config);

/* The same for a site.yaml that may have problems just now: its `control` line alone counts. */
char *control_path_of(const char *site);

#endif
