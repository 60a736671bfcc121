#include <stdlib.h>
#include <string.h>

#include "inventory_build.h"

/* RFC 4180, with any of the usual line ends; blank lines are passed over. */
struct csv {
    const char *at, *end;
    unsigned line; /* of `at` */
    unsigned row;  /* the line the row began on */
    char *text;    /* the row's cells, each with a NUL behind it */
    size_t len, room;
    size_t *cells; /* where they begin in `text` */
    size_t n_cells, room_cells;
    const char *problem;
};

static const char a_nul[] = "a NUL byte";

enum column { COLUMN_VAR, COLUMN_KEY, COLUMN_BOOT, COLUMN_ARGS };

struct header {
    enum column *columns;
    char **names;
    size_t n, key;
};

static bool put(struct csv *csv, char c)
{
    if (csv->len == csv->room) {
        size_t room = csv->room * 2 + 256;
        char *text = realloc(csv->text, room);
        if (!text)
            return false;
        csv->text = text;
        csv->room = room;
    }
    csv->text[csv->len++] = c;
    return true;
}

static bool begin_cell(struct csv *csv)
{
    if (csv->n_cells == csv->room_cells) {
        size_t room = csv->room_cells * 2 + 16;
        size_t *cells = realloc(csv->cells, room * sizeof *cells);
        if (!cells)
            return false;
        csv->cells = cells;
        csv->room_cells = room;
    }
    csv->cells[csv->n_cells++] = csv->len;
    return true;
}

static bool at_line_end(const struct csv *csv)
{
    return csv->at == csv->end || *csv->at == '\n' || *csv->at == '\r';
}

static void skip_line_end(struct csv *csv)
{
    if (csv->at < csv->end && *csv->at == '\r')
        csv->at++;
    if (csv->at < csv->end && *csv->at == '\n')
        csv->at++;
    csv->line++;
}

/* Behind the opening quote, up to behind the closing one. */
static bool quoted(struct csv *csv)
{
    for (; csv->at < csv->end; csv->at++) {
        if (*csv->at == '"') {
            if (++csv->at == csv->end || *csv->at != '"')
                return true;
        }
        csv->line += *csv->at == '\n';
        if (*csv->at == '\0')
            csv->problem = a_nul;
        if (!put(csv, *csv->at))
            return false;
    }
    csv->problem = "a quote is not closed";
    return true;
}

/* The next row that has anything in it. False at the end, or when memory is out. */
static bool next_row(struct csv *csv)
{
    while (csv->at < csv->end && at_line_end(csv))
        skip_line_end(csv);
    csv->row = csv->line;
    csv->len = csv->n_cells = 0;
    csv->problem = NULL;
    if (csv->at == csv->end)
        return false;
    for (;;) {
        if (!begin_cell(csv))
            return false;
        bool quotes = csv->at < csv->end && *csv->at == '"';
        if (quotes && (csv->at++, !quoted(csv)))
            return false;
        if (quotes && !at_line_end(csv) && *csv->at != ',')
            csv->problem = "text behind a closing quote";
        while (!at_line_end(csv) && *csv->at != ',') {
            if (*csv->at == '"' && !quotes)
                csv->problem =
                    "a quote inside a value: put all of it in quotes, and write it twice";
            if (*csv->at == '\0')
                csv->problem = a_nul;
            if (!put(csv, *csv->at++))
                return false;
        }
        if (!put(csv, '\0'))
            return false;
        if (at_line_end(csv))
            break;
        csv->at++;
    }
    if (csv->at < csv->end)
        skip_line_end(csv);
    return true;
}

static const char *cell(const struct csv *csv, size_t i)
{
    return csv->text + csv->cells[i];
}

static size_t cell_len(const struct csv *csv, size_t i)
{
    return (i + 1 < csv->n_cells ? csv->cells[i + 1] : csv->len) - csv->cells[i] - 1;
}

static void header_free(struct header *header)
{
    for (size_t i = 0; i < header->n; i++)
        free(header->names[i]);
    free(header->names);
    free(header->columns);
}

/* A column's meaning by its name; false after a problem. */
static bool read_column(struct inventory_build *build, struct header *header, size_t i,
                        unsigned line)
{
    const char *name = header->names[i];
    for (size_t j = 0; j < i; j++) {
        if (!strcmp(header->names[j], name)) {
            inventory_build_problem(build, line, "there are two columns \"%s\"", name);
            return false;
        }
    }
    if (i == header->key)
        header->columns[i] = COLUMN_KEY;
    else if (!strcmp(name, "boot"))
        header->columns[i] = COLUMN_BOOT;
    else if (!strcmp(name, "args"))
        header->columns[i] = COLUMN_ARGS;
    else if (!inventory_build_is_name(name)) {
        inventory_build_problem(build, line,
                                "column %zu is \"%s\": a var's name is letters, digits "
                                "and _",
                                i + 1, name);
        return false;
    }
    return true;
}

static bool read_header(struct inventory_build *build, struct csv *csv, struct header *header)
{
    const char *key = build->options->key;
    if (!next_row(csv)) {
        inventory_build_problem(build, 1, "it is empty, expected a line of names for the columns");
        return false;
    }
    if (csv->problem) {
        inventory_build_problem(build, csv->row, "%s", csv->problem);
        return false;
    }
    header->names = calloc(csv->n_cells, sizeof *header->names);
    header->columns = calloc(csv->n_cells, sizeof *header->columns);
    header->n = header->names ? csv->n_cells : 0;
    bool ok = header->names && header->columns;
    header->key = key ? csv->n_cells : 0;
    for (size_t i = 0; ok && i < csv->n_cells; i++) {
        header->names[i] = strdup(cell(csv, i));
        ok = header->names[i] != NULL;
        if (ok && key && !strcmp(header->names[i], key))
            header->key = i;
    }
    build->out_of_memory = build->out_of_memory || !ok;
    if (ok && header->key == csv->n_cells) {
        inventory_build_problem(build, csv->row, "there is no column \"%s\"", key);
        return false;
    }
    if (!ok || (!key && !inventory_build_key(build, header->names[0], csv->row)))
        return false;
    for (size_t i = 0; i < header->n; i++)
        ok = read_column(build, header, i, csv->row) && ok;
    return ok;
}

#define SEALED "sealed:"

/* What follows "sealed:"; NULL when the text is not sealed. */
static const char *sealed_of(const char *text)
{
    return strncmp(text, SEALED, sizeof SEALED - 1) ? NULL : text + sizeof SEALED - 1;
}

/* Words between spaces. */
static void read_args(struct inventory_build *build, const char *text, unsigned line)
{
    char small[4096];
    for (;;) {
        text += strspn(text, " \t");
        size_t len = strcspn(text, " \t");
        if (!len)
            return;
        char *word = len < sizeof small ? small : malloc(len + 1);
        if (!word) {
            build->out_of_memory = true;
            return;
        }
        memcpy(word, text, len);
        word[len] = '\0';
        const char *sealed = sealed_of(word);
        if (sealed)
            inventory_build_sealed_arg(build, &build->draft, sealed, strlen(sealed), line);
        else if (len >= sizeof small)
            inventory_build_problem(build, line, "args: an argument of %zu bytes", len);
        else
            inventory_build_arg(build, &build->draft, word, len, line);
        if (word != small)
            free(word);
        text += len;
    }
}

static void read_var(struct inventory_build *build, const char *name,
                     const struct inventory_value *value, unsigned line)
{
    if (inventory_build_var(build, &build->draft, name, line))
        inventory_build_value(build, &build->draft, value);
}

static void read_host(struct inventory_build *build, const struct csv *csv,
                      const struct header *header)
{
    inventory_build_begin(build, &build->draft);
    for (size_t i = 0; i < csv->n_cells; i++) {
        struct inventory_value value = {
            .kind = INVENTORY_STRING, .text = cell(csv, i), .len = cell_len(csv, i)};
        if (!value.len)
            continue; /* nothing was said */
        const char *sealed = header->columns[i] == COLUMN_VAR ? sealed_of(value.text) : NULL;
        if (sealed) {
            value.kind = INVENTORY_SEALED;
            value.text = sealed;
            value.len = strlen(sealed);
            inventory_build_sealed(build, sealed, value.len, csv->row);
        }
        if (header->columns[i] == COLUMN_BOOT)
            inventory_build_boot(build, &build->draft, value.text, csv->row);
        else if (header->columns[i] == COLUMN_ARGS)
            read_args(build, value.text, csv->row);
        else if (header->columns[i] == COLUMN_VAR)
            read_var(build, header->names[i], &value, csv->row);
    }
    inventory_build_host(build, cell(csv, header->key), cell_len(csv, header->key), csv->row);
}

void inventory_csv_read(struct inventory_build *build, const char *text, size_t len)
{
    struct csv csv = {.at = text, .end = text + len, .line = 1};
    struct header header = {0};
    if (len >= 3 && !memcmp(text, "\xef\xbb\xbf", 3))
        csv.at += 3;
    bool ok = read_header(build, &csv, &header);
    while (ok && next_row(&csv)) {
        if (csv.problem)
            inventory_build_problem(build, csv.row, "%s", csv.problem);
        else if (csv.n_cells != header.n)
            inventory_build_problem(build, csv.row, "found %zu values, expected %zu", csv.n_cells,
                                    header.n);
        else
            read_host(build, &csv, &header);
    }
    build->out_of_memory = build->out_of_memory || (ok && csv.at < csv.end);
    header_free(&header);
    free(csv.text);
    free(csv.cells);
}
