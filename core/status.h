/* What `moonboot status` shows, as JSON. */
#ifndef MOONBOOT_STATUS_H
#define MOONBOOT_STATUS_H

#include "supervision.h"

/* A new string; NULL when memory is out. */
char *status_json(struct supervisor *s);

#endif
