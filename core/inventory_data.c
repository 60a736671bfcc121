#include <stdlib.h>
#include <string.h>

#include "data.h"
#include "inventory_build.h"

#define KEY_MAX (DATA_KEY + 1)

struct reading {
    struct inventory_build *build;
    struct data *data;
    struct inventory_draft merged; /* what "<<" adds to the host at hand */
    char key[KEY_MAX];             /* of the host at hand */
    size_t key_len;
    unsigned line;
    struct data_event ahead[3]; /* what was looked at, and is to come again; their texts */
    struct inventory_bytes texts[3];
    unsigned n_ahead, at_ahead;
};

/* The next event; false when there is none, which is reported in the end. */
static bool next(struct reading *r, struct data_event *event)
{
    if (r->at_ahead == r->n_ahead)
        return data_next(r->data, event);
    *event = r->ahead[r->at_ahead++];
    return true;
}

/* Reads on to the end of what `event` began. */
static bool skip(struct reading *r, const struct data_event *event)
{
    struct data_event inside;
    unsigned depth = event->kind == DATA_LIST || event->kind == DATA_MAPPING;
    while (depth) {
        if (!next(r, &inside))
            return false;
        if (inside.kind == DATA_LIST || inside.kind == DATA_MAPPING)
            depth++;
        else if (inside.kind == DATA_END)
            depth--;
    }
    return true;
}

/* Looks at the next event, as the i-th of those to come again. */
static bool look(struct reading *r, unsigned i)
{
    struct data_event *event = &r->ahead[i];
    struct inventory_bytes *text = &r->texts[i];
    if (!data_next(r->data, event))
        return false;
    r->n_ahead = i + 1;
    if (event->kind != DATA_SCALAR)
        return true;
    text->len = 0;
    if (!inventory_bytes_add(text, event->text, event->len + 1)) {
        r->build->out_of_memory = true;
        return false;
    }
    event->text = (const char *)text->data;
    return true;
}

/* A value begins: {"sealed": "…"} becomes the text, marked as sealed. */
static bool read_sealed(struct reading *r, struct data_event *event)
{
    struct data_event *ahead = r->ahead;
    bool boolean;
    double number;
    if (event->kind != DATA_MAPPING)
        return true;
    r->at_ahead = r->n_ahead = 0;
    if (!look(r, 0))
        return false;
    if (ahead[0].kind != DATA_SCALAR || strcmp(ahead[0].text, "sealed") != 0)
        return true;
    if (!look(r, 1) || (ahead[1].kind == DATA_SCALAR && !look(r, 2)))
        return false;
    if (r->n_ahead < 3 || ahead[2].kind != DATA_END ||
        data_type(&ahead[1], &boolean, &number) != DATA_TEXT)
        return true;
    *event = ahead[1];
    event->sealed = true;
    r->n_ahead = 0;
    return true;
}

static const char *found(const struct data_event *event)
{
    switch (event->kind) {
    case DATA_LIST:
        return "a list";
    case DATA_MAPPING:
        return "a mapping";
    case DATA_SCALAR:
        return event->sealed ? "a sealed value" : "text";
    default:
        return "nothing";
    }
}

/* Something else was expected: says so, and passes it over. */
static bool unexpected(struct reading *r, const struct data_event *event, const char *where,
                       const char *expected)
{
    inventory_build_problem(r->build, event->line, "%s: found %s, expected %s", where, found(event),
                            expected);
    return skip(r, event);
}

/* Nothing was said: `boot:` with nothing behind it. */
static bool is_null(const struct data_event *event)
{
    bool boolean;
    double number;
    return event->kind == DATA_SCALAR && data_type(event, &boolean, &number) == DATA_NULL;
}

/* A scalar as a text of ours, without NULs; NULL after a problem. */
static const char *text_of(struct reading *r, const struct data_event *event, const char *where)
{
    if (strlen(event->text) == event->len)
        return event->text;
    inventory_build_problem(r->build, event->line, "%s: found a NUL byte", where);
    return NULL;
}

static bool read_boot(struct reading *r, struct inventory_draft *draft,
                      const struct data_event *event)
{
    if (event->kind != DATA_SCALAR || event->sealed)
        return unexpected(r, event, "boot", "a profile's name");
    const char *text = text_of(r, event, "boot");
    if (text)
        inventory_build_boot(r->build, draft, text, event->line);
    return true;
}

static bool read_args(struct reading *r, struct inventory_draft *draft,
                      const struct data_event *event)
{
    struct data_event item;
    if (event->kind != DATA_LIST)
        return unexpected(r, event, "args", "a list of texts");
    for (;;) {
        if (!next(r, &item) || !read_sealed(r, &item))
            return false;
        if (item.kind == DATA_END)
            return true;
        if (item.sealed) {
            inventory_build_sealed_arg(r->build, draft, item.text, item.len, item.line);
            continue;
        }
        if (item.kind != DATA_SCALAR) {
            if (!unexpected(r, &item, "args", "text"))
                return false;
            continue;
        }
        const char *text = text_of(r, &item, "args");
        if (text)
            inventory_build_arg(r->build, draft, text, item.len, item.line);
    }
}

/* Keeps a text, which lasts only until the next event, with a NUL behind it. */
static size_t keep(const struct data_event *event, char name[KEY_MAX])
{
    size_t len = event->len < KEY_MAX ? event->len : KEY_MAX - 1;
    memcpy(name, event->text, len);
    name[len] = '\0';
    return len;
}

/* A value of a var, with its name in a mapping. What is not said stays away, but in a list,
 * where others would take its place. */
static bool read_value(struct reading *r, struct inventory_draft *draft, const char *name,
                       size_t name_len, struct data_event *event)
{
    static const enum inventory_kind kinds[] = {[DATA_TEXT] = INVENTORY_STRING,
                                                [DATA_BOOLEAN] = INVENTORY_BOOLEAN,
                                                [DATA_NUMBER] = INVENTORY_DOUBLE};
    enum data_type type = DATA_TEXT;
    if (!read_sealed(r, event))
        return false;
    struct inventory_value value = {
        .name = name, .name_len = name_len, .text = event->text, .len = event->len};
    if (event->kind == DATA_SCALAR)
        type = data_type(event, &value.boolean, &value.number);
    value.kind = event->kind == DATA_SCALAR ? kinds[type]
                 : event->kind == DATA_LIST ? INVENTORY_LIST
                                            : INVENTORY_MAPPING;
    if (event->sealed) {
        value.kind = INVENTORY_SEALED;
        inventory_build_sealed(r->build, event->text, event->len, event->line);
    }
    inventory_build_value(r->build, draft, &value);
    if (event->kind == DATA_SCALAR)
        return true;
    for (struct data_event item;;) {
        char member[KEY_MAX];
        size_t member_len = 0;
        if (!next(r, &item))
            return false;
        if (item.kind == DATA_END)
            break;
        bool named = event->kind == DATA_MAPPING;
        if (named && (member_len = keep(&item, member), !next(r, &item)))
            return false;
        if (is_null(&item) && !named)
            inventory_build_problem(r->build, item.line, "vars: found null in a list");
        else if (!is_null(&item) && !read_value(r, draft, named ? member : NULL, member_len, &item))
            return false;
    }
    inventory_build_value(r->build, draft, &(struct inventory_value){.kind = INVENTORY_END});
    return true;
}

static bool read_var(struct reading *r, struct inventory_draft *draft, const char *name,
                     unsigned line, struct data_event *event)
{
    if (is_null(event))
        return true;
    return inventory_build_var(r->build, draft, name, line) ? read_value(r, draft, NULL, 0, event)
                                                            : skip(r, event);
}

static bool read_vars(struct reading *r, struct inventory_draft *draft,
                      const struct data_event *event)
{
    struct data_event at;
    char name[KEY_MAX];
    r->build->serial++;
    if (event->kind != DATA_MAPPING)
        return unexpected(r, event, "vars", "a mapping of names and values");
    for (;;) {
        if (!next(r, &at))
            return false;
        if (at.kind == DATA_END)
            return true;
        keep(&at, name);
        unsigned line = at.line;
        if (!next(r, &at) || !read_var(r, draft, name, line, &at))
            return false;
    }
}

/* What of a host is read where: what it says itself, or what it merges, which never counts
 * where something was said. */
struct part {
    struct inventory_draft *draft;
    bool merging;
    bool has_key; /* an item of a list: the key is among its pairs */
};

static bool read_pairs(struct reading *r, const struct part *part);

/* What "<<" names: a mapping, or a list of them. */
static bool read_merge(struct reading *r, const struct data_event *event)
{
    const struct part part = {.draft = &r->merged, .merging = true};
    struct data_event item;
    if (event->kind == DATA_MAPPING)
        return read_pairs(r, &part);
    if (event->kind != DATA_LIST)
        return unexpected(r, event, "<<", "a mapping, or a list of them");
    for (;;) {
        if (!next(r, &item))
            return false;
        if (item.kind == DATA_END)
            return true;
        if (item.kind == DATA_MAPPING ? !read_pairs(r, &part)
                                      : !unexpected(r, &item, "<<", "a mapping"))
            return false;
    }
}

typedef bool read_part(struct reading *r, struct inventory_draft *draft,
                       const struct data_event *event);

/* A value that may be said once. */
static bool read_once(struct reading *r, const struct part *part, const char *name, bool *has,
                      read_part *read, const struct data_event *value)
{
    if (is_null(value) || (*has && part->merging))
        return skip(r, value);
    if (*has) {
        inventory_build_problem(r->build, value->line, "there is a key \"%s\" already", name);
        return skip(r, value);
    }
    *has = true;
    return read(r, part->draft, value);
}

static bool read_own_key(struct reading *r, const struct data_event *value)
{
    const char *field = inventory_key(r->build->inventory)->name;
    if (value->kind != DATA_SCALAR || value->sealed)
        return unexpected(r, value, field, "text");
    r->key_len = keep(value, r->key);
    r->line = value->line;
    if (r->key_len < value->len)
        inventory_build_problem(r->build, value->line, "%s: it is too long", field);
    return true;
}

static bool read_pair(struct reading *r, const struct part *part, const struct data_event *key)
{
    static const char *const known[] = {"boot", "args", "vars", NULL};
    const char *field = inventory_key(r->build->inventory)->name;
    struct inventory_draft *draft = part->draft;
    struct data_event value;
    char name[KEY_MAX];
    unsigned line = key->line;
    bool merges = key->plain && !strcmp(key->text, "<<");
    keep(key, name);
    if (!next(r, &value))
        return false;
    if (merges)
        return read_merge(r, &value);
    if (!strcmp(name, "boot"))
        return read_once(r, part, name, &draft->has_boot, read_boot, &value);
    if (!strcmp(name, "args"))
        return read_once(r, part, name, &draft->has_args, read_args, &value);
    if (!strcmp(name, "vars"))
        return read_once(r, part, name, &draft->has_vars, read_vars, &value);
    if (part->has_key && !strcmp(name, field))
        return read_own_key(r, &value);
    const char *nearest = problems_nearest(name, known);
    inventory_build_problem(r->build, line, "unknown key \"%.80s\" in a host%s%s%s", name,
                            nearest ? " (did you mean \"" : ", expected boot, args or vars",
                            nearest ? nearest : "", nearest ? "\"?)" : "");
    return skip(r, &value);
}

/* The pairs of a mapping that has begun. */
static bool read_pairs(struct reading *r, const struct part *part)
{
    struct data_event key;
    for (;;) {
        if (!next(r, &key))
            return false;
        if (key.kind == DATA_END)
            return true;
        if (!read_pair(r, part, &key))
            return false;
    }
}

/* What is known of the host at hand: pairs, or the name of a profile alone. */
static bool read_host(struct reading *r, const struct data_event *event, bool has_key)
{
    struct inventory_draft *draft = &r->build->draft;
    const struct part part = {.draft = draft, .has_key = has_key};
    inventory_build_begin(r->build, draft);
    inventory_build_begin(r->build, &r->merged);
    if (event->kind == DATA_MAPPING) {
        if (!read_pairs(r, &part))
            return false;
    } else if (has_key || event->kind != DATA_SCALAR) {
        return unexpected(r, event, "a host", "a mapping with boot, args or vars");
    } else if (!is_null(event) && !read_boot(r, draft, event)) {
        return false;
    }
    inventory_build_merge(r->build, draft, &r->merged);
    if (has_key && !r->line) {
        inventory_build_problem(r->build, event->line, "a host without its %s",
                                inventory_key(r->build->inventory)->name);
        return true;
    }
    inventory_build_host(r->build, r->key, r->key_len, r->line);
    return true;
}

/* A host by its key, which is at hand. */
static bool read_keyed(struct reading *r, const struct data_event *key)
{
    struct data_event value;
    r->key_len = keep(key, r->key);
    r->line = key->line;
    return next(r, &value) && read_host(r, &value, false);
}

/* The hosts: a mapping by key, or a list. */
static bool read_hosts(struct reading *r, const struct data_event *event)
{
    struct data_event item;
    if (is_null(event))
        return true;
    if (event->kind == DATA_SCALAR)
        return unexpected(r, event, "hosts", "a mapping of hosts, or a list of them");
    for (;;) {
        if (!next(r, &item))
            return false;
        if (item.kind == DATA_END)
            return true;
        r->line = 0;
        if (event->kind == DATA_LIST ? !read_host(r, &item, true) : !read_keyed(r, &item))
            return false;
    }
}

/* `key: serial`, before the hosts. */
static bool read_key(struct reading *r, const struct data_event *event, bool late)
{
    const char *asked = r->build->options->key;
    if (event->kind != DATA_SCALAR)
        return unexpected(r, event, "key", "the name of a field");
    if (late)
        inventory_build_problem(r->build, event->line, "key comes before hosts");
    else if (asked && strcmp(asked, event->text) != 0)
        inventory_build_problem(r->build, event->line,
                                "key is \"%.80s\" here, and \"%s\" in the "
                                "policy",
                                event->text, asked);
    else
        inventory_build_key(r->build, event->text, event->line);
    return true;
}

/* A mapping with `key` and `hosts`, the first of which is at hand. */
static bool read_headed(struct reading *r, struct data_event *name)
{
    struct data_event value;
    bool hosts = false;
    for (; name->kind != DATA_END;) {
        bool is_key = !strcmp(name->text, "key"), is_hosts = !strcmp(name->text, "hosts");
        if (!is_key && (!is_hosts || hosts))
            inventory_build_problem(r->build, name->line,
                                    hosts && is_hosts ? "there is a key \"%.80s\" already"
                                                      : "unknown key \"%.80s\" beside hosts",
                                    name->text);
        if (!next(r, &value))
            return false;
        if (is_key               ? !read_key(r, &value, hosts)
            : is_hosts && !hosts ? !read_hosts(r, &value)
                                 : !skip(r, &value))
            return false;
        hosts = hosts || is_hosts;
        if (!next(r, name))
            return false;
    }
    return true;
}

static bool read_document(struct reading *r)
{
    struct data_event first, key;
    if (!next(r, &first))
        return false;
    if (!r->build->options->key)
        inventory_build_key(r->build, "mac", 1);
    if (first.kind == DATA_DONE)
        return true;
    if (first.kind != DATA_MAPPING)
        return read_hosts(r, &first) && next(r, &key);
    if (!next(r, &key))
        return false;
    if (key.kind != DATA_END && (!strcmp(key.text, "key") || !strcmp(key.text, "hosts")))
        return read_headed(r, &key) && next(r, &key);
    if (key.kind != DATA_END && (!read_keyed(r, &key) || !read_hosts(r, &first)))
        return false;
    return next(r, &key); /* what follows must be nothing */
}

void inventory_data_read(struct inventory_build *build, const char *text, size_t len, bool json)
{
    struct reading r = {.build = build};
    r.data = json ? data_json(text, len) : data_yaml(text, len);
    if (!r.data) {
        build->out_of_memory = true;
        return;
    }
    if (!read_document(&r)) {
        unsigned line, column;
        const char *problem = data_problem(r.data, &line, &column);
        inventory_build_problem(build, line, "%s", problem);
    }
    inventory_build_free_draft(&r.merged);
    for (size_t i = 0; i < sizeof r.texts / sizeof *r.texts; i++)
        free(r.texts[i].data);
    data_free(r.data);
}
