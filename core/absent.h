/* What site.yaml names, and this host has not. What is found is added to `problems`, each where
 * it stands. */
#ifndef MOONBOOT_ABSENT_H
#define MOONBOOT_ABSENT_H

#include "config.h"
#include "problems.h"

/* Of `interfaces`, where DHCP is answered. They may come up later. */
void absent_interfaces(const struct config *config, struct problems *problems);

/* `user` and `control_group`. */
void absent_accounts(const struct config *config, struct problems *problems);

/* The directory of `log.decisions`. */
void absent_directory(const struct config *config, struct problems *problems);

/* The files of `policy_refresh`. */
void absent_refresh(const struct config *config, struct problems *problems);

#endif
