#include "json_line.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "json.h"

/* What the end may need: the mark of a cut, the outermost brace, the line feed. */
#define END_ROOM sizeof ",\"cut\":true}\n"

struct json_line json_line_begin(char *text, size_t size)
{
    struct json_line line = {.text = text, .room = size - END_ROOM, .depth = 1};
    line.text[line.len++] = '{';
    return line;
}

bool json_line_is_text(const char *text, size_t len)
{
    const unsigned char *s = (const unsigned char *)text;
    for (size_t at = 0, n; at < len; at += n) {
        n = s[at] < 0x80 ? s[at] != 0 : json_utf8(s + at, len - at);
        if (n == 0)
            return false;
    }
    return true;
}

/* A writer that notes when the room is over: the caller goes back to where he began. */
static void put(struct json_line *line, const char *text, size_t len)
{
    if (line->cut || len > line->room - line->len) {
        line->cut = true;
        return;
    }
    memcpy(line->text + line->len, text, len);
    line->len += len;
}

static void put_char(struct json_line *line, char c)
{
    put(line, &c, 1);
}

static void put_escaped(struct json_line *line, const char *text, size_t len)
{
    size_t plain = 0;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c >= ' ' && c != '"' && c != '\\' && c != 0x7f)
            continue;
        char code[8];
        put(line, text + plain, i - plain);
        if (c == '"' || c == '\\')
            put(line, (char[]){'\\', (char)c}, 2);
        else
            put(line, code, (size_t)snprintf(code, sizeof code, "\\u%04x", c));
        plain = i + 1;
    }
    put(line, text + plain, len - plain);
}

static void put_hex(struct json_line *line, const char *text, size_t len)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        put(line, (char[]){digits[c >> 4], digits[c & 15]}, 2);
    }
}

/* What a member is written over when it does not fit: all since then. */
struct mark {
    size_t len;
    bool comma, cut;
};

static struct mark begin_member(struct json_line *line, const char *key, const char *suffix)
{
    struct mark mark = {line->len, line->comma, line->cut};
    line->cut = false;
    if (line->comma)
        put_char(line, ',');
    put_char(line, '"');
    put_escaped(line, key, strlen(key));
    put(line, suffix, strlen(suffix));
    put(line, "\":", 2);
    line->comma = true;
    return mark;
}

static bool end_member(struct json_line *line, struct mark mark)
{
    if (!line->cut) {
        line->cut = mark.cut;
        return true;
    }
    line->len = mark.len;
    line->comma = mark.comma;
    return false;
}

/* What nearly all members are: text that fits and needs no care. False: not so, and nothing
 * has been written. */
static bool put_plain(struct json_line *line, const char *key, const char *text, size_t len)
{
    size_t key_len = strlen(key);
    if (key_len + len + sizeof ",\"\":\"\"" > line->room - line->len)
        return false;
    char *at = line->text + line->len;
    if (line->comma)
        *at++ = ',';
    *at++ = '"';
    memcpy(at, key, key_len);
    at += key_len;
    memcpy(at, "\":\"", 3);
    at += 3;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c < ' ' || c >= 0x7f || c == '"' || c == '\\')
            return false;
        at[i] = (char)c;
    }
    at += len;
    *at++ = '"';
    line->len = (size_t)(at - line->text);
    line->comma = true;
    return true;
}

void json_line_string(struct json_line *line, const char *key, const char *text, size_t len)
{
    if (put_plain(line, key, text, len))
        return;
    bool plain = json_line_is_text(text, len);
    struct mark mark = begin_member(line, key, plain ? "" : "-hex");
    put_char(line, '"');
    if (plain)
        put_escaped(line, text, len);
    else
        put_hex(line, text, len);
    put_char(line, '"');
    end_member(line, mark);
}

void json_line_hex(struct json_line *line, const char *key, size_t key_len, const char *text,
                   size_t len)
{
    struct mark mark = {line->len, line->comma, line->cut};
    line->cut = false;
    if (line->comma)
        put_char(line, ',');
    put_char(line, '"');
    line->comma = true;
    put_hex(line, key, key_len);
    put(line, "\":\"", 3);
    put_hex(line, text, len);
    put_char(line, '"');
    end_member(line, mark);
}

void json_line_number(struct json_line *line, const char *key, int64_t number)
{
    char text[24];
    size_t at = sizeof text;
    uint64_t left = number < 0 ? -(uint64_t)number : (uint64_t)number;
    struct mark mark = begin_member(line, key, "");
    do {
        text[--at] = (char)('0' + left % 10);
        left /= 10;
    } while (left > 0);
    if (number < 0)
        text[--at] = '-';
    put(line, text + at, sizeof text - at);
    end_member(line, mark);
}

void json_line_decimal(struct json_line *line, const char *key, double number)
{
    if (fabs(number) < 1e15 && number == floor(number)) {
        json_line_number(line, key, (int64_t)number);
        return;
    }
    char text[32];
    struct mark mark = begin_member(line, key, "");
    if (isfinite(number))
        put(line, text, (size_t)snprintf(text, sizeof text, "%.17g", number));
    else
        put(line, "null", 4); /* JSON has no word for it */
    end_member(line, mark);
}

void json_line_bool(struct json_line *line, const char *key, bool value)
{
    struct mark mark = begin_member(line, key, "");
    put(line, value ? "true" : "false", value ? 4 : 5);
    end_member(line, mark);
}

void json_line_object(struct json_line *line, const char *key, struct json_line *other)
{
    struct mark mark = begin_member(line, key, "");
    bool cut = other->cut;
    other->cut = false;
    size_t len = json_line_end(other) - 1; /* without the line feed */
    put(line, other->text, len);
    end_member(line, mark);
    line->cut |= cut;
}

bool json_line_open(struct json_line *line, const char *key)
{
    if (line->depth == JSON_LINE_DEPTH) {
        line->cut = true;
        return false;
    }
    struct mark mark = begin_member(line, key, "");
    put(line, "{}", 2);
    if (!end_member(line, mark))
        return false;
    line->len--;
    line->room--; /* it is kept for the end */
    line->depth++;
    line->comma = false;
    return true;
}

void json_line_close(struct json_line *line)
{
    line->text[line->len++] = '}';
    line->room++;
    line->depth--;
    line->comma = true;
}

size_t json_line_end(struct json_line *line)
{
    static const char mark[] = "\"cut\":true";
    while (line->depth > 1)
        json_line_close(line);
    if (line->cut) {
        if (line->comma)
            line->text[line->len++] = ',';
        memcpy(line->text + line->len, mark, sizeof mark - 1);
        line->len += sizeof mark - 1;
    }
    line->text[line->len++] = '}';
    line->text[line->len++] = '\n';
    return line->len;
}
