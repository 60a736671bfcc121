/* An inventory: hosts by a key (a field of machines), each with what it boots, arguments and
 * vars. Read once from a file of YAML, JSON or CSV, then immutable: processes that fork share
 * it. A host costs its own text, a few bytes of lengths, and 28 bytes at most (INVENTORY_HOST).
 *
 * YAML and JSON:               key: serial            # default: mac
 *                              hosts:
 *                                R5QNN72: { boot: compute, args: [quiet], vars: { rack: 12 } }
 * or the hosts alone, as one mapping; or a list of mappings that have the key among them.
 * CSV: a header line; the first column is the key, unless another one is asked for. `boot` and
 * `args` (separated by spaces) are what they are above, all other columns are vars.
 *
 * An argument, and the value of a var, may be sealed (core/seal.h): `!sealed seal1.…` in YAML,
 * {"sealed": "seal1.…"} in JSON and YAML, `sealed:seal1.…` in CSV. They are kept as they stand.
 *
 * `boot` is a profile's name, or disk, ignore, shell, "deny WHY", "chain URL". */
#ifndef MOONBOOT_INVENTORY_H
#define MOONBOOT_INVENTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "problems.h"

#define INVENTORY_PROBLEMS 20 /* this many are told, the others counted */
#define INVENTORY_HOST     28

struct inventory;

/* How a key's values are compared. */
enum inventory_type {
    INVENTORY_MAC,
    INVENTORY_UUID,
    INVENTORY_IP,
    INVENTORY_NUMBER,
    INVENTORY_TEXT,
    INVENTORY_LOWER, /* in any case */
};

/* A field that can be the key. All "label.NAME" can, too. */
struct inventory_field {
    const char *name;
    enum inventory_type type;
};

struct inventory_options {
    const char *display; /* what messages call the file; its suffix tells the format */
    const char *key;     /* NULL: as the file says */
    const struct inventory_field *fields;
    size_t n_fields;
    /* NULL, or where an inventory with problems is left: for the profiles that its hosts name, and
     * for nothing else. NULL is put there when there is none. */
    struct inventory **remains;
};

/* Reads a text. NULL after adding to `problems` all that is wrong with it, as
 * "file:line: message", or the first INVENTORY_PROBLEMS and how many more there are. */
struct inventory *inventory_load(const char *text, size_t len,
                                 const struct inventory_options *options,
                                 struct problems *problems);
void inventory_free(struct inventory *inventory);

/* The field that is the key. */
const struct inventory_field *inventory_key(const struct inventory *inventory);

size_t inventory_count(const struct inventory *inventory);
size_t inventory_memory(const struct inventory *inventory); /* bytes */

/* What hosts name, in the order of their first use. NULL behind the last one. */
struct inventory_name {
    const char *text;
    unsigned line; /* of its first use, for profiles */
    unsigned uses;
};
const struct inventory_name *inventory_profile(const struct inventory *inventory, size_t i);
const struct inventory_name *inventory_var(const struct inventory *inventory, size_t i);

/* The first of the hosts that say nothing of `boot`: its line; 0 when all do. */
unsigned inventory_bootless(const struct inventory *inventory);

/* What is sealed in it, in order. NULL behind the last one. */
struct inventory_sealed {
    char *text;
    unsigned line;
};
const struct inventory_sealed *inventory_sealed(const struct inventory *inventory, size_t i);

enum inventory_verdict {
    INVENTORY_NOTHING, /* no `boot` */
    INVENTORY_BOOT,
    INVENTORY_DISK,
    INVENTORY_IGNORE,
    INVENTORY_SHELL,
    INVENTORY_DENY,
    INVENTORY_CHAIN,
};

/* A host, as it is found; valid as long as the inventory. */
struct inventory_host {
    enum inventory_verdict verdict;
    const char *text; /* of BOOT the profile, of DENY why, of CHAIN the URL; no NUL behind it */
    size_t len;
    unsigned line;
    unsigned n_args, n_vars;
    const unsigned char *args, *vars; /* what is left to be taken */
};

enum inventory_kind {
    INVENTORY_STRING,
    INVENTORY_SEALED, /* a text that is to be opened (core/seal.h) */
    INVENTORY_DOUBLE,
    INVENTORY_BOOLEAN,
    INVENTORY_LIST,    /* values follow, and INVENTORY_END */
    INVENTORY_MAPPING, /* the same, with names */
    INVENTORY_END,
};

struct inventory_value {
    const char *name; /* of a var, or of a mapping's member; no NUL behind it */
    size_t name_len;
    enum inventory_kind kind;
    const char *text; /* no NUL behind it */
    size_t len;
    double number;
    bool boolean;
};

/* The host of this key, in any notation. */
bool inventory_find(const struct inventory *inventory, const char *key, size_t len,
                    struct inventory_host *host);

/* Its next argument, or var; false when there are no more. Of a var that is a list or a
 * mapping, all values must be taken, with their ends, before the next var. */
bool inventory_take_arg(struct inventory_host *host, const char **text, size_t *len, bool *sealed);
bool inventory_take_var(const struct inventory *inventory, struct inventory_host *host,
                        struct inventory_value *value);
void inventory_take_value(struct inventory_host *host, struct inventory_value *value);

#endif
