#include "config_place.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PLACES_MAX 1000 /* aliases of YAML make much of little */
#define DEPTH_MAX  4
#define KEY_MAX    128

struct config_place {
    char *key;
    size_t line, column;
};

static void add(struct config *config, const char *key, yaml_mark_t at)
{
    size_t n = config->places.n;
    struct config_place *list = realloc(config->places.list, (n + 1) * sizeof *list);
    if (!list)
        return; /* what is above stands for it */
    config->places.list = list;
    list[n] = (struct config_place){strdup(key), at.line + 1, at.column + 1};
    config->places.n += list[n].key != NULL;
}

static void walk(struct config *config, yaml_document_t *document, const char *above,
                 yaml_node_t *node, unsigned depth);

static void note(struct config *config, yaml_document_t *document, const char *key,
                 const yaml_node_t *name, yaml_node_t *value, unsigned depth)
{
    if (!value || config->places.n >= PLACES_MAX)
        return;
    add(config, key,
        value->type == YAML_SCALAR_NODE || !name ? value->start_mark : name->start_mark);
    walk(config, document, key, value, depth + 1);
}

static void walk(struct config *config, yaml_document_t *document, const char *above,
                 yaml_node_t *node, unsigned depth)
{
    char key[KEY_MAX];
    const char *dot = *above ? "." : "";
    if (depth > DEPTH_MAX)
        return;
    if (node->type == YAML_MAPPING_NODE) {
        for (yaml_node_pair_t *pair = node->data.mapping.pairs.start;
             pair < node->data.mapping.pairs.top; pair++) {
            yaml_node_t *name = yaml_document_get_node(document, pair->key);
            if (!name || name->type != YAML_SCALAR_NODE)
                continue;
            snprintf(key, sizeof key, "%s%s%s", above, dot, (char *)name->data.scalar.value);
            note(config, document, key, name, yaml_document_get_node(document, pair->value), depth);
        }
    } else if (node->type == YAML_SEQUENCE_NODE) {
        size_t i = 0;
        for (yaml_node_item_t *item = node->data.sequence.items.start;
             item < node->data.sequence.items.top; item++) {
            snprintf(key, sizeof key, "%s%s%zu", above, dot, i++);
            note(config, document, key, NULL, yaml_document_get_node(document, *item), depth);
        }
    }
}

void config_place_read(struct config *config, yaml_document_t *document)
{
    yaml_node_t *root = yaml_document_get_root_node(document);
    if (root)
        walk(config, document, "", root, 1);
}

/* The place of the first `len` bytes of a key, or of what is above it. */
static const struct config_place *find(const struct config *config, const char *key, size_t len)
{
    static const struct config_place top = {.line = 1, .column = 1};
    for (;;) {
        for (size_t i = 0; i < config->places.n; i++) {
            const struct config_place *place = &config->places.list[i];
            if (strlen(place->key) == len && !memcmp(place->key, key, len))
                return place;
        }
        const char *dot = memrchr(key, '.', len);
        if (!dot)
            return &top;
        len = (size_t)(dot - key);
    }
}

void config_place_complain(const struct config *config, struct problems *problems, const char *key,
                           const char *format, ...)
{
    char message[1024];
    const struct config_place *place = find(config, key, strlen(key));
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    problems_add(problems, "%s:%zu:%zu: %s", config->path, place->line, place->column, message);
}

void config_place_free(struct config *config)
{
    for (size_t i = 0; i < config->places.n; i++)
        free(config->places.list[i].key);
    free(config->places.list);
}
