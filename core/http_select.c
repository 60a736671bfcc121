#include "http_select.h"

#include <string.h>
#include <strings.h>

#include "http_date.h"

/* A list of entity tags, or "*" (RFC 9110, section 8.8.3). A weak tag never equals
 * ours in a strong comparison. What is no tag ends the list. */
static bool tags_include(const char *list, const char *etag, bool strong)
{
    size_t etag_len = strlen(etag);
    if (!strcmp(list, "*"))
        return true;
    for (;;) {
        list += strspn(list, ", \t");
        bool weak = !strncmp(list, "W/", 2);
        if (weak)
            list += 2;
        const char *close = *list == '"' ? strchr(list + 1, '"') : NULL;
        if (!close)
            return false;
        size_t len = (size_t)(close - list) + 1;
        if (len == etag_len && !memcmp(list, etag, len) && !(weak && strong))
            return true;
        list += len;
    }
}

/* True when a field of that name lists the tag, in any of its lines. */
static bool field_includes(const struct http_head *head, const char *name, const char *etag,
                           bool strong)
{
    const char *list = NULL;
    while ((list = http_field(head, name, list))) {
        if (tags_include(list, etag, strong))
            return true;
    }
    return false;
}

/* A date to compare with; false when there is none, or nothing to compare it with:
 * then the condition is to be ignored. */
static bool field_date(const struct http_head *head, const char *name,
                       const struct http_version *version, time_t now, time_t *when)
{
    const char *text = http_field_single(head, name);
    return text && version->has_modified && http_date_parse(text, now, when);
}

static bool if_range_holds(const struct http_head *head, const struct http_version *version,
                           time_t now)
{
    time_t when;
    const char *text = http_field(head, "If-Range", NULL);
    if (!text)
        return true;
    if (*text == '"')
        return !strcmp(text, version->etag);
    return field_date(head, "If-Range", version, now, &when) && when == version->modified;
}

/* A number that stops growing at UINT64_MAX. False without a digit, *value as it was. */
static bool take_number(const char **at, uint64_t *value)
{
    if (**at < '0' || **at > '9')
        return false;
    *value = 0;
    for (; **at >= '0' && **at <= '9'; ++*at) {
        uint64_t digit = (uint64_t)(**at - '0');
        *value = *value > (UINT64_MAX - digit) / 10 ? UINT64_MAX : *value * 10 + digit;
    }
    return true;
}

/* 206, 416, or 200 when the field is to be ignored: no range of bytes, bad, or several. */
static int select_range(const char *text, uint64_t size, uint64_t *first, uint64_t *length)
{
    uint64_t last = UINT64_MAX;
    if (strncasecmp(text, "bytes=", 6) != 0)
        return 200;
    text += 6;
    text += strspn(text, " \t");
    bool is_suffix = *text == '-';
    if (is_suffix) {
        text++;
        if (!take_number(&text, length))
            return 200;
    } else {
        if (!take_number(&text, first) || *text++ != '-')
            return 200;
        if (take_number(&text, &last) && last < *first)
            return 200;
    }
    text += strspn(text, " \t");
    if (*text)
        return 200;
    if (is_suffix) {
        if (*length == 0)
            return 416;
        if (size == 0)
            return 200; /* satisfiable, but no Content-Range can say so */
        if (*length > size)
            *length = size;
        *first = size - *length;
        return 206;
    }
    if (*first >= size)
        return 416;
    *length = (last < size ? last + 1 : size) - *first;
    return 206;
}

struct http_selection http_select(const struct http_head *head, const struct http_version *version,
                                  time_t now)
{
    struct http_selection selection = {.status = 200, .length = version->size};
    time_t when;
    if (http_field(head, "If-Match", NULL)) {
        if (!field_includes(head, "If-Match", version->etag, true))
            selection.status = 412;
    } else if (field_date(head, "If-Unmodified-Since", version, now, &when)) {
        if (version->modified > when)
            selection.status = 412;
    }
    if (selection.status != 200)
        return selection;

    if (http_field(head, "If-None-Match", NULL)) {
        if (field_includes(head, "If-None-Match", version->etag, false))
            selection.status = 304;
    } else if (field_date(head, "If-Modified-Since", version, now, &when)) {
        if (version->modified <= when)
            selection.status = 304;
    }
    if (selection.status != 200 || head->method != HTTP_GET)
        return selection;

    const char *range = http_field_single(head, "Range");
    uint64_t first = 0;
    uint64_t length = 0;
    if (!range || !if_range_holds(head, version, now))
        return selection;
    selection.status = select_range(range, version->size, &first, &length);
    if (selection.status == 206) {
        selection.first = first;
        selection.length = length;
    }
    return selection;
}
