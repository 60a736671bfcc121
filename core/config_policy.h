/* The parts of site.yaml that say which policies may load, and what is signed, after they have been
 * read. */
#ifndef MOONBOOT_CONFIG_POLICY_H
#define MOONBOOT_CONFIG_POLICY_H

#include "config.h"

/* Fits them together. What is wrong is added to `problems`. */
void config_policy_finish(struct config *config, struct problems *problems);

/* Whether `policy` is a URL, to be fetched from. */
bool config_policy_is_fetched(const struct config *config);

void config_names_free(struct config_names *names);
void config_policy_free(struct config *config);

#endif
