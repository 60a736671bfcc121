#include "http_route.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "http_file.h"
#include "http_sign.h"

#define RETRY_SECONDS 5

static struct http_response not_allowed(const struct http_head *head)
{
    struct http_response response = http_response_error(head, 405, NULL);
    http_response_field(&response, "Allow: GET, HEAD");
    return response;
}

static void say(struct http_response *response, int status, const char *text)
{
    response->status = status;
    response->data = text;
    response->length = strlen(text);
}

static void answer_ready(const struct http_service *service, struct http_response *response)
{
    const struct metrics_board *board = service->options.board;
    unsigned long long generation = board->generation;
    bool ready = generation > 0 && !service->draining;
    char *text = NULL;
    if (asprintf(&text, "%s: generation %llu%s\n",
                 ready               ? "ready"
                 : service->draining ? "draining"
                                     : "not ready",
                 generation, board->last_refused ? "; the last reload was refused" : "") < 0)
        return;
    response->owned = text;
    say(response, ready ? 200 : 503, text);
}

static void answer_metrics(const struct http_service *service, struct http_response *response)
{
    size_t len = 0;
    char *text = metrics_text(service->options.board, &len);
    if (!text)
        return;
    response->owned = text;
    say(response, 200, text);
    response->type = "text/plain; version=0.0.4; charset=utf-8";
}

bool http_route_is_own(const struct http_head *head)
{
    return !strcmp(head->path, "/healthz") || !strcmp(head->path, "/readyz") ||
           !strcmp(head->path, "/metrics");
}

bool http_route_is_api(const struct http_service *service, const struct http_head *head)
{
    static const char path[] = "/api/v1/machines";
    const size_t len = sizeof path - 1;
    return service->options.admin.restricted && !strncmp(head->path, path, len) &&
           (head->path[len] == '\0' || head->path[len] == '/');
}

static bool answer_own(struct http_service *service, const struct http_visitor *visitor,
                       const struct http_head *head, struct http_response *response)
{
    bool health = !strcmp(head->path, "/healthz");
    bool ready = !strcmp(head->path, "/readyz");
    bool metrics = !strcmp(head->path, "/metrics");
    bool api = http_route_is_api(service, head);
    if ((metrics || api) && !http_admin_may(service, visitor, head, response))
        return true;
    if (api || (!http_route_is_own(head) && !visitor->admin))
        return false;
    *response = http_response_none();
    if (!health && !ready && !metrics)
        *response = http_response_error(head, 404, NULL);
    else if (head->method == HTTP_POST)
        *response = not_allowed(head);
    else if (health)
        say(response, 200, "ok\n");
    else if (ready)
        answer_ready(service, response);
    else
        answer_metrics(service, response);
    return true;
}

bool http_route_early(struct http_service *service, const struct http_visitor *visitor,
                      const struct http_head *head, struct in_addr client,
                      struct http_response *response)
{
    bool dear = http_sign_is_dear(service, head);
    if (answer_own(service, visitor, head, response) ||
        (!dear && http_sign_recall(service, head, client, response)))
        return true;
    if (rate_allow(service->options.rate, client, http_service_clock()))
        return dear && http_sign_recall(service, head, client, response);
    metrics_inc(service->options.metrics, METRICS_LIMITED_HTTP);
    *response = http_response_error(head, 429, NULL);
    http_response_field(response, "Retry-After: 1");
    return true;
}

/* The signature's file in place of the file it is of, which is open. 0 or a negative errno. */
static int open_signature(const struct http_service *service, const struct reply_file *wanted,
                          const char *suffix, struct file *file)
{
    char *path = NULL;
    close(file->fd);
    if (asprintf(&path, "%s%s", wanted->path, suffix) < 0)
        return -ENOMEM;
    int error = files_open(service->options.files, wanted->root, path, file);
    free(path);
    return error;
}

/* What will pass is worth another try. */
static struct http_response answer_error(const struct http_head *head, int status,
                                         const char *message)
{
    struct http_response response = http_response_error(head, status, message);
    if (status == 503)
        http_response_field(&response, "Retry-After: %d", RETRY_SECONDS);
    return response;
}

static struct http_response answer_file(struct http_service *service, const struct http_head *head,
                                        struct in_addr client, const struct reply_file *wanted)
{
    struct file file;
    const char *suffix = http_sign_asked(service, head);
    if (head->method == HTTP_POST)
        return not_allowed(head);
    int error = files_open(service->options.files, wanted->root, wanted->path, &file);
    if (error == -ENOENT && wanted->otherwise)
        return http_route_reply(service, head, client, wanted->otherwise);
    if (error == 0 && suffix)
        error = open_signature(service, wanted, suffix, &file);
    if (error == 0) {
        const char *type = wanted->content_type;
        if (suffix || !type || !http_response_is_type(type))
            type = files_content_type(suffix ? suffix : wanted->path);
        return http_file_response(head, &file, type, time(NULL));
    }
    int status = http_file_status(error);
    if (status >= 500)
        http_service_complain(service, wanted->path, -error);
    return answer_error(head, status, NULL);
}

struct http_response http_route_reply(struct http_service *service, const struct http_head *head,
                                      struct in_addr client, const struct reply *reply)
{
    static const int statuses[] = {
        [REPLY_NOT_FOUND] = 404, [REPLY_DENIED] = 403, [REPLY_FAILED] = 500, [REPLY_BUSY] = 503};
    switch (reply->kind) {
    case REPLY_BODY:
        return http_sign_body(service, head, client, &reply->body);
    case REPLY_FILE:
        return answer_file(service, head, client, &reply->file);
    case REPLY_ERROR:
        return answer_error(head, statuses[reply->error.reason], reply->error.message);
    case REPLY_SILENCE:
    case REPLY_DHCP:
        break;
    }
    return http_response_error(head, 500, "the policy has no answer to this");
}
