#include "facts.h"

#include <stdlib.h>
#include <string.h>

#include "bytes.h"

#define FACT_MAX    4096 /* bytes of one value */
#define MEMBERS_MAX 64   /* of a set */
#define LABELS_MAX  256

static void write_text(struct json_line *line, const char *key, const char *text, size_t len,
                       const struct mask *mask)
{
    char masked[FACT_MAX];
    if (!mask_may_find(mask, text, len)) {
        json_line_string(line, key, text, len);
        return;
    }
    if (len >= sizeof masked) {
        line->cut = true;
        return;
    }
    len = mask_text(mask, text, len, masked, sizeof masked);
    json_line_string(line, key, masked, len);
}

static void write_label(struct json_line *line, struct bytes key, const char *text, size_t len,
                        const struct mask *mask)
{
    char name[256];
    if (key.len >= sizeof name) {
        line->cut = true;
        return;
    }
    memcpy(name, key.data, key.len);
    name[key.len] = '\0';
    if (mask_is_name(name, key.len))
        json_line_string(line, name, MASK_MARK, sizeof MASK_MARK - 1);
    else
        write_text(line, name, text, len, mask);
}

static int by_bytes(const void *a, const void *b)
{
    const struct bytes *x = a, *y = b;
    int order = memcmp(x->data, y->data, x->len < y->len ? x->len : y->len);
    return order ? order : (x->len > y->len) - (x->len < y->len);
}

/* The labels' names in the table on top, in order. */
static size_t label_names(lua_State *L, struct bytes names[LABELS_MAX], struct json_line *line)
{
    size_t n = 0;
    for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
        if (lua_type(L, -2) != LUA_TSTRING || lua_type(L, -1) != LUA_TSTRING)
            continue;
        if (n == LABELS_MAX) {
            line->cut = true;
            continue;
        }
        names[n].data = (const uint8_t *)lua_tolstring(L, -2, &names[n].len); /* the table's */
        n++;
    }
    qsort(names, n, sizeof *names, by_bytes);
    return n;
}

/* Of the table on top the labels that are text, or, with `hex`, those that are not. */
static void write_labels(lua_State *L, const struct bytes *names, size_t n, const struct mask *mask,
                         struct json_line *line, bool hex)
{
    bool open = false;
    for (size_t i = 0; i < n; i++) {
        size_t len;
        const char *name = (const char *)names[i].data;
        lua_pushlstring(L, name, names[i].len);
        lua_rawget(L, -2);
        const char *text = lua_tolstring(L, -1, &len);
        bool plain = json_line_is_text(name, names[i].len) && json_line_is_text(text, len);
        if (plain != hex) {
            if (!open && !(open = json_line_open(line, hex ? "label-hex" : "label")))
                n = i; /* no room for any */
            else if (!hex)
                write_label(line, names[i], text, len, mask);
            else if (mask_is_name(name, names[i].len) || mask_may_find(mask, text, len))
                line->cut = true;
            else
                json_line_hex(line, name, names[i].len, text, len);
        }
        lua_pop(L, 1);
    }
    if (open)
        json_line_close(line);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The table on top, a set of words, as one text in alphabetical order. */
static void write_set(lua_State *L, const char *key, struct json_line *line)
{
    const char *words[MEMBERS_MAX];
    char text[FACT_MAX];
    size_t n = 0, len = 0;
    for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
        if (lua_type(L, -2) == LUA_TSTRING && n < MEMBERS_MAX)
            words[n++] = lua_tostring(L, -2); /* the set keeps it */
    }
    qsort(words, n, sizeof *words, by_text);
    for (size_t i = 0; i < n; i++) {
        size_t word = strlen(words[i]);
        if (len + word + 1 >= sizeof text)
            break;
        if (i)
            text[len++] = ' ';
        memcpy(text + len, words[i], word);
        len += word;
    }
    json_line_string(line, key, text, len);
}

static void write_fact(lua_State *L, const char *key, const struct mask *mask,
                       struct json_line *line)
{
    size_t len;
    const char *text;
    switch (lua_type(L, -1)) {
    case LUA_TSTRING:
        text = lua_tolstring(L, -1, &len);
        write_text(line, key, text, len, mask);
        break;
    case LUA_TNUMBER:
        json_line_decimal(line, key, lua_tonumber(L, -1));
        break;
    case LUA_TBOOLEAN: /* known to be absent */
        json_line_bool(line, key, lua_toboolean(L, -1));
        break;
    case LUA_TTABLE:
        if (!strcmp(key, "label")) {
            struct bytes names[LABELS_MAX];
            size_t n = label_names(L, names, line);
            write_labels(L, names, n, mask, line, false);
            write_labels(L, names, n, mask, line, true);
        } else {
            write_set(L, key, line);
        }
        break;
    default:
        break;
    }
}

void facts_write(lua_State *L, int index, int names, const struct mask *mask,
                 struct json_line *line)
{
    size_t n = lua_objlen(L, names);
    for (size_t i = 1; i <= n; i++) {
        lua_rawgeti(L, names, (int)i);
        const char *key = lua_tostring(L, -1);
        lua_rawget(L, index);
        write_fact(L, key, mask, line);
        lua_pop(L, 1);
    }
}
