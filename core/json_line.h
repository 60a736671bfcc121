/* One line of JSON, an object, written into a buffer of fixed size: a member that does not fit
 * is left out whole, so that the line is sound whatever it is given. */
#ifndef MOONBOOT_JSON_LINE_H
#define MOONBOOT_JSON_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JSON_LINE_DEPTH 4 /* objects in objects, the line itself included */

/* len <= room; what closes the objects always finds its place behind `room`. */
struct json_line {
    char *text;
    size_t len;
    size_t room;
    unsigned depth; /* of open objects */
    bool comma;     /* a member stands before */
    bool cut;       /* something did not fit */
};

/* `text` has at least 64 bytes. */
struct json_line json_line_begin(char *text, size_t size);

/* Whether it can be text of JSON: UTF-8, without NUL. */
bool json_line_is_text(const char *text, size_t len);

/* Members. A string that is no text goes as hexadecimal under the name KEY-hex; both of the
 * other's parts always do. An object's members follow json_line_open, to its json_line_close;
 * when it did not fit, json_line_open is false and neither may follow. */
void json_line_string(struct json_line *line, const char *key, const char *text, size_t len);
void json_line_hex(struct json_line *line, const char *key, size_t key_len, const char *text,
                   size_t len);
void json_line_number(struct json_line *line, const char *key, int64_t number);
void json_line_decimal(struct json_line *line, const char *key, double number);
void json_line_bool(struct json_line *line, const char *key, bool value);
/* The member that another line is; the other is not to be written to any more. */
void json_line_object(struct json_line *line, const char *key, struct json_line *other);
bool json_line_open(struct json_line *line, const char *key);
void json_line_close(struct json_line *line);

/* Ends the line: `"cut":true` if anything was left out, "}" and a line feed. Its length. */
size_t json_line_end(struct json_line *line);

#endif
