#include "replay.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "http_date.h"
#include "http_route.h"
#include "tftp_session.h"
#include "tftp_source.h"

#define MTU         1500
#define CLIENT_PORT 68
#define FIRST_TID   49152 /* of the ports that transfers have */

/* --- questions ---------------------------------------------------------------------------- */

static struct in_addr server_of(const struct replay *replay, const struct capture_message *m)
{
    return replay->server.s_addr ? replay->server : m->to.sin_addr;
}

static void ask_dhcp(const struct replay *replay, const struct capture_message *m,
                     struct replay_question *q)
{
    if (m->cut || !dhcp_parse(m->data, m->len, &q->packet)) {
        q->kind = REPLAY_UNSOUND;
        q->why = m->cut ? "not all of it was captured" : "malformed";
        return;
    }
    if (q->packet.header.op != DHCP_BOOTREQUEST)
        return;
    q->arrival = (struct dhcp_map_arrival){
        .sender = m->from,
        .server = server_of(replay, m),
        .boot_server_port = ntohs(m->to.sin_port) == replay->boot_port,
    };
    memcpy(q->arrival.interface, replay->interface, sizeof q->arrival.interface);
    q->why = dhcp_map_request(&q->packet, &q->arrival, &q->request);
    q->request.protocol = REQUEST_DHCP;
    q->kind = q->why ? REPLAY_UNSOUND : REPLAY_REQUEST;
}

static void ask_tftp(const struct replay *replay, const struct capture_message *m,
                     struct replay_question *q)
{
    if (!tftp_request_parse(m->data, m->len, &q->tftp))
        return;
    q->request = (struct request){.protocol = REQUEST_TFTP,
                                  .client = m->from.sin_addr,
                                  .server = server_of(replay, m),
                                  .tftp.file = q->tftp.file};
    memcpy(q->request.interface, replay->interface, sizeof q->request.interface);
    q->why = m->cut ? "not all of it was captured" : tftp_request_refusal(&q->tftp, &q->code);
    q->kind = q->why ? REPLAY_UNSOUND : REPLAY_REQUEST;
}

static void ask_http(const struct replay *replay, const struct capture_message *m,
                     struct replay_question *q)
{
    q->request = (struct request){
        .protocol = REQUEST_HTTP, .client = m->from.sin_addr, .server = server_of(replay, m)};
    q->status = m->status;
    if (m->status) {
        q->kind = REPLAY_UNSOUND;
        q->why = "a malformed request";
        return;
    }
    q->request.http = (struct request_http){.method = m->head.method_name,
                                            .path = m->head.path,
                                            .query = m->head.query,
                                            .host = m->head.host,
                                            .user_agent = m->head.user_agent,
                                            .body = {m->data, m->len}};
    q->kind = http_route_is_own(&m->head) ? REPLAY_UNDECIDED : REPLAY_REQUEST;
}

void replay_ask(const struct replay *replay, const struct capture_message *m,
                struct replay_question *q)
{
    uint16_t port = ntohs(m->to.sin_port);
    q->kind = REPLAY_NOTHING;
    q->why = NULL;
    q->status = 0;
    q->code = TFTP_UNDEFINED;
    q->request = (struct request){.protocol = REQUEST_DHCP};
    if (m->tcp)
        ask_http(replay, m, q);
    else if (port == replay->dhcp_port || port == replay->boot_port)
        ask_dhcp(replay, m, q);
    else if (port == replay->tftp_port)
        ask_tftp(replay, m, q);
}

/* --- answers ------------------------------------------------------------------------------ */

static struct capture_target target(const struct capture_message *m, struct in_addr server,
                                    uint16_t port, struct sockaddr_in to)
{
    struct capture_target target = {
        .time = m->time,
        .from = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = server},
        .to = to,
    };
    memcpy(target.ethernet, m->ethernet, sizeof target.ethernet);
    if (++target.time.tv_usec == 1000000) { /* it is an answer: it comes later */
        target.time.tv_usec = 0;
        target.time.tv_sec++;
    }
    return target;
}

static void answer_dhcp(const struct replay *replay, const struct capture_message *m,
                        const struct replay_question *q, const struct reply_dhcp *reply,
                        struct replay_answer *a)
{
    uint8_t out[DHCP_MAP_REPLY_MAX];
    size_t len = dhcp_map_reply(&q->packet, &q->request, reply, out, sizeof out);
    if (!len) {
        snprintf(a->what, sizeof a->what, "it does not fit what the client can take");
        return;
    }
    bool discover = q->request.dhcp.message == REQUEST_DISCOVER;
    a->kind = discover ? REPLAY_OFFER : REPLAY_ACK;
    a->length = len;
    a->to = dhcp_map_destination(&q->packet, &q->arrival, CLIENT_PORT);
    snprintf(a->what, sizeof a->what, "%s", reply->file ? reply->file : "");
    if (replay->writer) {
        struct capture_target to = target(m, q->arrival.server, ntohs(m->to.sin_port), a->to);
        capture_write_datagram(replay->writer, &to, out, len);
    }
}

static void send_tftp(const struct replay *replay, const struct capture_message *m,
                      const struct replay_question *q, const void *data, size_t len,
                      struct replay_answer *a)
{
    a->length = len;
    a->to = m->from;
    if (!replay->writer)
        return;
    uint16_t tid = (uint16_t)(FIRST_TID + m->frame % (65536 - FIRST_TID));
    struct capture_target to = target(m, q->request.server, tid, m->from);
    capture_write_datagram(replay->writer, &to, data, len);
}

static void refuse_tftp(const struct replay *replay, const struct capture_message *m,
                        const struct replay_question *q, enum tftp_error code, const char *why,
                        struct replay_answer *a)
{
    uint8_t packet[TFTP_REPLY_MAX];
    a->kind = REPLAY_ERROR;
    a->status = (int)code;
    snprintf(a->what, sizeof a->what, "%s", why);
    send_tftp(replay, m, q, packet, tftp_put_error(packet, code, why), a);
}

/* The first packet of a transfer; owns `file` or `reply`. */
static void begin_transfer(const struct replay *replay, const struct capture_message *m,
                           const struct replay_question *q, const struct file *file,
                           struct reply *reply, struct replay_answer *a)
{
    static uint8_t packet[TFTP_HEADER + MTU];
    struct tftp_options granted;
    struct tftp_source source;
    uint64_t size = file ? (uint64_t)file->size : reply->body.len;
    size_t block =
        tftp_options_grant(&q->tftp.options, q->tftp.mode, size, MTU, TFTP_SESSION_WINDOW_BYTES_MAX,
                           TFTP_SESSION_WINDOW_MAX, &granted);
    if (!tftp_options_empty(&granted)) {
        a->kind = REPLAY_OACK;
        send_tftp(replay, m, q, packet, tftp_put_oack(packet, &granted), a);
    }
    if (tftp_source_open(&source, file, reply, q->tftp.mode == TFTP_NETASCII, block) < 0) {
        if (file)
            close(file->fd);
        reply_free(reply);
        return;
    }
    if (tftp_options_empty(&granted) && tftp_source_fill(&source, block) == 0) {
        size_t len = tftp_source_len(&source);
        len = len < block ? len : block;
        a->kind = REPLAY_DATA;
        tftp_put_data(packet, 1);
        memcpy(packet + TFTP_HEADER, tftp_source_data(&source), len);
        send_tftp(replay, m, q, packet, TFTP_HEADER + len, a);
    }
    tftp_source_close(&source);
}

/* Takes the reply over. */
static void answer_tftp(const struct replay *replay, const struct capture_message *m,
                        const struct replay_question *q, struct reply *reply,
                        struct replay_answer *a)
{
    struct file file;
    if (reply->kind == REPLY_FILE) {
        snprintf(a->what, sizeof a->what, "%s", reply->file.path);
        int error = files_open(&replay->files, reply->file.root, reply->file.path, &file);
        struct reply *otherwise = error == -ENOENT ? reply_otherwise(reply) : NULL;
        if (error == 0) {
            begin_transfer(replay, m, q, &file, NULL, a);
        } else if (!otherwise) {
            enum tftp_error code;
            const char *why = tftp_source_refusal(error, &code);
            char text[sizeof a->what];
            snprintf(text, sizeof text, "%s: %.400s", why, reply->file.path);
            refuse_tftp(replay, m, q, code, why, a);
            memcpy(a->what, text, sizeof text);
        }
        if (!otherwise) {
            reply_free(reply);
            return;
        }
        *a->what = '\0';
        reply = otherwise;
    }
    if (reply->kind == REPLY_BODY) {
        begin_transfer(replay, m, q, NULL, reply, a);
        return;
    }
    if (reply->kind == REPLY_ERROR)
        refuse_tftp(replay, m, q, tftp_source_code(reply->error.reason), reply->error.message, a);
    reply_free(reply);
}

static void send_http(const struct replay *replay, const struct capture_message *m,
                      const struct replay_question *q, struct http_response *r,
                      struct replay_answer *a)
{
    a->kind = REPLAY_RESPONSE;
    a->status = r->status;
    a->error = r->error;
    a->length = (size_t)r->length;
    a->to = m->from;
    if (replay->writer) {
        char date[HTTP_DATE_TEXT] = "";
        bool keep = m->status == 0 && m->head.keep_alive;
        bool has_body =
            m->head.method != HTTP_HEAD && !http_response_is_bare(r->status) && r->length > 0;
        size_t body = !has_body ? 0 : r->length < REPLAY_BODY_MAX ? r->length : REPLAY_BODY_MAX;
        char *text = malloc(HTTP_RESPONSE_HEAD + body);
        http_date_format(m->time.tv_sec, date);
        size_t len = text ? http_response_head(r, date,
                                               !keep            ? HTTP_CLOSE
                                               : m->head.is_1_0 ? HTTP_PERSIST_1_0
                                                                : HTTP_PERSIST,
                                               text)
                          : 0;
        if (text && body && r->fd < 0)
            memcpy(text + len, r->data, body);
        ssize_t got = text && body && r->fd >= 0 ? pread(r->fd, text + len, body, r->offset) : 0;
        len += r->fd < 0 ? body : got > 0 ? (size_t)got : 0;
        struct capture_target to = target(m, q->request.server, ntohs(m->to.sin_port), m->from);
        if (text)
            capture_write_stream(replay->writer, &to, m->seq, m->ack, text, len, !keep);
        free(text);
    }
    http_response_clear(r);
}

/* What is wrong with a reply that came to this error. */
static void describe_error(const struct replay *replay, const struct reply *reply, int error,
                           struct replay_answer *a)
{
    const struct reply *otherwise = reply->kind == REPLY_FILE ? reply->file.otherwise : NULL;
    if (otherwise && otherwise->kind == REPLY_ERROR && error != 405)
        reply = otherwise;
    if (reply->kind == REPLY_ERROR)
        snprintf(a->what, sizeof a->what, "%s", reply->error.message);
    else if (reply->kind != REPLY_FILE)
        snprintf(a->what, sizeof a->what, "the policy has no answer to this");
    else if (error == 404 && replay->files.roots[reply->file.root] < 0)
        snprintf(a->what, sizeof a->what, "no directory is named that %.400s could be in",
                 reply->file.path);
    else
        snprintf(a->what, sizeof a->what, "%s: %.400s",
                 error == 404   ? "file not found"
                 : error == 403 ? "access violation"
                 : error == 405 ? "a file is not posted to"
                                : "the file cannot be opened",
                 reply->file.path);
}

static void answer_http(const struct replay *replay, const struct capture_message *m,
                        const struct replay_question *q, const struct reply *reply,
                        struct replay_answer *a)
{
    struct http_service service = {.options = {.files = &replay->files}};
    struct http_response r = http_route_reply(&service, &m->head, m->from.sin_addr, reply);
    if (r.error)
        describe_error(replay, reply, r.error, a);
    else if (reply->kind == REPLY_FILE && r.status < 300)
        snprintf(a->what, sizeof a->what, "%s", reply->file.path);
    send_http(replay, m, q, &r, a);
}

void replay_answer(const struct replay *replay, const struct capture_message *m,
                   const struct replay_question *q, struct reply *reply, struct replay_answer *a)
{
    *a = (struct replay_answer){.kind = REPLAY_SILENCE};
    switch (q->request.protocol) {
    case REQUEST_DHCP:
        if (reply->kind == REPLY_DHCP)
            answer_dhcp(replay, m, q, &reply->dhcp, a);
        break;
    case REQUEST_TFTP:
        answer_tftp(replay, m, q, reply, a);
        return;
    case REQUEST_HTTP:
        answer_http(replay, m, q, reply, a);
        break;
    case REQUEST_CONTROL: /* never captured */
        break;
    }
    reply_free(reply);
}

void replay_refuse(const struct replay *replay, const struct capture_message *m,
                   const struct replay_question *q, struct replay_answer *a)
{
    *a = (struct replay_answer){.kind = REPLAY_SILENCE};
    if (q->kind != REPLAY_UNSOUND)
        return;
    if (q->request.protocol == REQUEST_TFTP && !m->cut) {
        refuse_tftp(replay, m, q, q->code, q->why, a);
    } else if (q->request.protocol == REQUEST_HTTP) {
        struct http_response r = http_response_error(NULL, m->status, NULL);
        send_http(replay, m, q, &r, a);
    }
}
