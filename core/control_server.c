#include "control_server.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "json.h"
#include "metrics.h"

#define SESSIONS_MAX    64
#define TOO_MANY        "{\"error\":\"too many commands at once: ask again\"}\n"
#define SESSION_SECONDS 30 /* for an answer to come, and again for it to be read */

struct control_session {
    LIST_ENTRY(control_session) entry;
    struct control_server *server; /* NULL: closed meanwhile */
    struct bufferevent *peer;      /* NULL: it has gone */
    bool answered;
};

struct control_server {
    struct control_server_options options;
    struct event_base *base;
    LIST_HEAD(, control_session) sessions;
    unsigned n_sessions;
    bool draining;
};

/* A command answers by control_server_answer, now or later. `arguments` is what follows its
 * name, "" when nothing does. */
typedef void command(struct control_session *session, const char *arguments);

/* {"error":message}; NULL when memory is out. */
static char *error_text(const char *message)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    if (!out)
        return NULL;
    fputs("{\"error\":", out);
    json_string(out, message);
    fputs("}", out);
    fclose(out);
    return text;
}

/* worker -> {"slot":…,"pid":…,"generation":…,"hash":…}: which worker it is that answers. */
static void command_worker(struct control_session *session, const char *arguments)
{
    const struct control_server_options *options = &session->server->options;
    char *text = NULL;
    (void)arguments;
    if (asprintf(&text, "{\"slot\":%u,\"pid\":%d,\"generation\":%" PRIu64 ",\"hash\":\"%s\"}",
                 options->slot, (int)getpid(), options->generation,
                 policy_hash(options->policy)) < 0)
        text = NULL;
    control_server_answer(session, text);
}

/* The policy's reply: its body is JSON, a refusal becomes some. */
static void on_decided(struct reply *reply, void *arg)
{
    char *text = NULL;
    if (reply->kind == REPLY_BODY)
        text = strndup((const char *)reply->body.data, reply->body.len);
    else if (reply->kind == REPLY_ERROR)
        text = error_text(reply->error.message);
    reply_free(reply);
    control_server_answer(arg, text);
}

/* lua/controlled.lua has these. */
static void ask_policy(struct control_session *session, const char *name, const char *arguments)
{
    const struct request request = {.protocol = REQUEST_CONTROL,
                                    .control = {.command = name, .arguments = arguments}};
    policy_decide(session->server->options.policy, &request, on_decided, session);
}

static void command_event(struct control_session *session, const char *arguments)
{
    ask_policy(session, "event", arguments);
}

static void command_machines(struct control_session *session, const char *arguments)
{
    ask_policy(session, "machines", arguments);
}

static void command_machine(struct control_session *session, const char *arguments)
{
    ask_policy(session, "machine", arguments);
}

static const struct {
    const char *name;
    command *run;
} commands[] = {{"worker", command_worker},
                {"event", command_event},
                {"machines", command_machines},
                {"machine", command_machine}};

/* --- sessions -----------------------------------------------------------------------------------
 */

static void end_session(struct control_session *session)
{
    struct control_server *server = session->server;
    if (session->peer)
        bufferevent_free(session->peer);
    if (server) {
        LIST_REMOVE(session, entry);
        server->n_sessions--;
    }
    free(session);
    if (server && server->draining && server->n_sessions == 0)
        server->options.idle(server->options.arg);
}

/* The peer is gone, or too slow. An answer that is still to come finds nobody. */
static void let_go(struct control_session *session)
{
    if (session->answered) {
        end_session(session);
        return;
    }
    bufferevent_free(session->peer);
    session->peer = NULL;
}

static void on_written(struct bufferevent *peer, void *arg)
{
    struct control_session *session = arg;
    (void)peer;
    if (session->answered)
        end_session(session);
}

/* What comes after the line means nothing. */
static void on_more(struct bufferevent *peer, void *arg)
{
    struct evbuffer *input = bufferevent_get_input(peer);
    (void)arg;
    evbuffer_drain(input, evbuffer_get_length(input));
}

static void on_event(struct bufferevent *peer, short what, void *arg)
{
    /* A peer may have closed its sending half only, and still be listening. */
    if (what & BEV_EVENT_EOF)
        bufferevent_disable(peer, EV_READ);
    else
        let_go(arg);
}

void control_server_answer(struct control_session *session, char *json)
{
    session->answered = true;
    bool sent = session->peer && json &&
                evbuffer_add_printf(bufferevent_get_output(session->peer), "%s\n", json) >= 0;
    free(json);
    if (!sent || !session->server)
        end_session(session);
}

static void refuse(struct control_session *session, const char *line)
{
    char message[128];
    snprintf(message, sizeof message, "there is no command \"%.*s\"", (int)strcspn(line, " "),
             line);
    control_server_answer(session, error_text(message));
}

static void run(struct control_session *session, const char *line)
{
    size_t len = strcspn(line, " ");
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        if (strlen(commands[i].name) == len && !strncmp(commands[i].name, line, len)) {
            commands[i].run(session, line + len + strspn(line + len, " "));
            return;
        }
    }
    refuse(session, line);
}

void control_server_take(struct control_server *server, int fd, const char *line)
{
    const struct timeval patience = {.tv_sec = SESSION_SECONDS};
    struct control_session *session = calloc(1, sizeof *session);
    if (session)
        session->peer = bufferevent_socket_new(server->base, fd, BEV_OPT_CLOSE_ON_FREE);
    if (!session || !session->peer || server->n_sessions == SESSIONS_MAX) {
        metrics_inc(server->options.metrics, METRICS_CONTROL_REFUSED);
        (void)!send(fd, TOO_MANY, sizeof TOO_MANY - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (session && session->peer)
            bufferevent_free(session->peer);
        else
            close(fd);
        free(session);
        return;
    }
    session->server = server;
    LIST_INSERT_HEAD(&server->sessions, session, entry);
    server->n_sessions++;
    bufferevent_setcb(session->peer, on_more, on_written, on_event, session);
    bufferevent_set_timeouts(session->peer, &patience, &patience);
    bufferevent_enable(session->peer, EV_READ | EV_WRITE);
    run(session, line);
}

/* --- the server ---------------------------------------------------------------------------------
 */

struct control_server *control_server_open(struct event_base *base,
                                           const struct control_server_options *options)
{
    struct control_server *server = calloc(1, sizeof *server);
    if (!server)
        return NULL;
    server->options = *options;
    server->base = base;
    LIST_INIT(&server->sessions);
    return server;
}

void control_server_drain(struct control_server *server)
{
    server->draining = true;
    if (server->n_sessions == 0)
        server->options.idle(server->options.arg);
}

void control_server_close(struct control_server *server)
{
    if (!server)
        return;
    while (!LIST_EMPTY(&server->sessions)) {
        struct control_session *session = LIST_FIRST(&server->sessions);
        LIST_REMOVE(session, entry);
        session->server = NULL;
        if (session->peer)
            bufferevent_free(session->peer);
        session->peer = NULL;
        if (session->answered)
            free(session);
    }
    free(server);
}
