/* Questions and answers of http_cache.h as bytes, between workers (http_share.h). */
#ifndef MOONBOOT_HTTP_FRAME_H
#define MOONBOOT_HTTP_FRAME_H

#include <event2/buffer.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "http_cache.h"

#define HTTP_FRAME_HEAD 12 /* bytes before a frame's own */
#define HTTP_FRAME_MAX  ((size_t)80 << 20)

enum http_frame_kind {
    HTTP_FRAME_HELLO,    /* who asks for all is there */
    HTTP_FRAME_QUESTION, /* to him */
    HTTP_FRAME_TAKEN,    /* he has it */
    HTTP_FRAME_OLD,      /* an answer that is too old, for who can wait no longer */
    HTTP_FRAME_ANSWER
};

struct http_frame {
    enum http_frame_kind kind;
    uint32_t id; /* of the question */
    struct bytes body;
};

#define HTTP_FRAME_HEADERS 64

/* What a question's frame says: views into its bytes. */
struct http_frame_question {
    struct http_question question;
    struct http_cache_rules rules;
    const char *headers[HTTP_FRAME_HEADERS + 1];
};

/* These append a frame; false when memory is out, or there is too much to say. */
bool http_frame_put(struct evbuffer *out, enum http_frame_kind kind, uint32_t id);
bool http_frame_put_question(struct evbuffer *out, uint32_t id,
                             const struct http_question *question,
                             const struct http_cache_rules *rules);
bool http_frame_put_answer(struct evbuffer *out, enum http_frame_kind kind, uint32_t id,
                           const struct http_answer *answer);

/* The first frame, whose body is in one piece there: 1; 0: it is not all there; -1: it is none, or
 * memory is out. To be removed by http_frame_drop. */
int http_frame_next(struct evbuffer *in, struct http_frame *frame);
void http_frame_drop(struct evbuffer *in, const struct http_frame *frame);

/* What a frame's body says; false: nothing that makes sense. */
bool http_frame_read_question(struct bytes body, struct http_frame_question *out);
bool http_frame_read_answer(struct bytes body, struct http_answer *answer);

#endif
