#include "inventory_build.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "seal.h"

#define MESSAGE_MAX 512

struct inventory_build *inventory_build_alloc(const struct inventory_options *options,
                                              struct problems *problems)
{
    struct inventory_build *build = calloc(1, sizeof *build);
    if (!build)
        return NULL;
    build->options = options;
    build->problems = problems;
    build->inventory = inventory_store_alloc();
    if (!build->inventory) {
        free(build);
        return NULL;
    }
    return build;
}

void inventory_build_free_draft(struct inventory_draft *draft)
{
    free(draft->text.data);
    free(draft->args.data);
    free(draft->vars.data);
}

struct inventory *inventory_build_finish(struct inventory_build *build)
{
    struct inventory *inventory = build->inventory;
    const char *display = build->options->display;
    if (build->out_of_memory) {
        problems_add(build->problems, "%s:1: no memory to read it", display);
        build->n_problems++;
    } else if (build->n_problems > INVENTORY_PROBLEMS) {
        problems_add(build->problems, "%s:%u: and %zu more problems", display, build->more_line,
                     build->n_problems - INVENTORY_PROBLEMS);
    }
    if (build->n_problems || !inventory_store_finish(inventory)) {
        if (build->options->remains)
            *build->options->remains = inventory;
        else
            inventory_free(inventory);
        inventory = NULL;
    }
    inventory_build_free_draft(&build->draft);
    free(build);
    return inventory;
}

void inventory_build_problem(struct inventory_build *build, unsigned line, const char *format, ...)
{
    char message[MESSAGE_MAX];
    va_list args;
    if (build->n_problems++ >= INVENTORY_PROBLEMS) {
        build->more_line = build->more_line ? build->more_line : line;
        return;
    }
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    problems_add(build->problems, "%s:%u: %s", build->options->display, line, message);
}

static void check(struct inventory_build *build, bool ok)
{
    build->out_of_memory = build->out_of_memory || !ok;
}

/* --- the key
 * -------------------------------------------------------------------------------------- */

bool inventory_build_key(struct inventory_build *build, const char *field, unsigned line)
{
    const struct inventory_options *options = build->options;
    const char *names[64] = {NULL};
    if (!strncmp(field, "label.", 6) && field[6]) {
        inventory_store_key(build->inventory, field, INVENTORY_TEXT);
        return true;
    }
    for (size_t i = 0; i < options->n_fields; i++) {
        if (!strcmp(options->fields[i].name, field)) {
            inventory_store_key(build->inventory, field, options->fields[i].type);
            return true;
        }
        if (i < sizeof names / sizeof *names - 1)
            names[i] = options->fields[i].name;
    }
    const char *nearest = problems_nearest(field, names);
    inventory_build_problem(build, line, "hosts cannot be keyed by \"%s\"%s%s%s", field,
                            nearest ? " (did you mean \"" : "", nearest ? nearest : "",
                            nearest ? "\"?)" : "");
    return false;
}

static const char *expected_key(enum inventory_type type)
{
    switch (type) {
    case INVENTORY_MAC:
        return "a MAC address, such as 52:54:00:12:34:56";
    case INVENTORY_UUID:
        return "a UUID, such as 4c4c4544-0052-3510-8051-b4c04f4e3732";
    case INVENTORY_IP:
        return "an IPv4 address, such as 10.0.0.2";
    case INVENTORY_NUMBER:
        return "a number";
    default:
        return "some text";
    }
}

/* --- the parts of a host
 * ---------------------------------------------------------------------------- */

void inventory_build_begin(struct inventory_build *build, struct inventory_draft *draft)
{
    build->serial++;
    draft->has_boot = draft->has_args = draft->has_vars = false;
    draft->verdict = INVENTORY_NOTHING;
    draft->text.len = draft->args.len = draft->vars.len = 0;
    draft->n_args = draft->n_vars = 0;
}

/* Data comes from anywhere, and is taken as it is: {{…}} in it was meant otherwise. */
static bool is_literal(struct inventory_build *build, const char *what, const char *text,
                       unsigned line)
{
    if (!strstr(text, "{{"))
        return true;
    inventory_build_problem(build, line,
                            "%s: {{…}} is not filled in here: use a var, and {{…}} in "
                            "the profile",
                            what);
    return false;
}

/* What follows "deny " or "chain "; NULL when the text is something else. */
static const char *after_word(const char *text, const char *word)
{
    size_t len = strlen(word);
    if (strncmp(text, word, len) != 0 || (text[len] && text[len] != ' '))
        return NULL;
    return text + len + strspn(text + len, " ");
}

void inventory_build_boot(struct inventory_build *build, struct inventory_draft *draft,
                          const char *text, unsigned line)
{
    static const struct {
        const char *word;
        enum inventory_verdict verdict;
    } words[] = {
        {"disk", INVENTORY_DISK}, {"ignore", INVENTORY_IGNORE}, {"shell", INVENTORY_SHELL}};
    draft->has_boot = true;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (!strcmp(text, words[i].word)) {
            draft->verdict = words[i].verdict;
            return;
        }
    }
    const char *why = after_word(text, "deny"), *url = after_word(text, "chain");
    const char *rest = why ? why : url;
    if (rest && !*rest) {
        inventory_build_problem(build, line, "boot: found \"%s\", expected \"%s %s\"", text, text,
                                why ? "WHY" : "URL");
    } else if (!*text) {
        inventory_build_problem(build, line, "boot: found no text, expected a profile's name");
    } else if (rest && is_literal(build, "boot", rest, line)) {
        draft->verdict = why ? INVENTORY_DENY : INVENTORY_CHAIN;
        draft->text.len = 0;
        check(build, inventory_bytes_add(&draft->text, rest, strlen(rest)));
    } else if (!rest) {
        int profile = inventory_store_profile(build->inventory, text, line);
        check(build, profile >= 0);
        draft->verdict = INVENTORY_BOOT;
        draft->profile = (unsigned)profile;
    }
}

static void add_arg(struct inventory_build *build, struct inventory_draft *draft, const char *text,
                    size_t len, bool sealed)
{
    check(build, inventory_bytes_number(&draft->args, len << 1 | sealed) &&
                     inventory_bytes_add(&draft->args, text, len));
    draft->n_args++;
}

void inventory_build_arg(struct inventory_build *build, struct inventory_draft *draft,
                         const char *text, size_t len, unsigned line)
{
    if (!is_literal(build, "args", text, line))
        return;
    add_arg(build, draft, text, len, false);
}

void inventory_build_sealed_arg(struct inventory_build *build, struct inventory_draft *draft,
                                const char *text, size_t len, unsigned line)
{
    if (inventory_build_sealed(build, text, len, line))
        add_arg(build, draft, text, len, true);
}

bool inventory_build_sealed(struct inventory_build *build, const char *text, size_t len,
                            unsigned line)
{
    const char *problem = seal_problem(text, len, NULL, NULL);
    if (problem)
        inventory_build_problem(build, line, "sealed: %s", problem);
    else
        check(build, inventory_store_sealed(build->inventory, text, len, line));
    return !problem;
}

bool inventory_build_is_name(const char *text)
{
    if (!isalpha((unsigned char)*text) && *text != '_')
        return false;
    while (isalnum((unsigned char)*text) || *text == '_')
        text++;
    return !*text;
}

bool inventory_build_var(struct inventory_build *build, struct inventory_draft *draft,
                         const char *name, unsigned line)
{
    bool twice = false;
    if (!inventory_build_is_name(name)) {
        inventory_build_problem(build, line, "vars: \"%s\": a var's name is letters, digits and _",
                                name);
        return false;
    }
    int number = inventory_store_var(build->inventory, name, build->serial, &twice);
    if (twice) {
        inventory_build_problem(build, line, "vars: there is a var \"%s\" already", name);
        return false;
    }
    check(build, number >= 0 && inventory_bytes_number(&draft->vars, (size_t)number));
    draft->n_vars++;
    return true;
}

void inventory_build_value(struct inventory_build *build, struct inventory_draft *draft,
                           const struct inventory_value *value)
{
    struct inventory_bytes *vars = &draft->vars;
    unsigned char boolean = value->boolean;
    unsigned char kind = (unsigned char)(value->kind | (value->name ? INVENTORY_NAMED : 0));
    bool ok = inventory_bytes_add(vars, &kind, 1);
    if (value->name)
        ok = ok && inventory_bytes_number(vars, value->name_len) &&
             inventory_bytes_add(vars, value->name, value->name_len);
    if (value->kind == INVENTORY_STRING || value->kind == INVENTORY_SEALED)
        ok = ok && inventory_bytes_number(vars, value->len) &&
             inventory_bytes_add(vars, value->text, value->len);
    else if (value->kind == INVENTORY_DOUBLE)
        ok = ok && inventory_bytes_add(vars, &value->number, sizeof value->number);
    else if (value->kind == INVENTORY_BOOLEAN)
        ok = ok && inventory_bytes_add(vars, &boolean, 1);
    check(build, ok);
}

static bool copy(struct inventory_bytes *into, const struct inventory_bytes *from)
{
    into->len = 0;
    return inventory_bytes_add(into, from->data, from->len);
}

void inventory_build_merge(struct inventory_build *build, struct inventory_draft *draft,
                           const struct inventory_draft *other)
{
    if (other->has_boot && !draft->has_boot) {
        draft->has_boot = true;
        draft->verdict = other->verdict;
        draft->profile = other->profile;
        check(build, copy(&draft->text, &other->text));
    }
    if (other->has_args && !draft->has_args) {
        draft->has_args = true;
        draft->n_args = other->n_args;
        check(build, copy(&draft->args, &other->args));
    }
    if (other->has_vars && !draft->has_vars) {
        draft->has_vars = true;
        draft->n_vars = other->n_vars;
        check(build, copy(&draft->vars, &other->vars));
    }
}

void inventory_build_host(struct inventory_build *build, const char *key, size_t len, unsigned line)
{
    struct inventory *inventory = build->inventory;
    const struct inventory_field *field = inventory_key(inventory);
    unsigned char small[64], *normal = small;
    if (len > sizeof small && !(normal = malloc(len))) {
        check(build, false);
        return;
    }
    size_t n = strlen(key) == len ? inventory_store_normal(field, key, len, normal) : 0;
    unsigned before = n ? inventory_store_line_of(inventory, normal, n) : 0;
    if (!n)
        inventory_build_problem(build, line, "%s: found \"%.80s\", expected %s", field->name, key,
                                expected_key(field->type));
    else if (before)
        inventory_build_problem(build, line, "host \"%.80s\" is there already, on line %u", key,
                                before);
    else
        check(build, inventory_store_add(inventory, normal, n, &build->draft, line));
    if (normal != small)
        free(normal);
}

/* --- loading
 * ------------------------------------------------------------------------------------------ */

static bool has_suffix(const char *name, const char *suffix)
{
    size_t len = strlen(name), suffix_len = strlen(suffix);
    return len > suffix_len && !strcasecmp(name + len - suffix_len, suffix);
}

struct inventory *inventory_load(const char *text, size_t len,
                                 const struct inventory_options *options, struct problems *problems)
{
    struct inventory_build *build = inventory_build_alloc(options, problems);
    if (options->remains)
        *options->remains = NULL;
    if (!build) {
        problems_add(problems, "%s:1: no memory to read it", options->display);
        return NULL;
    }
    if (options->key && !inventory_build_key(build, options->key, 1))
        return inventory_build_finish(build);
    if (has_suffix(options->display, ".csv"))
        inventory_csv_read(build, text, len);
    else if (has_suffix(options->display, ".json"))
        inventory_data_read(build, text, len, true);
    else if (has_suffix(options->display, ".yaml") || has_suffix(options->display, ".yml"))
        inventory_data_read(build, text, len, false);
    else
        inventory_build_problem(build, 1,
                                "is it YAML, JSON or CSV? The name ends in neither "
                                ".yaml, .json nor .csv");
    return inventory_build_finish(build);
}
