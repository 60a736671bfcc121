/* What site.yaml means where it says nothing; and config_free, config_path of config.h. */
#ifndef MOONBOOT_CONFIG_DEFAULTS_H
#define MOONBOOT_CONFIG_DEFAULTS_H

#include "config.h"

#define CONFIG_DEFAULTS_WORKERS_MAX 64

/* False when memory is out. `path`: of site.yaml. */
bool config_defaults(struct config *config, const char *path);

#endif
