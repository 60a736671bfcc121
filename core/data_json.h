/* Inside data.c: JSON (RFC 8259), strictly. */
#ifndef MOONBOOT_DATA_JSON_H
#define MOONBOOT_DATA_JSON_H

#include "data.h"

struct data_json {
    const char *at, *end;
    unsigned line;
    const char *line_start;
    char levels[DATA_DEPTH]; /* what is open: '[' or '{' */
    unsigned depth;
    enum {
        DATA_JSON_VALUE, /* a value comes next */
        DATA_JSON_FIRST, /* the first of a list or an object, or its end */
        DATA_JSON_MORE,  /* a comma and more, or its end */
        DATA_JSON_OVER,
    } state;
    char *text; /* of the last scalar */
    size_t len, room;
    const char *problem; /* of data_json_next, at line and column */
    unsigned column;
};

void data_json_init(struct data_json *json, const char *text, size_t len);
void data_json_free(struct data_json *json);
bool data_json_next(struct data_json *json, struct data_event *event);

#endif
