#include "tftp_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "log.h"
#include "tftp.h"
#include "tftp_session.h"
#include "tftp_socket.h"
#include "tftp_source.h"

#define BUCKETS          1024 /* a power of two */
#define REQUESTS_AT_ONCE 32   /* that are read before sessions get their turn */
#define YOUNG_SECONDS    2    /* for as long, a repeated request is the network's doing */

/* A client's request, from its arrival until its transfer has ended. It stands in its
 * server's table all that time. `session` is NULL until the policy has decided; until
 * then `server` may become NULL, when the server is closed meanwhile: then it stands in
 * no table any more and only waits for the decision, to be freed. */
struct client {
    struct tftp_server *server;
    struct client *next; /* in its bucket */
    struct tftp_session *session;
    struct in_addr local;
    struct sockaddr_in address;
    uint64_t fingerprint; /* of the request's bytes */
    time_t since;
    enum tftp_mode mode;
    struct tftp_options options;
    char file[TFTP_NAME_MAX + 1];
};

struct tftp_server {
    struct tftp_server_options options;
    struct event_base *base;
    struct event *readable;
    bool draining;
    unsigned n_clients;
    struct client *buckets[BUCKETS]; /* by address, without the port */
};

static time_t seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

static uint64_t milliseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* FNV-1a. It tells a repetition from another request; nothing hangs on collisions. */
static uint64_t fingerprint(const uint8_t *data, size_t len)
{
    uint64_t hash = 14695981039346656037U;
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ data[i]) * 1099511628211U;
    return hash;
}

static struct client **bucket(struct tftp_server *server, struct in_addr address)
{
    uint32_t mixed = ntohl(address.s_addr) * 2654435761U;
    return &server->buckets[mixed >> 22]; /* its upper 10 bits: BUCKETS */
}

static void report(const struct client *client, enum log_level level, const char *message,
                   const char *why)
{
    if (!log_enabled(level))
        return;
    char address[INET_ADDRSTRLEN];
    inet_ntop(AF_INET, &client->address.sin_addr, address, sizeof address);
    const struct log_field fields[] = {
        {"client", address},
        {"file", client->file},
        {"why", why},
    };
    log_event(level, fields, sizeof fields / sizeof *fields, message);
}

static struct client *client_alloc(struct tftp_server *server,
                                   const struct tftp_socket_request *datagram,
                                   const struct tftp_request *request)
{
    struct client *client = calloc(1, sizeof *client);
    if (!client)
        return NULL;
    client->server = server;
    client->local = datagram->server;
    client->address = datagram->client;
    client->fingerprint = fingerprint(datagram->data, datagram->len);
    client->since = seconds();
    client->mode = request->mode;
    client->options = request->options;
    memcpy(client->file, request->file, strlen(request->file));
    struct client **list = bucket(server, client->address.sin_addr);
    client->next = *list;
    *list = client;
    server->n_clients++;
    return client;
}

/* May call the server's idle callback, after which the server may be no more. */
static void client_free(struct client *client)
{
    struct tftp_server *server = client->server;
    if (server) {
        struct client **at = bucket(server, client->address.sin_addr);
        while (*at != client)
            at = &(*at)->next;
        *at = client->next;
        server->n_clients--;
    }
    tftp_session_close(client->session);
    free(client);
    if (server && server->draining && server->n_clients == 0 && server->options.idle)
        server->options.idle(server->options.arg);
}

static void refuse(struct tftp_server *server, int fd, const struct tftp_socket_request *request,
                   enum tftp_error code, const char *message, enum metrics_counter counter)
{
    uint8_t packet[TFTP_REPLY_MAX];
    size_t len = tftp_put_error(packet, code, message);
    tftp_socket_answer(fd, request, packet, len);
    metrics_inc(server->options.metrics, counter);
}

/* The same after the decision, when the port may be another's already. */
static void refuse_client(struct client *client, enum tftp_error code, const char *message)
{
    struct tftp_server *server = client->server;
    const struct tftp_socket_request request = {
        .client = client->address,
        .server = client->local,
    };
    int own = server->draining ? tftp_socket_connect(client->local, &client->address) : -1;
    if (own >= 0 || !server->draining)
        refuse(server, own >= 0 ? own : server->options.fd, &request, code, message,
               METRICS_TFTP_REFUSED);
    if (own >= 0)
        close(own);
    client_free(client);
}

static void on_ended(void *arg, enum tftp_session_end end, const char *why)
{
    struct client *client = arg;
    if (end == TFTP_SESSION_TIMED_OUT)
        report(client, LOG_LEVEL_INFO, "tftp: the client does not answer any more", why);
    else if (end == TFTP_SESSION_ABORTED)
        report(client, LOG_LEVEL_DEBUG, "tftp: ended early", why);
    else
        report(client, LOG_LEVEL_DEBUG, "tftp: sent", why);
    client_free(client);
}

/* Takes `file` or `reply` over. */
static void send_to(struct client *client, const struct file *file, struct reply *reply)
{
    const struct tftp_session_options options = {
        .server = client->local,
        .client = client->address,
        .mode = client->mode,
        .options = client->options,
        .metrics = client->server->options.metrics,
        .ended = on_ended,
        .arg = client,
    };
    int error = tftp_session_open(&client->session, client->server->base, &options, file, reply);
    if (!error)
        return;
    report(client, LOG_LEVEL_WARN, "tftp: cannot start a transfer", strerror(-error));
    refuse_client(client, TFTP_UNDEFINED, "the server is busy, try again");
}

static void answer(struct client *client, struct reply *reply);

/* Takes `reply` over, a REPLY_FILE. */
static void send_file(struct client *client, struct reply *reply)
{
    const struct reply_file *wanted = &reply->file;
    struct file file;
    int error = files_open(client->server->options.files, wanted->root, wanted->path, &file);
    struct reply *otherwise = error == -ENOENT ? reply_otherwise(reply) : NULL;
    if (otherwise) {
        answer(client, otherwise);
        return;
    }
    if (error) {
        enum tftp_error code;
        const char *why = tftp_source_refusal(error, &code);
        /* Firmware asks for many names that need not be there. */
        if (code == TFTP_NOT_FOUND)
            report(client, LOG_LEVEL_DEBUG, "tftp: no such file", wanted->path);
        else if (code == TFTP_ACCESS)
            report(client, LOG_LEVEL_WARN, "tftp: access refused", strerror(-error));
        else
            report(client, LOG_LEVEL_ERROR, "tftp: cannot open the file", strerror(-error));
        refuse_client(client, code, why);
    } else {
        send_to(client, &file, NULL);
    }
    reply_free(reply);
}

/* Takes `reply` over. */
static void answer(struct client *client, struct reply *reply)
{
    switch (reply->kind) {
    case REPLY_FILE:
        send_file(client, reply);
        return;
    case REPLY_BODY:
        send_to(client, NULL, reply);
        return;
    case REPLY_ERROR:
        refuse_client(client, tftp_source_code(reply->error.reason), reply->error.message);
        break;
    case REPLY_SILENCE:
        client_free(client);
        break;
    case REPLY_DHCP:
        report(client, LOG_LEVEL_ERROR, "tftp: the policy side answered with DHCP", NULL);
        refuse_client(client, TFTP_UNDEFINED, "internal error");
        break;
    }
    reply_free(reply);
}

static void on_decided(struct reply *reply, void *arg)
{
    struct client *client = arg;
    if (client->server) {
        answer(client, reply);
        return;
    }
    client_free(client);
    reply_free(reply);
}

/* The client did not get our first packet yet, or the network has doubled its request. */
static bool is_repetition(const struct client *client, const struct sockaddr_in *from,
                          uint64_t request)
{
    return client->address.sin_port == from->sin_port && client->fingerprint == request &&
           (!client->session || tftp_session_fresh(client->session) ||
            seconds() - client->since < YOUNG_SECONDS);
}

/* Looks at what else this client is at: whether the request is to be ignored, and how
 * many transfers there are. */
static bool known(struct tftp_server *server, const struct tftp_socket_request *request,
                  unsigned *n)
{
    uint64_t print = fingerprint(request->data, request->len);
    *n = 0;
    for (struct client *c = *bucket(server, request->client.sin_addr); c; c = c->next) {
        if (c->address.sin_addr.s_addr != request->client.sin_addr.s_addr)
            continue;
        if (is_repetition(c, &request->client, print))
            return true;
        ++*n;
    }
    return false;
}

static void take_request(struct tftp_server *server, const struct tftp_socket_request *datagram)
{
    struct tftp_request request;
    if (!tftp_request_parse(datagram->data, datagram->len, &request)) {
        metrics_inc(server->options.metrics, METRICS_TFTP_MALFORMED);
        return;
    }
    unsigned n;
    if (known(server, datagram, &n))
        return;
    metrics_inc(server->options.metrics, METRICS_TFTP_REQUESTS);
    if (!rate_allow(server->options.rate, datagram->client.sin_addr, milliseconds())) {
        metrics_inc(server->options.metrics, METRICS_LIMITED_TFTP);
        return; /* it asks again, later */
    }
    enum tftp_error code;
    const char *why = tftp_request_refusal(&request, &code);
    if (why) {
        refuse(server, server->options.fd, datagram, code, why, METRICS_TFTP_REFUSED);
        return;
    }
    struct client *client = NULL;
    if (n < server->options.max_per_client && server->n_clients < server->options.max_transfers)
        client = client_alloc(server, datagram, &request);
    if (!client) {
        refuse(server, server->options.fd, datagram, TFTP_UNDEFINED,
               "too many transfers, try again", METRICS_TFTP_BUSY);
        return;
    }
    struct request asked = {
        .protocol = REQUEST_TFTP,
        .client = datagram->client.sin_addr,
        .server = datagram->server,
        .tftp = {.file = client->file},
    };
    if (!if_indextoname((unsigned)datagram->interface, asked.interface))
        asked.interface[0] = '\0';
    policy_decide(server->options.policy, &asked, on_decided, client);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    (void)what;
    struct tftp_server *server = arg;
    struct tftp_socket_request request;
    for (int n = 0; n < REQUESTS_AT_ONCE && tftp_socket_receive(fd, &request) == 0; n++) {
        if (request.len)
            take_request(server, &request);
    }
}

int tftp_server_bind(uint16_t port, unsigned n)
{
    return tftp_socket_listen(port, n);
}

int tftp_server_socket(unsigned n)
{
    return tftp_socket_new(n);
}

int tftp_server_bind_later(int fd, uint16_t port, unsigned n)
{
    return tftp_socket_bind(fd, port, n);
}

int tftp_server_adopt(int fd, unsigned n)
{
    return tftp_socket_adopt(fd, n);
}

struct tftp_server *tftp_server_open(struct event_base *base,
                                     const struct tftp_server_options *options)
{
    struct tftp_server *server = calloc(1, sizeof *server);
    if (!server)
        return NULL;
    server->options = *options;
    server->base = base;
    server->readable = event_new(base, options->fd, EV_READ | EV_PERSIST, on_readable, server);
    if (!server->readable || event_add(server->readable, NULL) < 0) {
        tftp_server_close(server);
        return NULL;
    }
    return server;
}

unsigned tftp_server_transfers(const struct tftp_server *server)
{
    return server->n_clients;
}

void tftp_server_drain(struct tftp_server *server)
{
    event_del(server->readable);
    server->draining = true;
    if (server->n_clients == 0 && server->options.idle)
        server->options.idle(server->options.arg);
}

void tftp_server_close(struct tftp_server *server)
{
    if (!server)
        return;
    for (size_t i = 0; i < BUCKETS; i++) {
        struct client *next;
        for (struct client *client = server->buckets[i]; client; client = next) {
            next = client->next;
            client->server = NULL;
            if (client->session || policy_cancel(server->options.policy, client))
                client_free(client); /* the others wait for on_decided */
        }
    }
    if (server->readable)
        event_free(server->readable);
    free(server);
}
