/* As much of iPXE as bootstorm needs: it runs the script of /boot.ipxe up to its `chain`, and
 * reads from the answer what would be loaded. */
#ifndef BENCH_SCRIPT_H
#define BENCH_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>

#define SCRIPT_SETTINGS 24
#define SCRIPT_VALUE    1024
#define SCRIPT_FILES    8

struct script_setting {
    char name[32];
    char value[SCRIPT_VALUE];
};

/* iPXE's settings, by name without the type (`serial`, `netX/mac`). All zero: none. */
struct script {
    size_t n;
    struct script_setting settings[SCRIPT_SETTINGS];
};

/* False: there are too many, or one is too long. */
bool script_set(struct script *script, const char *name, const char *value);

/* Runs `set` and `isset` until `chain`, whose URL comes out. False: it is none of iPXE's
 * scripts, or there is no such URL. */
bool script_chain(struct script *script, const char *text, char url[SCRIPT_VALUE]);

/* The URLs of the kernel and the initrds, in order; how many. */
size_t script_files(const char *text, char urls[SCRIPT_FILES][SCRIPT_VALUE]);

#endif
