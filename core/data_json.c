#include "data_json.h"

#include <stdlib.h>
#include <string.h>

static const char no_memory[] = "no memory to read it";

void data_json_init(struct data_json *json, const char *text, size_t len)
{
    *json = (struct data_json){.at = text, .end = text + len, .line = 1, .line_start = text};
    if (len >= 3 && !memcmp(text, "\xef\xbb\xbf", 3))
        json->at += 3;
}

void data_json_free(struct data_json *json)
{
    free(json->text);
}

static bool fail(struct data_json *json, const char *problem)
{
    json->problem = problem;
    json->column = (unsigned)(json->at - json->line_start) + 1;
    return false;
}

/* The next character, or 0 at the end; one that is itself 0 is none that JSON has. */
static char peek(const struct data_json *json)
{
    return json->at < json->end ? *json->at : '\0';
}

static char skip_space(struct data_json *json)
{
    for (;; json->at++) {
        char c = peek(json);
        if (c == '\n') {
            json->line++;
            json->line_start = json->at + 1;
        } else if (c != ' ' && c != '\t' && c != '\r') {
            return c;
        }
    }
}

static bool put(struct data_json *json, const char *bytes, size_t len)
{
    if (json->room - json->len <= len) {
        size_t room = (json->len + len) * 2 + 64;
        char *text = realloc(json->text, room);
        if (!text)
            return fail(json, no_memory);
        json->text = text;
        json->room = room;
    }
    memcpy(json->text + json->len, bytes, len);
    json->len += len;
    json->text[json->len] = '\0';
    return true;
}

/* --- strings ---------------------------------------------------------------------------------- */

static bool hex4(struct data_json *json, unsigned *code)
{
    *code = 0;
    for (int i = 0; i < 4; i++) {
        char c = peek(json);
        unsigned digit = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
                         : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a' + 10)
                         : c >= 'A' && c <= 'F' ? (unsigned)(c - 'A' + 10)
                                                : 16;
        if (digit == 16)
            return fail(json, "\\u wants four hexadecimal digits");
        *code = *code << 4 | digit;
        json->at++;
    }
    return true;
}

static bool put_code(struct data_json *json, unsigned code)
{
    char bytes[4];
    size_t n = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    static const unsigned char leads[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = n - 1; i > 0; i--, code >>= 6)
        bytes[i] = (char)(0x80 | (code & 0x3f));
    bytes[0] = (char)(leads[n] | code);
    return put(json, bytes, n);
}

/* Behind "\u": beyond U+FFFF two of them make one character. */
static bool unicode(struct data_json *json)
{
    unsigned code, low;
    if (!hex4(json, &code))
        return false;
    if (code >= 0xd800 && code <= 0xdbff) {
        if (json->end - json->at < 2 || json->at[0] != '\\' || json->at[1] != 'u')
            return fail(json, "half of a surrogate pair");
        json->at += 2;
        if (!hex4(json, &low))
            return false;
        if (low < 0xdc00 || low > 0xdfff)
            return fail(json, "half of a surrogate pair");
        code = 0x10000 + ((code - 0xd800) << 10 | (low - 0xdc00));
    } else if (code >= 0xdc00 && code <= 0xdfff) {
        return fail(json, "half of a surrogate pair");
    }
    return put_code(json, code);
}

static bool escape(struct data_json *json)
{
    static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    char c = peek(json);
    const char *name = c ? strchr(names, c) : NULL;
    if (!name && c != 'u')
        return fail(json, "an escape that JSON has not");
    json->at++;
    return name ? put(json, &values[name - names], 1) : unicode(json);
}

/* The length of the UTF-8 sequence that begins here; 0 when it is none. */
static size_t utf8(const struct data_json *json)
{
    const unsigned char *at = (const unsigned char *)json->at;
    size_t n = *at < 0x80   ? 1
               : *at < 0xc2 ? 0
               : *at < 0xe0 ? 2
               : *at < 0xf0 ? 3
               : *at < 0xf5 ? 4
                            : 0;
    if ((size_t)(json->end - json->at) < n)
        return 0;
    for (size_t i = 1; i < n; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    }
    bool overlong = (*at == 0xe0 && at[1] < 0xa0) || (*at == 0xf0 && at[1] < 0x90);
    bool surrogate = *at == 0xed && at[1] > 0x9f;
    return overlong || surrogate || (*at == 0xf4 && at[1] > 0x8f) ? 0 : n;
}

/* A string, whose quote is at hand. */
static bool string(struct data_json *json)
{
    json->at++;
    json->len = 0;
    if (!put(json, "", 0))
        return false;
    while (json->at < json->end) {
        const char *from = json->at;
        while (json->at < json->end && (signed char)*json->at >= ' ' && *json->at != '"' &&
               *json->at != '\\')
            json->at++; /* plain ASCII */
        if (json->at > from && !put(json, from, (size_t)(json->at - from)))
            return false;
        if (json->at == json->end)
            break;
        if (*json->at == '"') {
            json->at++;
            return true;
        }
        if (*json->at == '\\') {
            json->at++;
            if (!escape(json))
                return false;
            continue;
        }
        size_t n = (unsigned char)*json->at < ' ' ? 0 : utf8(json);
        if (!n)
            return fail(json, (unsigned char)*json->at < ' ' ? "a control character in a string"
                                                             : "bytes that are not UTF-8");
        if (!put(json, json->at, n))
            return false;
        json->at += n;
    }
    return fail(json, "a string is not closed");
}

/* --- the rest ------------------------------------------------------------------------------------
 */

/* true, false, null and numbers: what they may be is checked by data_type's rules, what JSON
 * forbids of that here. */
static bool literal(struct data_json *json)
{
    const char *from = json->at;
    size_t len = 0;
    while (json->at < json->end && *json->at &&
           strchr("+-.0123456789abcdefghijklmnopqrstuvwxyzE", *json->at))
        json->at++;
    len = (size_t)(json->at - from);
    json->len = 0;
    if (!put(json, from, len))
        return false;
    struct data_event event = {.text = json->text, .len = len, .plain = true};
    bool boolean;
    double number;
    const char *text = json->text, *digits = text + (*text == '-');
    bool word = !strcmp(text, "true") || !strcmp(text, "false") || !strcmp(text, "null");
    bool starts = *digits >= '0' && *digits <= '9' && !strchr(text, 'x') && !strchr(text, 'o');
    const char *dot = strchr(text, '.');
    bool ends = !dot || (dot[1] >= '0' && dot[1] <= '9');
    bool large = strspn(digits, "0123456789") == strlen(digits) && *digits != '0';
    if (word || (starts && ends && (large || data_type(&event, &boolean, &number) == DATA_NUMBER)))
        return true;
    json->at = from;
    return fail(json, len ? "a word or a number that JSON has not" : "not what JSON has here");
}

static bool open_level(struct data_json *json, char bracket)
{
    if (json->depth == DATA_DEPTH)
        return fail(json, "it is nested too deeply");
    json->levels[json->depth++] = bracket;
    json->state = DATA_JSON_FIRST;
    json->at++;
    return true;
}

static void value_ends(struct data_json *json)
{
    json->state = json->depth ? DATA_JSON_MORE : DATA_JSON_OVER;
}

static bool value(struct data_json *json, struct data_event *event, char c)
{
    if (c == '[' || c == '{') {
        event->kind = c == '[' ? DATA_LIST : DATA_MAPPING;
        return open_level(json, c);
    }
    event->kind = DATA_SCALAR;
    event->plain = c != '"';
    if (json->at == json->end)
        return fail(json, "it ends too early");
    if (!(c == '"' ? string(json) : literal(json)))
        return false;
    event->text = json->text;
    event->len = json->len;
    value_ends(json);
    return true;
}

static bool key(struct data_json *json, struct data_event *event, char c)
{
    event->kind = DATA_SCALAR;
    if (c != '"')
        return fail(json, "expected a key in quotes");
    if (!string(json))
        return false;
    event->text = json->text;
    event->len = json->len;
    if (skip_space(json) != ':')
        return fail(json, "expected \":\" behind a key");
    json->at++;
    json->state = DATA_JSON_VALUE;
    return true;
}

bool data_json_next(struct data_json *json, struct data_event *event)
{
    char c = skip_space(json);
    bool in_object = json->depth && json->levels[json->depth - 1] == '{';
    if (json->state == DATA_JSON_MORE && c == ',') {
        json->at++;
        c = skip_space(json);
        json->state = DATA_JSON_VALUE;
        *event = (struct data_event){.line = json->line,
                                     .column = (unsigned)(json->at - json->line_start) + 1};
        return in_object ? key(json, event, c) : value(json, event, c);
    }
    *event = (struct data_event){.line = json->line,
                                 .column = (unsigned)(json->at - json->line_start) + 1};
    switch (json->state) {
    case DATA_JSON_OVER:
        event->kind = DATA_DONE;
        return json->at == json->end || fail(json, "there is more behind the document");
    case DATA_JSON_VALUE:
        return value(json, event, c);
    case DATA_JSON_FIRST:
    case DATA_JSON_MORE:
        if (c == (in_object ? '}' : ']')) {
            event->kind = DATA_END;
            json->depth--;
            json->at++;
            value_ends(json);
            return true;
        }
        if (json->state == DATA_JSON_MORE)
            return fail(json, in_object ? "expected \",\" or \"}\"" : "expected \",\" or \"]\"");
        return in_object ? key(json, event, c) : value(json, event, c);
    }
    return false;
}
