/* Where the keys of site.yaml stand, by their names from the top: "http.tls.cert", and for an item
 * of a list "interfaces.0". */
#ifndef MOONBOOT_CONFIG_PLACE_H
#define MOONBOOT_CONFIG_PLACE_H

#include <yaml.h>

#include "config.h"

/* Keeps the places of all keys of a document. */
void config_place_read(struct config *config, yaml_document_t *document);

/* Adds "site.yaml:LINE:COLUMN: MESSAGE": where the key's value stands, or the key itself when that
 * is a mapping or a list. Of a key that the file has not, where the one above it stands. */
void config_place_complain(const struct config *config, struct problems *problems, const char *key,
                           const char *format, ...) __attribute__((format(printf, 4, 5)));

void config_place_free(struct config *config);

#endif
