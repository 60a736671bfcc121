#include "http.h"

#include <string.h>
#include <strings.h>

#include "bytes.h"

/* "CONNECT " the longest method known, " HTTP/1.1" and the line's end, with room. */
#define MAX_REQUEST_LINE (HTTP_MAX_TARGET + 64)

static const char *const served[] = {
    [HTTP_GET] = "GET", [HTTP_HEAD] = "HEAD", [HTTP_POST] = "POST"};
static const char *const known[] = {"PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PATCH"};

/* What a head says that only counts once all of it has been read. */
struct framing {
    bool has_length;
    bool has_encoding;
    bool has_host;
    bool close;
    bool keep_alive;
    bool expects_other; /* than 100-continue */
};

static bool is_alnum(unsigned char c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

/* RFC 9110, section 5.6.2: tchar. */
static bool is_token(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (!is_alnum((unsigned char)text[i]) &&
            (text[i] == '\0' || !strchr("-!#$%&'*+.^_`|~", text[i])))
            return false;
    }
    return len > 0;
}

ssize_t http_scan(struct http_scan *scan, const char *data, size_t len, size_t max)
{
    size_t limit = len < max ? len : max;
    while (scan->seen < limit) {
        size_t start = scan->line;
        if (!scan->in_head && data[start] != '\r') {
            if (!is_token(data + start, 1)) /* a TLS hello, or other noise */
                return -400;
            scan->in_head = true;
        }
        const char *lf = memchr(data + scan->seen, '\n', limit - scan->seen);
        scan->seen = lf ? (size_t)(lf - data) + 1 : limit;
        if (!lf)
            break;
        bool is_empty = lf == data + start + 1;
        if (lf == data + start || lf[-1] != '\r' || (!is_empty && !scan->in_head))
            return -400;
        if (is_empty && scan->in_head)
            return (ssize_t)scan->seen;
        scan->in_fields = scan->in_head;
        scan->line = scan->seen;
    }
    if (!scan->in_fields && scan->seen - scan->line > MAX_REQUEST_LINE)
        return -414;
    if (scan->seen >= max)
        return scan->in_fields || !scan->in_head ? -431 : -414;
    return 0;
}

/* The line at *at, with a NUL for its CRLF, and *at after it. NULL when it has no
 * end, or bytes that no line may have (RFC 9110, section 5.5). */
static char *take_line(char **at, const char *end)
{
    char *line = *at;
    char *lf = memchr(line, '\n', (size_t)(end - line));
    if (!lf || lf == line || lf[-1] != '\r')
        return NULL;
    for (const char *c = line; c < lf - 1; c++) {
        if (((unsigned char)*c < 0x20 && *c != '\t') || *c == 0x7f)
            return NULL;
    }
    lf[-1] = '\0';
    *at = lf + 1;
    return line;
}

static bool decode_path(char *path)
{
    char *out = path;
    for (const char *in = path; *in; in++) {
        char c = *in;
        if (c == '%') {
            int high = bytes_hex_digit(in[1]);
            int low = high < 0 ? -1 : bytes_hex_digit(in[2]);
            if (low < 0 || (high == 0 && low == 0))
                return false;
            c = (char)(high << 4 | low);
            in += 2;
        }
        *out++ = c;
    }
    *out = '\0';
    return true;
}

/* uri-host [":" port] (RFC 9110, section 7.2), by its characters; it may be empty. */
static bool is_host(const char *text)
{
    for (; *text; text++) {
        if (!is_alnum((unsigned char)*text) && !strchr("-._~!$&'()*+,;=%[]:", *text))
            return false;
    }
    return true;
}

/* origin-form or absolute-form (RFC 9112, section 3.2). */
static bool parse_target(char *target, struct http_head *head)
{
    for (const char *c = target; *c; c++) {
        if (*c <= 0x20 || *c > 0x7e || *c == '#')
            return false;
    }
    if (target[0] != '/') {
        size_t scheme = !strncasecmp(target, "http://", 7)    ? 7
                        : !strncasecmp(target, "https://", 8) ? 8
                                                              : 0;
        size_t len = strcspn(target + scheme, "/?");
        if (scheme == 0 || len == 0)
            return false;
        /* One to the left, over the slash, so that there is room for its NUL. */
        char *host = memmove(target + scheme - 1, target + scheme, len);
        host[len] = '\0';
        if (!is_host(host))
            return false;
        head->host = host;
        target += scheme + len;
    }
    char *query = strchr(target, '?');
    if (query) {
        *query = '\0';
        head->query = query + 1;
    }
    head->path = target[0] ? target : "/";
    return decode_path(target);
}

static bool find_method(const char *name, struct http_head *head)
{
    for (size_t i = 0; i < sizeof served / sizeof *served; i++) {
        if (!strcmp(name, served[i])) {
            head->method = (enum http_method)i;
            head->method_name = served[i];
            return true;
        }
    }
    return false;
}

static int refuse_method(const char *name)
{
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (!strcmp(name, known[i]))
            return 405;
    }
    return 501;
}

static int parse_request_line(char *line, struct http_head *head)
{
    char *target = strchr(line, ' ');
    char *version = target ? strchr(target + 1, ' ') : NULL;
    if (!version || !is_token(line, (size_t)(target - line)))
        return 400;
    *target++ = '\0';
    *version++ = '\0';
    if (strncmp(version, "HTTP/", 5) != 0 || version[5] < '0' || version[5] > '9' ||
        version[6] != '.' || version[7] < '0' || version[7] > '9' || version[8])
        return 400;
    if (version[5] != '1')
        return 505;
    head->is_1_0 = version[7] == '0';
    if (!find_method(line, head))
        return refuse_method(line); /* whose targets may have other forms */
    if (strlen(target) > HTTP_MAX_TARGET)
        return 414;
    return parse_target(target, head) ? 0 : 400;
}

static bool parse_length(const char *text, uint64_t *length)
{
    if (!*text)
        return false;
    *length = 0;
    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return false;
        uint64_t digit = (uint64_t)(*text - '0');
        if (*length > (UINT64_MAX - digit) / 10)
            *length = UINT64_MAX; /* and stays there: too long for anybody */
        else
            *length = *length * 10 + digit;
    }
    return true;
}

static void parse_connection(const char *list, struct framing *framing)
{
    while (*list) {
        list += strspn(list, ", \t");
        size_t len = strcspn(list, ", \t");
        if (len == 5 && !strncasecmp(list, "close", len))
            framing->close = true;
        if (len == 10 && !strncasecmp(list, "keep-alive", len))
            framing->keep_alive = true;
        list += len;
    }
}

/* The fields that frame a message or route it. */
static bool note_field(const char *name, const char *value, struct http_head *head,
                       struct framing *framing)
{
    if (!strcasecmp(name, "Host")) {
        if (framing->has_host || !is_host(value))
            return false;
        framing->has_host = true;
        if (!head->host)
            head->host = value;
    } else if (!strcasecmp(name, "Content-Length")) {
        if (framing->has_length || !parse_length(value, &head->content_length))
            return false;
        framing->has_length = true;
    } else if (!strcasecmp(name, "Transfer-Encoding")) {
        framing->has_encoding = true;
    } else if (!strcasecmp(name, "Connection")) {
        parse_connection(value, framing);
    } else if (!strcasecmp(name, "Expect")) {
        if (strcasecmp(value, "100-continue") != 0)
            framing->expects_other = true;
        else
            head->expect_continue = !head->is_1_0;
    } else if (!strcasecmp(name, "User-Agent") && !head->user_agent) {
        head->user_agent = value;
    }
    return true;
}

static int conclude(const struct framing *framing, struct http_head *head)
{
    if (framing->has_encoding)
        return framing->has_length || head->is_1_0 ? 400 : 501;
    if (!framing->has_host && !head->is_1_0)
        return 400;
    head->keep_alive = !framing->close && (framing->keep_alive || !head->is_1_0);
    return framing->expects_other && !head->is_1_0 ? 417 : 0;
}

int http_parse(char *data, size_t len, struct http_head *head)
{
    struct framing framing = {0};
    char *at = data;
    char *end = data + len;
    memset(head, 0, sizeof *head);
    while (end - at >= 2 && at[0] == '\r' && at[1] == '\n')
        at += 2;
    char *line = take_line(&at, end);
    if (!line)
        return 400;
    int status = parse_request_line(line, head);
    if (status)
        return status;

    /* Names and values move to the left as they are read: they lose at least their
     * line's end and colon, and gain two NULs. */
    char *out = at;
    head->fields = out;
    for (;;) {
        line = take_line(&at, end);
        if (!line)
            return 400;
        if (!*line)
            break;
        size_t name_len = strcspn(line, ":");
        if (!line[name_len] || !is_token(line, name_len)) /* folded lines end here */
            return 400;
        const char *value = line + name_len + 1;
        value += strspn(value, " \t");
        size_t value_len = strlen(value);
        while (value_len > 0 && (value[value_len - 1] == ' ' || value[value_len - 1] == '\t'))
            value_len--;
        char *name = out;
        char *kept = name + name_len + 1;
        memmove(name, line, name_len);
        name[name_len] = '\0';
        memmove(kept, value, value_len);
        kept[value_len] = '\0';
        out = kept + value_len + 1;
        if (!note_field(name, kept, head, &framing))
            return 400;
    }
    head->fields_end = out;
    return conclude(&framing, head);
}

const char *http_field(const struct http_head *head, const char *name, const char *previous)
{
    const char *at = previous ? previous + strlen(previous) + 1 : head->fields;
    while (at < head->fields_end) {
        const char *value = at + strlen(at) + 1;
        if (!strcasecmp(at, name))
            return value;
        at = value + strlen(value) + 1;
    }
    return NULL;
}

const char *http_field_single(const struct http_head *head, const char *name)
{
    const char *value = http_field(head, name, NULL);
    return value && http_field(head, name, value) ? NULL : value;
}
