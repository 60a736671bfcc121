/* Which descriptors a process holds. */
#ifndef MOONBOOT_DESCRIPTORS_H
#define MOONBOOT_DESCRIPTORS_H

#include <stddef.h>

/* Closes all but the standard three and those of the list (-1: none), which is sorted. */
void descriptors_keep(int *fds, size_t n);

#endif
