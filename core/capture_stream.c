#include "capture_stream.h"

#include <stdlib.h>
#include <string.h>

struct held {
    uint32_t seq;
    size_t len;
    uint8_t *data;
};

/* data[0] is the stream's byte next - len. Without `synced` it waits for a segment that begins
 * with a method. */
struct capture_stream {
    bool used, synced;
    bool hole; /* what follows these bytes was not captured */
    struct sockaddr_in from, to;
    uint64_t last; /* when it was last heard of */
    uint32_t next; /* the sequence number that is awaited */
    uint32_t ack;
    uint8_t *data;
    size_t len, capacity;
    struct http_scan scan;
    size_t want;   /* the length of the request that it begins with; 0: not known yet */
    uint64_t skip; /* of a body that is too long to keep */
    struct held held[CAPTURE_STREAM_HELD];
    size_t n_held, held_bytes;
};

struct capture_streams {
    struct capture_stream streams[CAPTURE_STREAMS];
    uint64_t lost;
    char *taken; /* the request that was taken last */
};

struct capture_streams *capture_streams_alloc(void)
{
    return calloc(1, sizeof(struct capture_streams));
}

static void drop_held(struct capture_stream *s)
{
    for (size_t i = 0; i < s->n_held; i++)
        free(s->held[i].data);
    s->n_held = s->held_bytes = 0;
}

static void clear(struct capture_stream *s)
{
    drop_held(s);
    free(s->data);
    *s = (struct capture_stream){.used = false};
}

void capture_streams_free(struct capture_streams *streams)
{
    if (!streams)
        return;
    for (size_t i = 0; i < CAPTURE_STREAMS; i++)
        clear(&streams->streams[i]);
    free(streams->taken);
    free(streams);
}

uint64_t capture_streams_lost(const struct capture_streams *streams)
{
    return streams->lost;
}

static bool same(const struct sockaddr_in *a, const struct sockaddr_in *b)
{
    return a->sin_addr.s_addr == b->sin_addr.s_addr && a->sin_port == b->sin_port;
}

/* The stream of these two, or a free place, or that of the stream silent for longest. */
static struct capture_stream *find(struct capture_streams *streams,
                                   const struct capture_segment *segment)
{
    struct capture_stream *oldest = NULL;
    for (size_t i = 0; i < CAPTURE_STREAMS; i++) {
        struct capture_stream *s = &streams->streams[i];
        if (s->used && same(&s->from, &segment->from) && same(&s->to, &segment->to))
            return s;
        if (!oldest || (oldest->used && (!s->used || s->last < oldest->last)))
            oldest = s;
    }
    clear(oldest);
    oldest->used = true;
    oldest->from = segment->from;
    oldest->to = segment->to;
    return oldest;
}

/* Whatever was begun is forgotten. */
static void restart(struct capture_stream *s, bool synced)
{
    s->synced = synced;
    s->hole = false;
    s->len = s->want = 0;
    s->skip = 0;
    s->scan = (struct http_scan){0};
}

/* What was begun cannot be ended. */
static void lose(struct capture_streams *streams, struct capture_stream *s)
{
    streams->lost++;
    restart(s, false);
}

static bool begins_request(const uint8_t *data, size_t len)
{
    size_t n = 0;
    while (n < len && n < 8 && data[n] >= 'A' && data[n] <= 'Z')
        n++;
    return n >= 3 && n < len && data[n] == ' ';
}

/* Bytes that come next. */
static void append(struct capture_streams *streams, struct capture_stream *s, const uint8_t *data,
                   size_t len)
{
    size_t skipped = s->skip < len ? (size_t)s->skip : len;
    s->skip -= skipped;
    data += skipped;
    len -= skipped;
    s->next += (uint32_t)(skipped + len);
    if (len == 0)
        return;
    if (s->len + len > CAPTURE_REQUEST) {
        lose(streams, s);
        return;
    }
    if (s->len + len > s->capacity) {
        size_t capacity = 2 * (s->len + len);
        uint8_t *grown = realloc(s->data, capacity);
        if (!grown) {
            lose(streams, s);
            return;
        }
        s->data = grown;
        s->capacity = capacity;
    }
    memcpy(s->data + s->len, data, len);
    s->len += len;
}

static void hold(struct capture_stream *s, const struct capture_segment *segment)
{
    if (s->n_held == CAPTURE_STREAM_HELD || s->held_bytes + segment->len > CAPTURE_STREAM_EARLY)
        return;
    uint8_t *copy = malloc(segment->len);
    if (!copy)
        return;
    memcpy(copy, segment->data, segment->len);
    s->held[s->n_held++] = (struct held){segment->seq, segment->len, copy};
    s->held_bytes += segment->len;
}

/* Bytes at `seq`, of which those that are there already are left out; false: too early. */
static bool place(struct capture_streams *streams, struct capture_stream *s, uint32_t seq,
                  const uint8_t *data, size_t len)
{
    uint32_t behind = s->next - seq;
    if (behind > UINT32_MAX / 2)
        return false;
    if (behind < len)
        append(streams, s, data + behind, len - behind);
    return true;
}

/* The segments that were early and are so no more. */
static void release(struct capture_streams *streams, struct capture_stream *s)
{
    for (size_t i = 0; s->synced && i < s->n_held;) {
        struct held *h = &s->held[i];
        if (!place(streams, s, h->seq, h->data, h->len)) {
            i++;
            continue;
        }
        s->held_bytes -= h->len;
        free(h->data);
        *h = s->held[--s->n_held];
        i = 0;
    }
}

/* A request begins before the bytes that were to come: they were never captured. */
static bool overtaken(const struct capture_stream *s, const struct capture_segment *segment)
{
    return begins_request(segment->data, segment->len) &&
           (s->len == 0 || s->n_held == CAPTURE_STREAM_HELD) &&
           s->next - segment->seq > UINT32_MAX / 2;
}

struct capture_stream *capture_streams_add(struct capture_streams *streams,
                                           const struct capture_segment *segment, uint64_t now)
{
    struct capture_stream *s = find(streams, segment);
    s->last = now;
    if (segment->reset) {
        clear(s);
        return NULL;
    }
    uint32_t seq = segment->seq + segment->syn;
    if (segment->syn) {
        drop_held(s);
        restart(s, true);
        s->next = seq;
    }
    if (segment->len == 0)
        return NULL;
    if (s->synced && overtaken(s, segment))
        lose(streams, s);
    if (!s->synced && begins_request(segment->data, segment->len)) {
        drop_held(s);
        restart(s, true);
        s->next = seq;
    }
    if (!s->synced)
        return NULL;
    s->ack = segment->ack;
    if (!place(streams, s, seq, segment->data, segment->len)) {
        hold(s, segment);
        return NULL;
    }
    if (segment->cut)
        s->hole = true;
    else
        release(streams, s);
    return s;
}

/* The length of the request's head, parsed in a copy; 0: not all is there; or a status to refuse
 * it with, negative. */
static ssize_t read_head(struct capture_stream *s, struct http_head *head, char **copy)
{
    if (s->len < s->want)
        return 0;
    ssize_t len = http_scan(&s->scan, (char *)s->data, s->len, CAPTURE_REQUEST);
    if (len <= 0)
        return len;
    s->scan = (struct http_scan){0};
    *copy = malloc(s->len);
    if (!*copy)
        return -503;
    memcpy(*copy, s->data, s->len);
    int status = http_parse(*copy, (size_t)len, head);
    if (status)
        return -status;
    if (head->content_length > INT64_MAX)
        return -413;
    s->want = (size_t)len;
    if (head->content_length <= CAPTURE_REQUEST)
        s->want += (size_t)head->content_length;
    return s->len < s->want ? 0 : len;
}

bool capture_stream_take(struct capture_streams *streams, struct capture_stream *s,
                         struct capture_message *message)
{
    char *copy = NULL;
    struct http_head head = {0};
    ssize_t len = s->synced && s->len ? read_head(s, &head, &copy) : 0;
    if (len == 0) {
        free(copy);
        if (s->hole && (s->len || s->skip))
            lose(streams, s);
        else if (s->hole)
            restart(s, false);
        return false;
    }
    free(streams->taken);
    streams->taken = copy;
    message->tcp = true;
    message->status = len < 0 ? (int)-len : 0;
    message->head = head;
    message->data = NULL;
    message->len = 0;
    message->seq = s->ack;
    message->ack = s->next;
    if (len < 0) {
        lose(streams, s);
        return true;
    }
    uint64_t body = head.content_length;
    if (body > CAPTURE_REQUEST)
        message->status = 413;
    else if (body)
        message->data = (uint8_t *)copy + len;
    message->len = message->data ? (size_t)body : 0;
    uint64_t whole = (uint64_t)len + body;
    size_t taken = whole < s->len ? (size_t)whole : s->len;
    s->skip = whole - taken;
    s->len -= taken;
    s->want = 0;
    memmove(s->data, s->data + taken, s->len);
    message->ack = s->next - (uint32_t)s->len;
    return true;
}
