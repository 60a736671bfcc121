/* What site.yaml's `state` comes to, once all of it has been read. */
#ifndef MOONBOOT_CONFIG_STATE_H
#define MOONBOOT_CONFIG_STATE_H

#include <stdbool.h>

#include "config.h"

void config_state_defaults(struct config *config);

/* False: there is no backend of that name. */
bool config_state_backend(const char *name, enum config_state_backend *backend);

/* Puts the parts of `url` in their places. NULL, or what is wrong with it all together. */
const char *config_state_finish(struct config *config);

/* Whether there is a store at all. */
bool config_state_kept(const struct config *config);

/* Frees what is beneath `state`. */
void config_state_free(struct config *config);

#endif
