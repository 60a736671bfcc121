/* A server in a process of its own, with a policy made here, and a client that speaks
 * raw bytes to it. policy_decide stands in this object, so the archive's is not linked. */
#ifndef MOONBOOT_TEST_HTTP_PEER_H
#define MOONBOOT_TEST_HTTP_PEER_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "http_server.h"

#define LATE_MS   200
#define BIG_BYTES 1000000
#define LOCAL     "Host: localhost\r\n"

/* The served process. `board` is shared with it. */
struct peer {
    pid_t pid;
    uint16_t port;
    struct metrics_board *board;
    char dir[64];
    bool told; /* to end */
};

/* What a test wants otherwise than usual; 0: as usual. */
struct peer_options {
    unsigned max_connections, header_seconds, idle_seconds, stall_seconds;
    unsigned descriptors; /* more than are open when it starts */
    bool close_on_term;   /* http_server_close at SIGTERM, and then what is late; else drain */
};

struct client {
    int fd;
    size_t have;
    char buffer[70000];
};

struct answer {
    int status; /* 0: the connection ended instead */
    char head[2048];
    size_t length; /* of the body, as read */
    bool whole;    /* as long as Content-Length says */
    char *body;
};

/* --- the policy ---------------------------------------------------------------------------- */

struct late {
    policy_done *done;
    void *arg;
};

static struct event_base *peer_base;
static const void *peer_waiting; /* whom "/wait" keeps waiting, and can be told to forget */

static inline struct reply *peer_body(const char *text, size_t len)
{
    struct reply *reply = reply_alloc(REPLY_BODY);
    reply->body.status = 200;
    reply->body.content_type = strdup("text/x-test");
    reply->body.data = malloc(len ? len : 1);
    memcpy(reply->body.data, text, len);
    reply->body.len = len;
    return reply;
}

static inline void peer_answer_late(evutil_socket_t fd, short what, void *arg)
{
    struct late *late = arg;
    (void)fd;
    (void)what;
    late->done(peer_body("late", 4), late->arg);
    free(late);
}

bool policy_cancel(struct policy *policy, const void *arg)
{
    (void)policy;
    bool waits = arg && arg == peer_waiting;
    peer_waiting = waits ? NULL : peer_waiting;
    return waits;
}

void policy_decide(struct policy *policy, const struct request *request, policy_done *done,
                   void *arg)
{
    const struct request_http *http = &request->http;
    struct reply *reply;
    (void)policy;
    if (!strncmp(http->path, "/assets/", 8)) {
        reply = reply_alloc(REPLY_FILE);
        reply->file.root = REPLY_ROOT_ASSETS;
        reply->file.path = strdup(http->path + 8);
    } else if (!strcmp(http->path, "/late")) {
        struct late *late = malloc(sizeof *late);
        struct timeval pause = {.tv_usec = LATE_MS * 1000};
        *late = (struct late){done, arg};
        event_base_once(peer_base, -1, EV_TIMEOUT, peer_answer_late, late, &pause);
        return;
    } else if (!strcmp(http->path, "/wait")) {
        peer_waiting = arg;
        return;
    } else if (!strcmp(http->path, "/waiting")) {
        reply = peer_body(peer_waiting ? "somebody" : "nobody", peer_waiting ? 8 : 6);
    } else if (!strcmp(http->path, "/big")) {
        char *text = malloc(BIG_BYTES);
        memset(text, 'b', BIG_BYTES);
        reply = peer_body(text, BIG_BYTES);
        free(text);
    } else if (!strcmp(http->path, "/status")) {
        reply = peer_body("text", 4);
        reply->body.status = atoi(http->query);
    } else if (!strncmp(http->path, "/error/", 7)) {
        reply = reply_error((enum reply_reason)(http->path[7] - '0'), "it says why");
    } else if (!strcmp(http->path, "/silence")) {
        reply = reply_silence();
    } else { /* an echo */
        char text[2048];
        char from[INET_ADDRSTRLEN], to[INET_ADDRSTRLEN];
        inet_ntop(AF_INET, &request->client, from, sizeof from);
        inet_ntop(AF_INET, &request->server, to, sizeof to);
        int n = snprintf(text, sizeof text, "%s %s?%s host=%s agent=%s %s>%s body=%.*s",
                         http->method, http->path, http->query ? http->query : "(none)",
                         http->host ? http->host : "(none)",
                         http->user_agent ? http->user_agent : "(none)", from, to,
                         (int)http->body.len, http->body.len ? (const char *)http->body.data : "");
        reply = peer_body(text, (size_t)n);
    }
    done(reply, arg);
}

/* --- the server ---------------------------------------------------------------------------- */

struct peer_term {
    struct http_server *server;
    bool close;
};

static inline void peer_on_term(evutil_socket_t fd, short what, void *arg)
{
    struct peer_term *term = arg;
    struct timeval after = {.tv_usec = 3 * LATE_MS * 1000};
    (void)fd;
    (void)what;
    if (!term->close) {
        http_server_drain(term->server);
        return;
    }
    http_server_close(term->server);
    term->server = NULL;
    event_base_loopexit(peer_base, &after);
}

static inline void peer_on_idle(void *arg)
{
    (void)arg;
    event_base_loopbreak(peer_base);
}

static inline void peer_limit_descriptors(unsigned more)
{
    int next = dup(0);
    close(next);
    struct rlimit limit = {(rlim_t)next + more, (rlim_t)next + more};
    setrlimit(RLIMIT_NOFILE, &limit);
}

_Noreturn static inline void peer_serve(int listener, const struct peer *peer,
                                        const struct peer_options *o)
{
    struct files files = {{-1, files_root_open(peer->dir)}, -1};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    peer_base = event_base_new();
    const struct http_server_options options = {
        .fds = &listener,
        .n_fds = 1,
        .max_connections = o->max_connections ? o->max_connections : 100,
        .max_request = 16384,
        .header_seconds = o->header_seconds ? o->header_seconds : 10,
        .idle_seconds = o->idle_seconds ? o->idle_seconds : 60,
        .stall_seconds = o->stall_seconds ? o->stall_seconds : 30,
        .files = &files,
        .metrics = &peer->board->slots[0],
        .board = peer->board,
        .idle = peer_on_idle,
    };
    struct peer_term term = {http_server_open(peer_base, &options), o->close_on_term};
    struct event *sigterm = evsignal_new(peer_base, SIGTERM, peer_on_term, &term);
    event_add(sigterm, NULL);
    if (o->descriptors)
        peer_limit_descriptors(o->descriptors);
    event_base_dispatch(peer_base);
    http_server_close(term.server);
    event_free(sigterm);
    event_base_free(peer_base);
    close(files.roots[1]);
    close(listener);
    exit(0); /* where LeakSanitizer looks, when it is linked in */
}

static inline struct peer peer_start(struct peer_options options)
{
    struct peer peer = {.board = metrics_board_alloc()};
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof address;
    strcpy(peer.dir, "/tmp/moonboot-http-XXXXXX");
    assert_non_null(peer.board);
    assert_non_null(mkdtemp(peer.dir));
    peer.board->generation = 7;
    int listener = http_server_bind(&address, 1);
    assert_true(listener >= 0);
    assert_return_code(getsockname(listener, (struct sockaddr *)&address, &len), errno);
    peer.port = ntohs(address.sin_port);
    peer.pid = fork();
    assert_true(peer.pid >= 0);
    if (peer.pid == 0)
        peer_serve(listener, &peer, &options);
    close(listener);
    return peer;
}

static inline void peer_tell(struct peer *peer)
{
    if (!peer->told)
        kill(peer->pid, SIGTERM);
    peer->told = true;
}

/* Ends it and sees that it had no complaint (a sanitizer's is an exit code). */
static inline void peer_stop(struct peer *peer)
{
    char command[128];
    int status;
    peer_tell(peer);
    assert_int_equal(waitpid(peer->pid, &status, 0), peer->pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    snprintf(command, sizeof command, "rm -rf %s", peer->dir);
    assert_int_equal(system(command), 0);
    metrics_board_free(peer->board);
}

static inline uint64_t peer_count(const struct peer *peer, enum metrics_counter counter)
{
    return peer->board->slots[0].counters[counter];
}

static inline long peer_memory_kb(const struct peer *peer)
{
    char path[64], line[128];
    long kb = -1;
    snprintf(path, sizeof path, "/proc/%d/status", (int)peer->pid);
    FILE *file = fopen(path, "r");
    while (file && fgets(line, sizeof line, file))
        sscanf(line, "VmRSS: %ld kB", &kb);
    if (file)
        fclose(file);
    return kb;
}

/* CPU time so far, in clock ticks (of 10 ms). */
static inline long peer_ticks(const struct peer *peer)
{
    char path[64];
    long user = -1, system_ = -1;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)peer->pid);
    FILE *file = fopen(path, "r");
    if (file) {
        if (fscanf(file, "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %ld %ld", &user,
                   &system_) != 2)
            user = -1;
        fclose(file);
    }
    return user + system_;
}

/* A file in its assets: `len` bytes of a pattern; sparse beyond a megabyte. */
static inline int peer_file(const struct peer *peer, const char *name, off_t len)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", peer->dir, name);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    size_t filled = len < 1000000 ? (size_t)len : 1000000;
    char *bytes = malloc(filled + 1);
    for (size_t i = 0; i < filled; i++)
        bytes[i] = (char)(i % 251);
    assert_int_equal(pwrite(fd, bytes, filled, 0), filled);
    free(bytes);
    assert_return_code(ftruncate(fd, len), errno);
    return fd;
}

/* --- the client ---------------------------------------------------------------------------- */

static inline struct client *client_open(const struct peer *peer)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(peer->port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    struct timeval patience = {.tv_sec = 10};
    struct client *client = malloc(sizeof *client);
    client->have = 0;
    client->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(client->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    assert_return_code(connect(client->fd, (struct sockaddr *)&address, sizeof address), errno);
    return client;
}

static inline void client_close(struct client *client)
{
    close(client->fd);
    free(client);
}

static inline void client_send(struct client *client, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = send(client->fd, data, len, MSG_NOSIGNAL);
        if (n <= 0)
            return; /* the server has closed: what it answered says why */
        data += n;
        len -= (size_t)n;
    }
}

static inline void client_say(struct client *client, const char *text)
{
    client_send(client, text, strlen(text));
}

/* More bytes; false at the end of the connection. Silence fails the test. */
static inline bool client_fill(struct client *client)
{
    ssize_t n = recv(client->fd, client->buffer + client->have,
                     sizeof client->buffer - 1 - client->have, 0);
    if (n < 0 && errno == EAGAIN)
        fail_msg("the server says nothing, and does not close either");
    if (n <= 0)
        return false;
    client->have += (size_t)n;
    return true;
}

static inline void client_take(struct client *client, char *out, size_t len)
{
    if (out)
        memcpy(out, client->buffer, len);
    memmove(client->buffer, client->buffer + len, client->have - len);
    client->have -= len;
}

/* The next answer; `is_head`: to a HEAD. Its body is kept up to 2 MB. */
static inline struct answer client_answer(struct client *client, bool is_head)
{
    struct answer answer = {.body = calloc(1, 2000001)};
    const char *end;
    unsigned long long length = 0;
    for (;;) {
        client->buffer[client->have] = '\0';
        end = strstr(client->buffer, "\r\n\r\n");
        if (end)
            break;
        if (!client_fill(client))
            return answer;
    }
    size_t head_len = (size_t)(end - client->buffer) + 4;
    assert_true(head_len < sizeof answer.head);
    client_take(client, answer.head, head_len);
    answer.head[head_len] = '\0';
    assert_int_equal(sscanf(answer.head, "HTTP/1.1 %d ", &answer.status), 1);
    const char *field = strstr(answer.head, "\r\nContent-Length: ");
    if (field)
        sscanf(field, "\r\nContent-Length: %llu", &length);
    if (is_head)
        length = 0;
    while (answer.length < length) {
        size_t n = client->have < length - answer.length ? client->have : length - answer.length;
        client_take(client, answer.length + n <= 2000000 ? answer.body + answer.length : NULL, n);
        answer.length += n;
        if (answer.length < length && !client_fill(client))
            break;
    }
    answer.whole = answer.length == length;
    return answer;
}

/* True when the server has closed and nothing more came. */
static inline bool client_at_end(struct client *client)
{
    return client->have == 0 && !client_fill(client);
}

/* The value of a field, in a buffer of its own; "" without. */
static inline const char *answer_field(const struct answer *answer, const char *name)
{
    static char value[256];
    char wanted[64];
    snprintf(wanted, sizeof wanted, "\r\n%s: ", name);
    const char *at = strstr(answer->head, wanted);
    value[0] = '\0';
    if (at)
        snprintf(value, sizeof value, "%.*s", (int)strcspn(at + strlen(wanted), "\r"),
                 at + strlen(wanted));
    return value;
}

static inline void answer_free(struct answer *answer)
{
    free(answer->body);
}

/* Sends a request on an open connection and expects that status; the answer is the
 * caller's to free. */
static inline struct answer client_ask(struct client *client, int status, const char *text)
{
    client_say(client, text);
    struct answer answer = client_answer(client, !strncmp(text, "HEAD ", 5));
    if (answer.status != status)
        fail_msg("%d, not %d: %s", answer.status, status, text);
    return answer;
}

static inline void client_expect(struct client *client, int status, const char *text)
{
    struct answer answer = client_ask(client, status, text);
    answer_free(&answer);
}

#endif
