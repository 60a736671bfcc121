/* YAML and JSON as one stream of events, for readers that need no tree: a document of a
 * million hosts passes through here without ever being held.
 *
 * What an event says is checked: events nest, keys are scalars, one document, at most
 * DATA_DEPTH levels. YAML's aliases are replayed in place, at most as many events of them
 * as the text has bytes (and DATA_ALIASES in any case): nothing blows up. */
#ifndef MOONBOOT_DATA_H
#define MOONBOOT_DATA_H

#include <stdbool.h>
#include <stddef.h>

#define DATA_DEPTH   64
#define DATA_KEY     1024 /* bytes */
#define DATA_ALIASES 10000
#define DATA_ANCHORS 1000

enum data_kind {
    DATA_SCALAR,
    DATA_LIST,    /* values follow, and DATA_END */
    DATA_MAPPING, /* pairs of key and value follow, and DATA_END */
    DATA_END,
    DATA_DONE, /* the end of the document; again and again */
};

struct data_event {
    enum data_kind kind;
    const char *text; /* of a scalar, with a NUL behind it; valid until the next event */
    size_t len;
    bool plain;            /* a scalar without quotes: it may be a number */
    bool sealed;           /* a scalar with YAML's tag !sealed */
    bool key;              /* a scalar that is a mapping's key */
    unsigned line, column; /* from 1 */
};

struct data;

/* A reader of a text, which must outlive it. NULL when memory is out. */
struct data *data_yaml(const char *text, size_t len);
struct data *data_json(const char *text, size_t len); /* RFC 8259, strictly */
void data_free(struct data *data);

/* The next event. False: data_problem says what is wrong, and so does every later call. */
bool data_next(struct data *data, struct data_event *event);

/* Reads on to the end of what `event` began (a scalar has ended already). */
bool data_skip(struct data *data, const struct data_event *event);

/* What is wrong, and where: line and column, from 1. */
const char *data_problem(const struct data *data, unsigned *line, unsigned *column);

/* What a scalar stands for, by YAML 1.2's core schema (10.3.2) but for two liberties that
 * keep what people wrote: numbers with leading zeros (an octal number to some, a decimal
 * one to others, most often an identifier) and whole numbers from 2^53 on are text. */
enum data_type { DATA_TEXT, DATA_NULL, DATA_BOOLEAN, DATA_NUMBER };
enum data_type data_type(const struct data_event *event, bool *boolean, double *number);

#endif
