/* libFuzzer entry for everything that reads a request's head: where it ends, what it
 * says, what is selected by it, and what an error page makes of it. The bytes come in
 * two pieces, cut where the first byte says. */
#include <stdlib.h>
#include <string.h>

#include "http_response.h"
#include "http_select.h"
#include "query.h"

#define MAX_HEAD 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void require(int condition)
{
    if (!condition)
        abort();
}

/* No byte that a script or a page may not have; each of its lines is one of ours. */
static void check_page(struct http_response *page)
{
    const char *text = page->data;
    size_t lines = 0;
    for (size_t i = 0; i < page->length; i++) {
        require(text[i] == '\n' || (text[i] >= ' ' && text[i] <= '~'));
        lines += text[i] == '\n';
    }
    require(lines == (page->status == 200 ? 12 : 1));
    http_response_clear(page);
}

/* All of it stands in a piece, but what parts them; nothing becomes longer. */
static void check_query(const char *query)
{
    const char *at = query, *end = query + strlen(query);
    struct query_piece piece;
    while (query_next(&at, end, &piece)) {
        char *out = malloc(piece.value_len);
        require(piece.name >= query && piece.value + piece.value_len == at);
        require(piece.value == piece.name + piece.name_len + (piece.name_len > 0));
        require(query_decode(piece.value, piece.value_len, out) <= piece.value_len);
        free(out);
    }
    require(at == end);
}

static void use(const struct http_head *head)
{
    static const struct http_version version = {
        .etag = "\"e\"", .has_modified = true, .modified = 784111777, .size = 1000};
    if (head->query)
        check_query(head->query);
    struct http_selection s = http_select(head, &version, 1790000000);
    require(s.status == 200 || s.status == 206 || s.status == 304 || s.status == 412 ||
            s.status == 416);
    if (s.status == 206)
        require(s.length > 0 && s.first < version.size && s.length <= version.size - s.first);
    struct http_response page =
        http_response_error(head, 404, head->host ? head->host : head->path);
    check_page(&page);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct http_scan scan = {0};
    struct http_head head;
    if (len == 0)
        return 0;
    size_t cut = data[0];
    const char *text = (const char *)data + 1;
    len--;
    ssize_t end = cut < len ? http_scan(&scan, text, cut, MAX_HEAD) : 0;
    if (end == 0)
        end = http_scan(&scan, text, len, MAX_HEAD);
    struct http_scan whole = {0};
    require(end == http_scan(&whole, text, len, MAX_HEAD));
    if (end <= 0)
        return 0;

    char *block = malloc((size_t)end);
    require(block != NULL);
    memcpy(block, text, (size_t)end);
    int status = http_parse(block, (size_t)end, &head);
    require(status == 0 || (status >= 400 && status <= 505));
    if (status == 0) {
        require(head.path[0] == '/');
        use(&head);
    }
    free(block);
    return 0;
}
