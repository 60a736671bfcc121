#include "http_response.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bytes.h"

#define TEXT        "text/plain; charset=utf-8"
#define MESSAGE_MAX 400

/* What iPXE expands, takes for an operator, a comment, or the line's continuation. */
#define IPXE_MAGIC "${};|&\"'`\\#"

static const struct {
    int status;
    const char *reason;
} reasons[] = {
    {200, "OK"},
    {204, "No Content"},
    {206, "Partial Content"},
    {304, "Not Modified"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {416, "Range Not Satisfiable"},
    {417, "Expectation Failed"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {503, "Service Unavailable"},
    {505, "HTTP Version Not Supported"},
};

/* The policy may answer with others; an empty reason is valid (RFC 9112, section 4). */
static const char *reason_of(int status)
{
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++) {
        if (reasons[i].status == status)
            return reasons[i].reason;
    }
    return "";
}

struct http_response http_response_none(void)
{
    return (struct http_response){.status = 500, .type = TEXT, .fd = -1};
}

void http_response_clear(struct http_response *response)
{
    free(response->owned);
    if (response->fd >= 0)
        close(response->fd);
    response->owned = NULL;
    response->fd = -1;
}

void http_response_field(struct http_response *response, const char *format, ...)
{
    size_t used = strlen(response->fields);
    va_list args;
    va_start(args, format);
    int n = vsnprintf(response->fields + used, sizeof response->fields - used, format, args);
    va_end(args);
    if (n < 0 || (size_t)n + 2 >= sizeof response->fields - used)
        response->fields[used] = '\0';
    else
        memcpy(response->fields + used + n, "\r\n", sizeof "\r\n");
}

bool http_response_is_type(const char *type)
{
    size_t len = strlen(type);
    for (size_t i = 0; i < len; i++) {
        if (type[i] < ' ' || type[i] > '~')
            return false;
    }
    return len > 0 && len < 128;
}

struct http_response http_response_body(const struct reply_body *body)
{
    struct http_response response = http_response_none();
    if (body->status < 200 || body->status > 599)
        return response;
    response.status = body->status;
    response.length = body->len;
    response.data = body->data;
    if (body->content_type)
        response.type = http_response_is_type(body->content_type) ? body->content_type
                                                                  : "application/octet-stream";
    return response;
}

/* Printable ASCII; spaces for the rest, and for what stands in `unwanted`. */
static void copy_harmless(char *out, size_t size, const char *text, const char *unwanted)
{
    size_t n = 0;
    for (; *text && n + 1 < size; text++) {
        if (*text > ' ' && *text <= '~' && !strchr(unwanted, *text))
            out[n++] = *text;
        else if (n > 0 && out[n - 1] != ' ')
            out[n++] = ' ';
    }
    out[n] = '\0';
}

/* Percent-encodes what iPXE's parser or a URI's could trip over. `also` stands as it is,
 * besides letters, digits and "-._~/:,=". */
static void print_encoded(FILE *out, const char *text, const char *also)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if ((c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') ||
            strchr("-._~/:,=", c) || strchr(also, c))
            (void)fputc(c, out);
        else
            (void)fprintf(out, "%%%02X", c);
    }
}

/* The setting that counts, and how often and how fast: as in lua/render/ipxe.lua. */
static char *retry_script(const struct http_head *head, const char *message, size_t *len)
{
    char *text = NULL;
    FILE *out = open_memstream(&text, len);
    if (!out)
        return NULL;
    (void)fprintf(out,
                  "#!ipxe\n"
                  "echo moonboot: %s\n"
                  "isset ${failed} || set failed:int32 0\n"
                  "inc failed\n"
                  "iseq ${failed} 30 && goto leave ||\n"
                  "echo moonboot: trying again in 10 seconds\n"
                  "sleep 10 ||\n"
                  "chain --replace --autofree ",
                  message);
    /* One slash in front: two would be another host's name. */
    (void)fputc('/', out);
    print_encoded(out, head->path + strspn(head->path, "/"), "");
    if (head->query) {
        (void)fputc('?', out);
        print_encoded(out, head->query, "%&+?");
    }
    (void)fputs(" ||\n"
                ":leave\n"
                "echo moonboot: leaving network boot\n"
                "iseq ${platform} efi && exit 1 ||\n"
                "exit\n",
                out);
    return fclose(out) == 0 ? text : NULL;
}

static bool starts_with(const char *text, const char *start)
{
    return !strncmp(text, start, strlen(start));
}

static bool ends_with(const char *text, const char *end)
{
    size_t len = strlen(text);
    size_t end_len = strlen(end);
    return len >= end_len && !strcmp(text + len - end_len, end);
}

static bool runs_as_script(const struct http_head *head)
{
    const char *path = head->path;
    return head->user_agent && starts_with(head->user_agent, "iPXE/") &&
           head->method != HTTP_POST && !starts_with(path, "/assets/") &&
           !starts_with(path, "/config/") && !ends_with(path, "/autoexec.ipxe") &&
           !ends_with(path, ".sig") && !ends_with(path, ".minisig") && !ends_with(path, ".cms");
}

struct http_response http_response_error(const struct http_head *head, int status,
                                         const char *message)
{
    struct http_response response = http_response_none();
    char text[MESSAGE_MAX];
    char line[MESSAGE_MAX + 64];
    bool is_script = head && runs_as_script(head);
    response.error = status;
    copy_harmless(text, sizeof text, message ? message : "", is_script ? IPXE_MAGIC : "");
    (void)snprintf(line, sizeof line, "%d %s%s%s", status, reason_of(status), *text ? ": " : "",
                   text);

    size_t len = 0;
    if (is_script) {
        response.owned = retry_script(head, line, &len);
        response.status = 200;
    } else {
        response.status = status;
        int n = asprintf((char **)&response.owned, "%s\n", line);
        if (n < 0)
            response.owned = NULL;
        else
            len = (size_t)n;
    }
    if (!response.owned)
        response.status = 500;
    response.data = response.owned;
    response.length = response.owned ? len : 0;
    return response;
}

bool http_response_is_bare(int status)
{
    return status == 204 || status == 304;
}

static void put(struct bytes_writer *w, const char *text)
{
    bytes_put(w, text, strlen(text));
}

static void put_number(struct bytes_writer *w, uint64_t number)
{
    char digits[20];
    size_t first = sizeof digits;
    do {
        digits[--first] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    bytes_put(w, digits + first, sizeof digits - first);
}

/* Without printf, which would be a third of what a small answer costs. What goes in is bounded to
 * less than there is room for. */
size_t http_response_head(const struct http_response *response, const char *date,
                          enum http_persistence persistence, char out[HTTP_RESPONSE_HEAD])
{
    static const char *const connection[] = {
        [HTTP_PERSIST] = "\r\n",
        [HTTP_PERSIST_1_0] = "Connection: keep-alive\r\n\r\n",
        [HTTP_CLOSE] = "Connection: close\r\n\r\n",
    };
    struct bytes_writer w = bytes_writer(out, HTTP_RESPONSE_HEAD - 1);
    put(&w, "HTTP/1.1 ");
    put_number(&w, (uint64_t)response->status);
    put(&w, " ");
    put(&w, reason_of(response->status));
    put(&w, "\r\nDate: ");
    put(&w, date);
    put(&w, "\r\nServer: moonboot\r\n");
    if (!http_response_is_bare(response->status)) {
        put(&w, "Content-Type: ");
        put(&w, response->type);
        put(&w, "\r\nContent-Length: ");
        put_number(&w, response->length);
        put(&w, "\r\n");
    }
    put(&w, response->fields);
    put(&w, connection[persistence]);
    size_t len = bytes_written(&w);
    out[len] = '\0';
    return len;
}
