#include "data_json.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

/* --- the tape: the events of nodes with an anchor, for its aliases --------------------- */

struct anchor {
    char *name;
    size_t from, to; /* on the tape; `to` is 0 while the node has not ended */
    unsigned depth;
};

struct tape {
    struct data_event *events; /* with texts of their own */
    size_t n_events, room;
    struct anchor anchors[DATA_ANCHORS];
    size_t n_anchors;
    size_t open[DATA_DEPTH + 1]; /* the anchors whose node has not ended, the innermost last */
    size_t n_open;
};

struct data {
    bool is_json;
    struct data_json json;

    yaml_parser_t parser;
    yaml_event_t event; /* holds the text of the last event */
    const char *text;
    size_t len;

    enum { IN_LIST, KEY_NEXT, VALUE_NEXT } levels[DATA_DEPTH]; /* what is open */
    unsigned depth;
    bool begun, done, failed;

    const char *problem;
    unsigned line, column; /* of the problem */

    struct tape tape;
    size_t replay, replay_end; /* the alias at hand */
    size_t budget;             /* of replayed events */
};

static const char no_memory[] = "no memory to read it";

static bool fail(struct data *data, unsigned line, unsigned column, const char *problem)
{
    data->failed = true;
    data->problem = problem;
    data->line = line;
    data->column = column;
    return false;
}

static bool fail_at(struct data *data, const struct data_event *event, const char *problem)
{
    return fail(data, event->line, event->column, problem);
}

static bool record(struct tape *tape, const struct data_event *event)
{
    if (tape->n_events == tape->room) {
        size_t room = tape->room * 2 + 64;
        struct data_event *events = realloc(tape->events, room * sizeof *events);
        if (!events)
            return false;
        tape->events = events;
        tape->room = room;
    }
    char *text = NULL;
    if (event->kind == DATA_SCALAR) {
        if (!(text = malloc(event->len + 1)))
            return false;
        memcpy(text, event->text, event->len + 1);
    }
    tape->events[tape->n_events] = *event;
    tape->events[tape->n_events++].text = text;
    return true;
}

static void tape_free(struct tape *tape)
{
    for (size_t i = 0; i < tape->n_events; i++)
        free((char *)tape->events[i].text);
    free(tape->events);
    for (size_t i = 0; i < tape->n_anchors; i++)
        free(tape->anchors[i].name);
}

/* The node that begins has this anchor; NULL, or what is wrong. */
static const char *anchor_begin(struct data *data, const char *name)
{
    struct tape *tape = &data->tape;
    if (tape->n_anchors == DATA_ANCHORS)
        return "more anchors than are allowed";
    char *copy = strdup(name);
    if (!copy)
        return no_memory;
    tape->open[tape->n_open++] = tape->n_anchors;
    tape->anchors[tape->n_anchors++] = (struct anchor){copy, tape->n_events, 0, data->depth};
    return NULL;
}

/* A node has ended at this depth, and with it the anchor it may have. */
static void anchor_end(struct data *data)
{
    struct tape *tape = &data->tape;
    if (!tape->n_open)
        return;
    struct anchor *innermost = &tape->anchors[tape->open[tape->n_open - 1]];
    if (innermost->depth == data->depth) {
        innermost->to = tape->n_events;
        tape->n_open--;
    }
}

/* The last anchor of that name counts, as YAML has it. */
static const struct anchor *anchor_find(const struct tape *tape, const char *name)
{
    for (size_t i = tape->n_anchors; i-- > 0;) {
        if (!strcmp(tape->anchors[i].name, name))
            return &tape->anchors[i];
    }
    return NULL;
}

/* --- YAML ------------------------------------------------------------------------------ */

struct data *data_yaml(const char *text, size_t len)
{
    struct data *data = calloc(1, sizeof *data);
    if (!data)
        return NULL;
    if (!yaml_parser_initialize(&data->parser)) {
        free(data);
        return NULL;
    }
    data->text = text;
    data->len = len;
    data->budget = len > DATA_ALIASES ? len : DATA_ALIASES;
    yaml_parser_set_input_string(&data->parser, (const unsigned char *)text, len);
    return data;
}

struct data *data_json(const char *text, size_t len)
{
    struct data *data = calloc(1, sizeof *data);
    if (!data)
        return NULL;
    data->is_json = true;
    data_json_init(&data->json, text, len);
    return data;
}

void data_free(struct data *data)
{
    if (!data)
        return;
    if (data->is_json) {
        data_json_free(&data->json);
    } else {
        yaml_event_delete(&data->event);
        yaml_parser_delete(&data->parser);
    }
    tape_free(&data->tape);
    free(data);
}

/* libyaml's own complaint. About bytes that are no UTF-8 it knows the offset alone. */
static bool yaml_fail(struct data *data)
{
    const yaml_parser_t *parser = &data->parser;
    unsigned line = (unsigned)parser->problem_mark.line + 1;
    unsigned column = (unsigned)parser->problem_mark.column + 1;
    if (parser->error == YAML_MEMORY_ERROR)
        return fail(data, 1, 1, no_memory);
    if (parser->error == YAML_READER_ERROR) {
        line = column = 1;
        for (size_t i = 0; i < parser->problem_offset && i < data->len; i++) {
            column = data->text[i] == '\n' ? 1 : column + 1;
            line += data->text[i] == '\n';
        }
    }
    return fail(data, line, column, parser->problem ? parser->problem : "it is no YAML");
}

static bool yaml_next(struct data *data)
{
    yaml_event_delete(&data->event);
    return yaml_parser_parse(&data->parser, &data->event) ? true : yaml_fail(data);
}

static bool alias(struct data *data, unsigned line, unsigned column)
{
    const char *name = (const char *)data->event.data.alias.anchor;
    const struct anchor *anchor = anchor_find(&data->tape, name);
    if (!anchor)
        return fail(data, line, column, "an alias of an anchor that there is not");
    if (!anchor->to)
        return fail(data, line, column, "an alias inside of what it stands for");
    size_t n = anchor->to - anchor->from;
    if (n > data->budget)
        return fail(data, line, column, "aliases make this document too large");
    data->budget -= n;
    data->replay = anchor->from;
    data->replay_end = anchor->to;
    return true;
}

/* The event of libyaml's; `anchor` is the name it has. Events of the stream and of the
 * document are passed over; an alias starts a replay. */
static bool yaml_event(struct data *data, struct data_event *event, const char **anchor)
{
    for (;;) {
        if (data->replay < data->replay_end) {
            *event = data->tape.events[data->replay++];
            return true;
        }
        if (!yaml_next(data))
            return false;
        const yaml_event_t *e = &data->event;
        unsigned line = (unsigned)e->start_mark.line + 1;
        unsigned column = (unsigned)e->start_mark.column + 1;
        *event = (struct data_event){.line = line, .column = column};
        switch (e->type) {
        case YAML_SCALAR_EVENT:
            event->kind = DATA_SCALAR;
            event->text = (const char *)e->data.scalar.value;
            event->len = e->data.scalar.length;
            event->plain = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && !e->data.scalar.tag;
            event->sealed =
                e->data.scalar.tag && !strcmp((const char *)e->data.scalar.tag, "!sealed");
            *anchor = (const char *)e->data.scalar.anchor;
            return true;
        case YAML_SEQUENCE_START_EVENT:
            event->kind = DATA_LIST;
            *anchor = (const char *)e->data.sequence_start.anchor;
            return true;
        case YAML_MAPPING_START_EVENT:
            event->kind = DATA_MAPPING;
            *anchor = (const char *)e->data.mapping_start.anchor;
            return true;
        case YAML_SEQUENCE_END_EVENT:
        case YAML_MAPPING_END_EVENT:
            event->kind = DATA_END;
            return true;
        case YAML_STREAM_END_EVENT:
            event->kind = DATA_DONE;
            return true;
        case YAML_DOCUMENT_START_EVENT:
            if (data->begun)
                return fail(data, line, column, "a second document, expected one alone");
            data->begun = true;
            break;
        case YAML_ALIAS_EVENT:
            if (!alias(data, line, column))
                return false;
            break;
        default:
            break;
        }
    }
}

/* --- what both have in common ------------------------------------------------------------ */

/* Keeps the levels by an event that begins or is a node. */
static bool enter(struct data *data, struct data_event *event)
{
    unsigned top = data->depth;
    if (top && data->levels[top - 1] == KEY_NEXT) {
        event->key = true;
        data->levels[top - 1] = VALUE_NEXT;
        if (event->kind != DATA_SCALAR)
            return fail_at(data, event, "a key that is no text");
        if (event->len > DATA_KEY)
            return fail_at(data, event, "a key that is too long");
    } else if (top && data->levels[top - 1] == VALUE_NEXT) {
        data->levels[top - 1] = KEY_NEXT;
    }
    if (event->kind == DATA_SCALAR)
        return true;
    if (top == DATA_DEPTH)
        return fail_at(data, event, "it is nested too deeply");
    data->levels[data->depth++] = event->kind == DATA_LIST ? IN_LIST : KEY_NEXT;
    return true;
}

bool data_next(struct data *data, struct data_event *event)
{
    const char *anchor = NULL;
    if (data->failed)
        return false;
    if (data->done) {
        *event = (struct data_event){.kind = DATA_DONE};
        return true;
    }
    if (data->is_json && !data_json_next(&data->json, event))
        return fail(data, data->json.line, data->json.column, data->json.problem);
    if (!data->is_json && !yaml_event(data, event, &anchor))
        return false;
    if (event->kind == DATA_DONE) {
        data->done = true;
        return true;
    }
    const char *problem = anchor ? anchor_begin(data, anchor) : NULL;
    if (problem)
        return fail_at(data, event, problem);
    event->key = false;
    if (event->kind == DATA_END)
        data->depth--;
    else if (!enter(data, event))
        return false;
    if (data->tape.n_open && !record(&data->tape, event))
        return fail_at(data, event, no_memory);
    if (event->kind == DATA_END || event->kind == DATA_SCALAR)
        anchor_end(data);
    return true;
}

bool data_skip(struct data *data, const struct data_event *event)
{
    struct data_event inside;
    if (event->kind != DATA_LIST && event->kind != DATA_MAPPING)
        return true;
    unsigned outside = data->depth - 1;
    do {
        if (!data_next(data, &inside))
            return false;
    } while (data->depth > outside);
    return true;
}

const char *data_problem(const struct data *data, unsigned *line, unsigned *column)
{
    *line = data->line;
    *column = data->column;
    return data->problem;
}

/* --- scalars -------------------------------------------------------------------------------- */

static bool is_one_of(const char *text, const char *const *words)
{
    while (*words && strcmp(text, *words) != 0)
        words++;
    return *words != NULL;
}

static bool all_of(const char *text, const char *characters)
{
    return *text && strspn(text, characters) == strlen(text);
}

/* 0x1f and 0o17; false from 2^53 on. */
static bool based_number(const char *text, double *number)
{
    const char *digits = text + 2;
    int base = text[0] != '0' ? 0 : text[1] == 'x' ? 16 : text[1] == 'o' ? 8 : 0;
    if (!base || !all_of(digits, base == 16 ? "0123456789abcdefABCDEF" : "01234567"))
        return false;
    errno = 0;
    unsigned long long value = strtoull(digits, NULL, base);
    *number = (double)value;
    return !errno && value < 1ULL << 53;
}

/* [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )? */
static bool decimal_number(const char *text, double *number)
{
    static const char digits[] = "0123456789";
    const char *at = text + (*text == '-' || *text == '+');
    size_t whole = strspn(at, digits), fraction = 0;
    bool integer = true;
    if (whole > 1 && *at == '0')
        return false;
    at += whole;
    if (*at == '.') {
        fraction = strspn(++at, digits);
        at += fraction;
        integer = false;
    }
    if (whole + fraction == 0)
        return false;
    if (*at == 'e' || *at == 'E') {
        at++;
        at += *at == '-' || *at == '+';
        size_t exponent = strspn(at, digits);
        if (!exponent)
            return false;
        at += exponent;
        integer = false;
    }
    if (*at)
        return false;
    *number = strtod(text, NULL);
    return isfinite(*number) && !(integer && fabs(*number) >= 9007199254740992.0);
}

enum data_type data_type(const struct data_event *event, bool *boolean, double *number)
{
    static const char *const nothing[] = {"", "~", "null", "Null", "NULL", NULL};
    static const char *const yes[] = {"true", "True", "TRUE", NULL};
    static const char *const no[] = {"false", "False", "FALSE", NULL};
    static const char *const infinite[] = {".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF", NULL};
    static const char *const less[] = {"-.inf", "-.Inf", "-.INF", NULL};
    static const char *const nan_names[] = {".nan", ".NaN", ".NAN", NULL};
    const char *text = event->text;
    if (!event->plain || strlen(text) != event->len)
        return DATA_TEXT;
    if (is_one_of(text, nothing))
        return DATA_NULL;
    *boolean = is_one_of(text, yes);
    if (*boolean || is_one_of(text, no))
        return DATA_BOOLEAN;
    if (based_number(text, number) || decimal_number(text, number))
        return DATA_NUMBER;
    if (is_one_of(text, infinite))
        *number = INFINITY;
    else if (is_one_of(text, less))
        *number = -INFINITY;
    else if (is_one_of(text, nan_names))
        *number = NAN;
    else
        return DATA_TEXT;
    return DATA_NUMBER;
}
