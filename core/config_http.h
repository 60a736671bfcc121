/* What site.yaml's `http` comes to, once all of it has been read. */
#ifndef MOONBOOT_CONFIG_HTTP_H
#define MOONBOOT_CONFIG_HTTP_H

#include "config.h"

/* Makes one list of all addresses: those of `listen`, of `admin`, of `tls`. What is wrong with them
 * together is added to `problems`. */
void config_http_finish(struct config *config, struct problems *problems);

/* Frees what is beneath `http`. */
void config_http_free(struct config *config);

#endif
