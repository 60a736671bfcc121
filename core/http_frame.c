#include "http_frame.h"

#include <string.h>

/* Texts are as long as they say, then their bytes; one that may be missing (NULL) is followed by a
 * NUL which is counted, so that none has length 0. */

static bool put_u32(struct evbuffer *out, uint32_t value)
{
    uint8_t bytes[4];
    struct bytes_writer w = bytes_writer(bytes, sizeof bytes);
    bytes_put_u32(&w, value);
    return evbuffer_add(out, bytes, sizeof bytes) == 0;
}

static bool put_bytes(struct evbuffer *out, struct bytes text)
{
    return text.len <= UINT32_MAX && put_u32(out, (uint32_t)text.len) &&
           (text.len == 0 || evbuffer_add(out, text.data, text.len) == 0);
}

static bool put_text(struct evbuffer *out, const char *text)
{
    return put_bytes(out, (struct bytes){(const uint8_t *)text, text ? strlen(text) + 1 : 0});
}

static bool put_i64(struct evbuffer *out, int64_t value)
{
    return put_u32(out, (uint32_t)((uint64_t)value >> 32)) && put_u32(out, (uint32_t)value);
}

static struct bytes take_bytes(struct bytes_reader *r)
{
    uint32_t len = bytes_u32(r);
    const uint8_t *data = bytes_take(r, len);
    return (struct bytes){data, data ? len : 0};
}

static const char *take_text(struct bytes_reader *r)
{
    struct bytes text = take_bytes(r);
    if (text.len && text.data[text.len - 1] != '\0')
        r->failed = true;
    return text.len ? (const char *)text.data : NULL;
}

static int64_t take_i64(struct bytes_reader *r)
{
    uint64_t high = bytes_u32(r);
    return (int64_t)(high << 32 | bytes_u32(r));
}

/* --- frames ------------------------------------------------------------------------------------
 */

static bool put_head(struct evbuffer *out, enum http_frame_kind kind, uint32_t id, size_t len)
{
    return len <= HTTP_FRAME_MAX && put_u32(out, kind) && put_u32(out, id) &&
           put_u32(out, (uint32_t)len);
}

/* Takes the body over. */
static bool put_frame(struct evbuffer *out, enum http_frame_kind kind, uint32_t id, bool good,
                      struct evbuffer *body)
{
    good = good && put_head(out, kind, id, evbuffer_get_length(body)) &&
           evbuffer_add_buffer(out, body) == 0;
    evbuffer_free(body);
    return good;
}

bool http_frame_put(struct evbuffer *out, enum http_frame_kind kind, uint32_t id)
{
    return put_head(out, kind, id, 0);
}

static bool put_headers(struct evbuffer *out, const char *const *headers)
{
    uint32_t n = 0;
    while (headers && headers[n])
        n++;
    if (n > HTTP_FRAME_HEADERS || !put_u32(out, n))
        return false;
    for (uint32_t i = 0; i < n; i++) {
        if (!put_text(out, headers[i]))
            return false;
    }
    return true;
}

bool http_frame_put_question(struct evbuffer *out, uint32_t id, const struct http_question *q,
                             const struct http_cache_rules *rules)
{
    struct evbuffer *body = evbuffer_new();
    if (!body)
        return false;
    bool good = put_text(body, q->method) && put_text(body, q->url) &&
                put_headers(body, q->headers) && put_bytes(body, q->body) &&
                put_u32(body, q->has_body) && put_u32(body, q->timeout_ms) &&
                put_i64(body, (int64_t)q->max_bytes) && put_u32(body, q->redirects) &&
                put_text(body, q->proxy) && put_text(body, q->unix_socket) &&
                put_bytes(body, q->ca) && put_bytes(body, q->cert) && put_bytes(body, q->key) &&
                put_u32(body, q->insecure) && put_bytes(body, rules->key) &&
                put_i64(body, rules->ttl_ms) && put_i64(body, rules->stale_ms);
    return put_frame(out, HTTP_FRAME_QUESTION, id, good, body);
}

bool http_frame_put_answer(struct evbuffer *out, enum http_frame_kind kind, uint32_t id,
                           const struct http_answer *answer)
{
    struct evbuffer *body = evbuffer_new();
    if (!body)
        return false;
    bool good = put_u32(body, (uint32_t)answer->status) && put_text(body, answer->problem) &&
                put_text(body, answer->type ? answer->type : "") && put_i64(body, answer->age_ms) &&
                put_bytes(body, answer->body);
    return put_frame(out, kind, id, good, body);
}

int http_frame_next(struct evbuffer *in, struct http_frame *frame)
{
    uint8_t head[HTTP_FRAME_HEAD];
    if (evbuffer_copyout(in, head, sizeof head) < (ev_ssize_t)sizeof head)
        return 0;
    struct bytes_reader r = bytes_reader(head, sizeof head);
    uint32_t kind = bytes_u32(&r);
    frame->id = bytes_u32(&r);
    frame->body = (struct bytes){.len = bytes_u32(&r)};
    if (kind > HTTP_FRAME_ANSWER || frame->body.len > HTTP_FRAME_MAX)
        return -1;
    frame->kind = kind;
    size_t whole = sizeof head + frame->body.len;
    if (evbuffer_get_length(in) < whole)
        return 0;
    const uint8_t *data = evbuffer_pullup(in, (ev_ssize_t)whole);
    if (!data)
        return -1;
    frame->body.data = data + sizeof head;
    return 1;
}

void http_frame_drop(struct evbuffer *in, const struct http_frame *frame)
{
    evbuffer_drain(in, HTTP_FRAME_HEAD + frame->body.len);
}

static void take_headers(struct bytes_reader *r, struct http_frame_question *out)
{
    uint32_t n = bytes_u32(r);
    if (n > HTTP_FRAME_HEADERS)
        r->failed = true;
    for (uint32_t i = 0; i < n && !r->failed; i++) {
        out->headers[i] = take_text(r);
        if (!out->headers[i])
            r->failed = true;
    }
}

bool http_frame_read_question(struct bytes body, struct http_frame_question *out)
{
    struct bytes_reader r = bytes_reader(body.data, body.len);
    struct http_question *q = &out->question;
    *out = (struct http_frame_question){.headers = {NULL}};
    q->method = take_text(&r);
    q->url = take_text(&r);
    take_headers(&r, out);
    q->headers = out->headers;
    q->body = take_bytes(&r);
    q->has_body = bytes_u32(&r) != 0;
    q->timeout_ms = bytes_u32(&r);
    q->max_bytes = (size_t)take_i64(&r);
    q->redirects = bytes_u32(&r);
    q->proxy = take_text(&r);
    q->unix_socket = take_text(&r);
    q->ca = take_bytes(&r);
    q->cert = take_bytes(&r);
    q->key = take_bytes(&r);
    q->insecure = bytes_u32(&r) != 0;
    out->rules.key = take_bytes(&r);
    out->rules.ttl_ms = take_i64(&r);
    out->rules.stale_ms = take_i64(&r);
    return !r.failed && bytes_left(&r) == 0 && q->method && q->url && out->rules.key.len > 0;
}

bool http_frame_read_answer(struct bytes body, struct http_answer *answer)
{
    struct bytes_reader r = bytes_reader(body.data, body.len);
    *answer = (struct http_answer){.status = (int)bytes_u32(&r)};
    answer->problem = take_text(&r);
    answer->type = take_text(&r);
    answer->age_ms = take_i64(&r);
    answer->body = take_bytes(&r);
    return !r.failed && bytes_left(&r) == 0 && answer->type && answer->status >= 0 &&
           answer->age_ms >= 0 && (answer->status == 0) == (answer->problem != NULL);
}
