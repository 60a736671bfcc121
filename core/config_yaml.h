/* A file as a document of YAML, and what its nodes are. */
#ifndef MOONBOOT_CONFIG_YAML_H
#define MOONBOOT_CONFIG_YAML_H

#include <stdbool.h>
#include <stdio.h>
#include <yaml.h>

#include "problems.h"

/* Fills `document`, which is to be deleted then; false after adding what is wrong. `path` is for
 * messages. */
bool config_yaml_load(FILE *file, const char *path, yaml_document_t *document,
                      struct problems *problems);

/* What a node is, for messages; `text`: of a scalar, NULL when it has a NUL byte. */
const char *config_yaml_found(const yaml_node_t *node, const char *text);

/* Whether it is a number within these bounds. */
bool config_yaml_number(const char *text, unsigned min, unsigned max, unsigned *number);

#endif
