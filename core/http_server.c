#include "http_server.h"
#include "cms_files.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http_connection.h"
#include "http_response.h"
#include "tally.h"

#define ACCEPT_BATCH  64 /* then others have their turn */
#define PAUSE_US      100000L
#define RETRY_SECONDS 5

struct http_server {
    struct http_service service; /* first: closed() gets back from one to the other */
    struct event **listeners;
    struct event *resume; /* accepting, after the system ran out of something */
    int spare;            /* given up to accept and close a connection when there is no other */
    bool holding;         /* `idle` waits: connections are being gone through */
};

int http_server_bind(const struct sockaddr_in *address, unsigned n)
{
    int one = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    /* Accepted sockets inherit TCP_NODELAY. */
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) < 0 ||
        (n > 1 && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one) < 0) ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) < 0 ||
        bind(fd, (const struct sockaddr *)address, sizeof *address) < 0 ||
        listen(fd, SOMAXCONN) < 0) {
        int error = errno;
        close(fd);
        return -error;
    }
    return fd;
}

int http_server_adopt(int fd)
{
    int one = 1;
    return setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) < 0 ? -errno : 0;
}

static void set_listening(struct http_server *server, bool on)
{
    for (size_t i = 0; i < server->service.options.n_fds; i++) {
        if (on)
            event_add(server->listeners[i], NULL);
        else
            event_del(server->listeners[i]);
    }
}

static void on_resume(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    set_listening(arg, true);
}

/* The socket stays readable while nobody accepts: look away for a moment. */
static void pause_listening(struct http_server *server)
{
    struct timeval pause = {.tv_usec = PAUSE_US};
    set_listening(server, false);
    event_add(server->resume, &pause);
}

static int open_spare(void)
{
    return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* At the limit. The answer fits into an empty socket's buffer; and a request that has
 * come already is read, or else closing would send a reset instead. */
static void turn_away(struct http_server *server, int fd, bool secure, enum metrics_counter counter)
{
    char answer[HTTP_RESPONSE_HEAD + 64];
    char unread[4096];
    static const char text[] = "503 Service Unavailable: too many connections\n";
    struct http_response response = http_response_none();
    response.status = 503;
    response.length = sizeof text - 1;
    http_response_field(&response, "Retry-After: %d", RETRY_SECONDS);
    const char *date = http_service_date(&server->service);
    size_t len = http_response_head(&response, date, HTTP_CLOSE, answer);
    memcpy(answer + len, text, sizeof text - 1);
    metrics_inc(server->service.options.metrics, counter);
    /* A handshake is more than a client is worth for whom there is no room. */
    if (!secure && send(fd, answer, len + sizeof text - 1, MSG_NOSIGNAL | MSG_DONTWAIT) > 0) {
        shutdown(fd, SHUT_WR);
        for (int i = 0; i < 16; i++) {
            if (recv(fd, unread, sizeof unread, MSG_DONTWAIT) <= 0)
                break;
        }
    }
    close(fd);
}

/* Whether this client has as many as it may. This host itself, which proxies may be on, is
 * never refused. */
static bool crowded(const struct http_service *service, struct in_addr client)
{
    unsigned max = service->options.max_per_client;
    return max && ntohl(client.s_addr) >> 24 != IN_LOOPBACKNET &&
           tally_of(service->clients, client) >= max;
}

/* No descriptor is left: the spare one makes room to accept and close. */
static void shed(struct http_server *server, int listener, int error)
{
    http_service_complain(&server->service, "cannot accept", error);
    if (server->spare >= 0)
        close(server->spare);
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
        metrics_inc(server->service.options.metrics, METRICS_HTTP_REFUSED);
        close(fd);
    }
    server->spare = open_spare();
    if (fd < 0 || server->spare < 0)
        pause_listening(server);
}

static enum http_service_door door_of(const struct http_server_options *options, int listener)
{
    for (size_t i = 0; i < options->n_fds; i++) {
        if (options->fds[i] != listener)
            continue;
        if (i >= options->n_fds - options->n_tls)
            return HTTP_SERVICE_TLS;
        if (i >= options->n_fds - options->n_tls - options->admin.n_fds)
            return HTTP_SERVICE_ADMIN;
    }
    return HTTP_SERVICE_PLAIN;
}

static void on_accept(evutil_socket_t listener, short what, void *arg)
{
    struct http_server *server = arg;
    struct http_service *service = &server->service;
    enum http_service_door door = door_of(&service->options, listener);
    (void)what;
    for (int i = 0; i < ACCEPT_BATCH; i++) {
        struct sockaddr_in peer = {0};
        socklen_t peer_len = sizeof peer;
        int fd =
            accept4(listener, (struct sockaddr *)&peer, &peer_len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0 && service->n_connections >= service->options.max_connections) {
            http_service_complain(service, "connections at their limit", EUSERS);
            turn_away(server, fd, door == HTTP_SERVICE_TLS, METRICS_HTTP_REFUSED);
        } else if (fd >= 0 && crowded(service, peer.sin_addr)) {
            turn_away(server, fd, door == HTTP_SERVICE_TLS, METRICS_HTTP_CROWDED);
        } else if (fd >= 0) {
            metrics_inc(service->options.metrics, METRICS_HTTP_CONNECTIONS);
            if (!http_connection_open(service, fd, &peer, door))
                http_service_complain(service, "cannot serve", ENOMEM);
        } else if (errno == EAGAIN) {
            return;
        } else if (errno == EMFILE || errno == ENFILE) {
            shed(server, listener, errno);
            return;
        } else if (errno != ECONNABORTED && errno != EINTR) {
            http_service_complain(service, "cannot accept", errno);
            pause_listening(server);
            return;
        }
    }
}

static void on_closed(struct http_service *service)
{
    struct http_server *server = (struct http_server *)service;
    if (service->draining && service->n_connections == 0 && !server->holding)
        service->options.idle(service->options.arg);
}

struct http_server *http_server_open(struct event_base *base,
                                     const struct http_server_options *options)
{
    struct http_server *server = calloc(1, sizeof *server);
    if (!server)
        return NULL;
    http_service_init(&server->service, base, options);
    server->service.closed = on_closed;
    bool with_cms = options->signer && signer_cms(options->signer);
    server->service.clients = tally_alloc(options->max_connections);
    server->service.cms_files = with_cms ? cms_files_open(base) : NULL;
    server->spare = open_spare();
    server->resume = evtimer_new(base, on_resume, server);
    server->listeners = calloc(options->n_fds, sizeof(struct event *));
    if (!server->resume || !server->listeners || !server->service.clients ||
        (with_cms && !server->service.cms_files))
        goto fail;
    for (size_t i = 0; i < options->n_fds; i++) {
        server->listeners[i] =
            event_new(base, options->fds[i], EV_READ | EV_PERSIST, on_accept, server);
        if (!server->listeners[i] || event_add(server->listeners[i], NULL) < 0)
            goto fail;
    }
    /* bufferevents write by writev and sendfile, which know no MSG_NOSIGNAL. */
    if (signal(SIGPIPE, SIG_IGN) == SIG_ERR)
        goto fail;
    return server;

fail:
    http_server_close(server);
    return NULL;
}

unsigned http_server_connections(const struct http_server *server)
{
    return server->service.n_connections;
}

void http_server_drain(struct http_server *server)
{
    struct http_service *service = &server->service;
    if (service->draining)
        return;
    service->draining = true;
    event_del(server->resume);
    set_listening(server, false);
    server->holding = true;
    http_connection_drain(service);
    server->holding = false;
    on_closed(service);
}

void http_server_close(struct http_server *server)
{
    if (!server)
        return;
    server->holding = true;
    while (!LIST_EMPTY(&server->service.connections))
        http_connection_close(LIST_FIRST(&server->service.connections));
    cms_files_close(server->service.cms_files);
    for (size_t i = 0; server->listeners && i < server->service.options.n_fds; i++) {
        if (server->listeners[i])
            event_free(server->listeners[i]);
    }
    if (server->resume)
        event_free(server->resume);
    if (server->spare >= 0)
        close(server->spare);
    tally_free(server->service.clients);
    free(server->listeners);
    free(server);
}
