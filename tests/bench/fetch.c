#include "fetch.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "addr.h"

#define CHUNK (256 << 10)
#define READS 16 /* before others get their turn */

static enum fetch_step fail(struct fetch *f, const char *why)
{
    f->why = why;
    return FETCH_FAILED;
}

void fetch_close(struct fetch *f)
{
    if (f->fd >= 0)
        close(f->fd);
    f->fd = -1;
}

static bool connect_to(struct fetch *f, const struct sockaddr_in *server, struct in_addr own)
{
    struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr = own};
    struct epoll_event event = {.events = EPOLLOUT, .data.ptr = f->data};
    int on = 1;
    fetch_close(f);
    f->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    f->server = *server;
    f->connecting = true;
    if (f->fd < 0)
        return false;
    setsockopt(f->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    if (bind(f->fd, (struct sockaddr *)&from, sizeof from) < 0)
        return false;
    if (connect(f->fd, (const struct sockaddr *)server, sizeof *server) < 0 && errno != EINPROGRESS)
        return false;
    return epoll_ctl(f->poll, EPOLL_CTL_ADD, f->fd, &event) == 0;
}

static enum fetch_step reopen(struct fetch *f);

static enum fetch_step send_request(struct fetch *f)
{
    ssize_t len = (ssize_t)strlen(f->request);
    if (send(f->fd, f->request, (size_t)len, MSG_NOSIGNAL) != len)
        return f->reused ? reopen(f) : fail(f, "cannot send the request");
    return FETCH_WAIT;
}

static enum fetch_step connected(struct fetch *f)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = f->data};
    int error = 0;
    socklen_t len = sizeof error;
    if (getsockopt(f->fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0 || error)
        return fail(f, strerror(error));
    f->connecting = false;
    epoll_ctl(f->poll, EPOLL_CTL_MOD, f->fd, &event);
    return send_request(f);
}

/* "http://ADDRESS[:PORT]/PATH" */
static bool read_url(const char *url, struct sockaddr_in *server, const char **path)
{
    char host[64];
    const char *start = url + 7;
    size_t len = strcspn(start, "/");
    if (strncmp(url, "http://", 7) != 0 || len >= sizeof host - 3)
        return false;
    memcpy(host, start, len);
    host[len] = '\0';
    if (!strchr(host, ':'))
        memcpy(host + len, ":80", 4);
    *path = start[len] ? start + len : "/";
    return addr_listen_parse(host, server);
}

enum fetch_step fetch_get(struct fetch *f, const char *url, struct in_addr own, int poll,
                          void *data)
{
    struct sockaddr_in server;
    const char *path;
    char host[INET_ADDRSTRLEN];
    if (!read_url(url, &server, &path))
        return fail(f, "an URL without an address and a path");
    inet_ntop(AF_INET, &server.sin_addr, host, sizeof host);
    int len = snprintf(f->request, sizeof f->request,
                       "GET %s HTTP/1.1\r\nConnection: keep-alive\r\n"
                       "User-Agent: iPXE/1.0.0+git-20190125.36a4c85-5.1\r\nHost: %s:%u\r\n\r\n",
                       path, host, ntohs(server.sin_port));
    if (len >= (int)sizeof f->request)
        return fail(f, "an URL that is too long");
    f->in_body = f->discard = false;
    f->got = f->length = 0;
    f->head_len = f->kept_len = 0;
    f->poll = poll;
    f->data = data;
    f->own = own;
    if (f->closing)
        fetch_close(f);
    f->closing = false;
    f->reused = f->fd >= 0;
    if (f->fd >= 0 && f->server.sin_addr.s_addr == server.sin_addr.s_addr &&
        f->server.sin_port == server.sin_port)
        return send_request(f);
    f->reused = false;
    return connect_to(f, &server, own) ? FETCH_WAIT : fail(f, "cannot connect");
}

/* A kept connection that ends before an answer has begun: the server was ending it when we asked.
 * iPXE opens another then (pool_reopen in its net/tcp/httpconn.c). */
static enum fetch_step reopen(struct fetch *f)
{
    struct sockaddr_in server = f->server;
    f->reused = false;
    return connect_to(f, &server, f->own) ? FETCH_WAIT : fail(f, "cannot connect");
}

/* The head has come whole: what it says of the body. */
static const char *read_head(struct fetch *f, const char *end)
{
    const char *line = f->kept;
    bool has_length = false;
    if (strncmp(line, "HTTP/1.1 200 ", 13) != 0)
        return "another status than 200";
    while ((line = strstr(line, "\r\n")) && line < end) {
        line += 2;
        if (!strncasecmp(line, "Content-Length:", 15)) {
            f->length = strtoull(line + 15, NULL, 10);
            has_length = true;
        } else if (!strncasecmp(line, "Connection: close", 17)) {
            f->closing = true;
        }
    }
    if (!has_length)
        return "no Content-Length";
    if (f->expected && f->length != f->expected_len)
        return "another length than the file's";
    f->head_len = (size_t)(end + 4 - f->kept);
    f->in_body = true;
    f->discard = f->head_len + f->length > FETCH_KEPT;
    return NULL;
}

static enum fetch_step take_body(struct fetch *f, const uint8_t *data, size_t len)
{
    if (len > f->length - f->got)
        return fail(f, "more than Content-Length");
    if (f->expected && data && memcmp(f->expected + f->got, data, len) != 0)
        return fail(f, "a body that is not the file");
    f->got += len;
    return f->got == f->length ? FETCH_DONE : FETCH_WAIT;
}

static enum fetch_step read_some(struct fetch *f, bool *more)
{
    static uint8_t chunk[CHUNK];
    ssize_t n;
    if (f->in_body && f->discard) {
        n = recv(f->fd, chunk, sizeof chunk, MSG_DONTWAIT | (f->expected ? 0 : MSG_TRUNC));
        *more = n == (ssize_t)sizeof chunk;
        if (n > 0)
            return take_body(f, f->expected ? chunk : NULL, (size_t)n);
    } else {
        n = recv(f->fd, f->kept + f->kept_len, FETCH_KEPT - f->kept_len, MSG_DONTWAIT);
        *more = n > 0;
    }
    if (n < 0 && errno == EAGAIN)
        return FETCH_WAIT;
    if (n <= 0 && f->reused && f->kept_len == 0 && !f->in_body) {
        *more = false;
        return reopen(f);
    }
    if (n <= 0)
        return fail(f, n < 0 ? strerror(errno) : "the connection ended early");
    size_t before = f->kept_len;
    f->kept_len += (size_t)n;
    f->kept[f->kept_len] = '\0';
    if (!f->in_body) {
        const char *end = strstr(f->kept, "\r\n\r\n");
        if (!end)
            return f->kept_len < FETCH_KEPT ? FETCH_WAIT : fail(f, "a head without an end");
        const char *why = read_head(f, end);
        if (why)
            return fail(f, why);
        before = f->head_len;
    }
    return take_body(f, (const uint8_t *)f->kept + before, f->kept_len - before);
}

enum fetch_step fetch_on_event(struct fetch *f)
{
    enum fetch_step step = FETCH_WAIT;
    bool more = true;
    if (f->connecting)
        return connected(f);
    for (int i = 0; i < READS && more && step == FETCH_WAIT; i++)
        step = read_some(f, &more);
    return step;
}

const char *fetch_body(const struct fetch *f)
{
    return f->kept + f->head_len;
}
