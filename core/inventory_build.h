/* Inside the inventory: what its readers (inventory_data.c, inventory_csv.c) build it with. */
#ifndef MOONBOOT_INVENTORY_BUILD_H
#define MOONBOOT_INVENTORY_BUILD_H

#include "inventory.h"

/* The bit of a value's kind that says that a name stands before it. */
#define INVENTORY_NAMED 0x80

/* Bytes that grow. */
struct inventory_bytes {
    unsigned char *data;
    size_t len, room;
};

/* A host under way: what was said of it, in any order. */
struct inventory_draft {
    bool has_boot, has_args, has_vars;
    enum inventory_verdict verdict;
    unsigned profile;
    struct inventory_bytes text; /* of deny and chain */
    struct inventory_bytes args, vars;
    unsigned n_args, n_vars;
};

struct inventory_build {
    struct inventory *inventory;
    const struct inventory_options *options;
    struct problems *problems;
    size_t n_problems;
    unsigned more_line; /* of the first that is not told */
    bool out_of_memory;
    struct inventory_draft draft;
    unsigned serial; /* of the draft: for finding vars that come twice */
};

/* NULL when memory is out. */
struct inventory_build *inventory_build_alloc(const struct inventory_options *options,
                                              struct problems *problems);

/* The inventory; NULL when there were problems. Frees the rest. */
struct inventory *inventory_build_finish(struct inventory_build *build);

void inventory_build_problem(struct inventory_build *build, unsigned line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Makes this field the key. False, and a problem, when it cannot be. */
bool inventory_build_key(struct inventory_build *build, const char *field, unsigned line);

/* Empties a draft. */
void inventory_build_begin(struct inventory_build *build, struct inventory_draft *draft);

/* Parts of a host. Texts have no NUL inside but one behind them. */
void inventory_build_boot(struct inventory_build *build, struct inventory_draft *draft,
                          const char *text, unsigned line);
void inventory_build_arg(struct inventory_build *build, struct inventory_draft *draft,
                         const char *text, size_t len, unsigned line);
void inventory_build_sealed_arg(struct inventory_build *build, struct inventory_draft *draft,
                                const char *text, size_t len, unsigned line);
/* A var begins: false after a problem. Its value comes next, or its values: those of a list
 * or a mapping follow up to an INVENTORY_END. */
bool inventory_build_var(struct inventory_build *build, struct inventory_draft *draft,
                         const char *name, unsigned line);
void inventory_build_value(struct inventory_build *build, struct inventory_draft *draft,
                           const struct inventory_value *value);

/* A sealed value was read: false, and a problem, when it is malformed. */
bool inventory_build_sealed(struct inventory_build *build, const char *text, size_t len,
                            unsigned line);

/* What `draft` does not say and `other` does. */
void inventory_build_merge(struct inventory_build *build, struct inventory_draft *draft,
                           const struct inventory_draft *other);
void inventory_build_free_draft(struct inventory_draft *draft);

/* Adds the host under its key. */
void inventory_build_host(struct inventory_build *build, const char *key, size_t len,
                          unsigned line);

/* Whether a var can be called so. */
bool inventory_build_is_name(const char *text);

/* Readers of the formats. */
void inventory_data_read(struct inventory_build *build, const char *text, size_t len, bool json);
void inventory_csv_read(struct inventory_build *build, const char *text, size_t len);

/* The store (inventory.c). Keys are normal here. */
struct inventory *inventory_store_alloc(void);
size_t inventory_store_normal(const struct inventory_field *key, const char *text, size_t len,
                              unsigned char *out); /* at most len or 16 bytes; 0: it is none */
void inventory_store_key(struct inventory *inventory, const char *name, enum inventory_type type);
int inventory_store_profile(struct inventory *inventory, const char *text, unsigned line);
int inventory_store_var(struct inventory *inventory, const char *text, unsigned serial,
                        bool *twice);
/* The line of the host that is there already, or 0. */
unsigned inventory_store_line_of(const struct inventory *inventory, const unsigned char *key,
                                 size_t len);
bool inventory_store_add(struct inventory *inventory, const unsigned char *key, size_t len,
                         const struct inventory_draft *draft, unsigned line);
bool inventory_store_sealed(struct inventory *inventory, const char *text, size_t len,
                            unsigned line);
bool inventory_store_finish(struct inventory *inventory);

bool inventory_bytes_add(struct inventory_bytes *bytes, const void *data, size_t len);
bool inventory_bytes_number(struct inventory_bytes *bytes, size_t number); /* its varint */

#endif
