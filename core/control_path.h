/* Where the control socket of a site is. */
#ifndef MOONBOOT_CONTROL_PATH_H
#define MOONBOOT_CONTROL_PATH_H

#include "config.h"

#define CONTROL_PATH_DEFAULT "/run/moonboot.sock"         /* of a service that root starts */
#define CONTROL_PATH_UNIT    "/run/moonboot/control.sock" /* of examples/systemd */

/* Where the service of this process listens: a new string; NULL when there is to be none. Where
 * site.yaml names none it goes by who runs it, and by RUNTIME_DIRECTORY of a service manager. */
char *control_path(const struct config *config);

/* Where a client, whoever runs it, finds the service of a site.yaml that may have problems just
 * now: then its `control` line alone counts. Where it names none, that is the first of the two
 * above that is there. Sets `path` to a new string, or to NULL when there is to be none, and
 * returns 0; a negative errno when the file cannot be read, `path` being as if it named none. */
int control_path_of(const char *site, char **path);

#endif
