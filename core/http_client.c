#include "http_client.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "metrics.h"

#define TRANSFERS_MAX 1000
#define IDLE_MAX      64 /* connections that are kept */
#define HOST_MAX      64 /* connections to one server */

struct http_client_transfer {
    LIST_ENTRY(http_client_transfer) link;
    struct http_client *client;
    CURL *easy;
    struct curl_slist *headers;
    http_client_done *done;
    void *arg;
    char *data; /* the body so far */
    size_t len, room, max;
    bool too_large;
    char problem[CURL_ERROR_SIZE];
    char *url;
};

/* A socket that libcurl watches. */
struct watch {
    LIST_ENTRY(watch) link;
    struct event *event;
};

struct http_client {
    struct event_base *base;
    CURLM *multi;
    struct event *timer;
    struct metrics *metrics; /* NULL: nobody counts */
    unsigned n_transfers;
    LIST_HEAD(, http_client_transfer) transfers;
    LIST_HEAD(, watch) watches;
};

/* --- libcurl's sockets and timer on the event loop ------------------------------------------ */

static void transfer_free(struct http_client_transfer *t)
{
    LIST_REMOVE(t, link);
    t->client->n_transfers--;
    curl_multi_remove_handle(t->client->multi, t->easy);
    curl_easy_cleanup(t->easy);
    curl_slist_free_all(t->headers);
    free(t->data);
    free(t->url);
    free(t);
}

/* The host and port of a URL, without who asks. */
static void host_of(const char *url, char *host, size_t size)
{
    const char *from = url ? strstr(url, "://") : NULL;
    from = from ? from + 3 : "";
    size_t len = strcspn(from, "/?#");
    for (size_t i = 0; i < len; i++) {
        if (from[i] == '@') {
            from += i + 1;
            len -= i + 1;
            i = (size_t)-1;
        }
    }
    snprintf(host, size, "%.*s", (int)len, from);
}

/* Of a request that was led elsewhere, as what it was asked. */
static void count(const struct http_client_transfer *t, CURLcode result, int status)
{
    char host[METRICS_HOST_NAME + 1];
    curl_off_t took = 0;
    if (!t->client->metrics)
        return;
    curl_easy_getinfo(t->easy, CURLINFO_TOTAL_TIME_T, &took);
    host_of(t->url, host, sizeof host);
    enum metrics_outcome outcome = result == CURLE_OPERATION_TIMEDOUT ? METRICS_OUTCOME_TIMEOUT
                                   : status == 0                      ? METRICS_OUTCOME_FAILED
                                   : status < 400                     ? METRICS_OUTCOME_OK
                                   : status < 500                     ? METRICS_OUTCOME_REFUSED
                                                                      : METRICS_OUTCOME_BROKEN;
    metrics_asked(t->client->metrics, host, outcome, (uint64_t)took);
}

static void finish(struct http_client_transfer *t, CURLcode result)
{
    struct http_answer answer = {.type = "", .body = {(const uint8_t *)t->data, t->len}};
    const char *type = NULL;
    long status = 0;
    if (t->too_large)
        answer.problem = "the answer is too large";
    else if (result != CURLE_OK)
        answer.problem = *t->problem ? t->problem : curl_easy_strerror(result);
    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(t->easy, CURLINFO_CONTENT_TYPE, &type);
    answer.status = answer.problem ? 0 : (int)status;
    answer.type = type ? type : "";
    count(t, result, answer.status);
    t->done(&answer, t->arg);
    transfer_free(t);
}

/* Each `done` may ask anew, or cancel others: the list is read again after it. */
static void finish_all(struct http_client *client)
{
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(client->multi, &left))) {
        struct http_client_transfer *t = NULL;
        if (message->msg != CURLMSG_DONE)
            continue;
        CURLcode result = message->data.result;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &t);
        finish(t, result);
    }
}

static void on_socket(evutil_socket_t fd, short what, void *arg)
{
    struct http_client *client = arg;
    int running, action = 0;
    if (what & EV_READ)
        action |= CURL_CSELECT_IN;
    if (what & EV_WRITE)
        action |= CURL_CSELECT_OUT;
    curl_multi_socket_action(client->multi, fd, action, &running);
    finish_all(client);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct http_client *client = arg;
    int running;
    (void)fd;
    (void)what;
    curl_multi_socket_action(client->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    finish_all(client);
}

static int set_timer(CURLM *multi, long ms, void *arg)
{
    struct http_client *client = arg;
    struct timeval after = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
    (void)multi;
    if (ms < 0)
        return evtimer_del(client->timer);
    return evtimer_add(client->timer, &after);
}

static void watch_free(struct watch *watch)
{
    LIST_REMOVE(watch, link);
    if (watch->event)
        event_free(watch->event);
    free(watch);
}

static int set_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *known)
{
    struct http_client *client = arg;
    struct watch *watch = known;
    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (watch)
            watch_free(watch);
        return 0;
    }
    if (!watch) {
        watch = calloc(1, sizeof *watch);
        if (!watch)
            return -1;
        LIST_INSERT_HEAD(&client->watches, watch, link);
        curl_multi_assign(client->multi, fd, watch);
    }
    short wanted = (short)((what & CURL_POLL_IN ? EV_READ : 0) |
                           (what & CURL_POLL_OUT ? EV_WRITE : 0) | EV_PERSIST);
    if (watch->event)
        event_free(watch->event);
    watch->event = event_new(client->base, fd, wanted, on_socket, client);
    return watch->event && event_add(watch->event, NULL) == 0 ? 0 : -1;
}

/* --- the client ----------------------------------------------------------------------------- */

struct http_client *http_client_open(struct event_base *base)
{
    struct http_client *client = calloc(1, sizeof *client);
    if (!client || curl_global_init(CURL_GLOBAL_DEFAULT) != 0) {
        free(client);
        return NULL;
    }
    client->base = base;
    LIST_INIT(&client->transfers);
    LIST_INIT(&client->watches);
    client->multi = curl_multi_init();
    client->timer = evtimer_new(base, on_timer, client);
    if (!client->multi || !client->timer) {
        http_client_close(client);
        return NULL;
    }
    curl_multi_setopt(client->multi, CURLMOPT_SOCKETFUNCTION, set_socket);
    curl_multi_setopt(client->multi, CURLMOPT_SOCKETDATA, client);
    curl_multi_setopt(client->multi, CURLMOPT_TIMERFUNCTION, set_timer);
    curl_multi_setopt(client->multi, CURLMOPT_TIMERDATA, client);
    curl_multi_setopt(client->multi, CURLMOPT_MAXCONNECTS, (long)IDLE_MAX);
    curl_multi_setopt(client->multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long)HOST_MAX);
    return client;
}

void http_client_measure(struct http_client *client, struct metrics *metrics)
{
    client->metrics = metrics;
}

void http_client_close(struct http_client *client)
{
    if (!client)
        return;
    struct http_client_transfer *t, *next;
    for (t = LIST_FIRST(&client->transfers); t; t = next) {
        next = LIST_NEXT(t, link);
        transfer_free(t);
    }
    if (client->multi)
        curl_multi_cleanup(client->multi);
    struct watch *watch, *after;
    for (watch = LIST_FIRST(&client->watches); watch; watch = after) {
        after = LIST_NEXT(watch, link);
        watch_free(watch);
    }
    if (client->timer)
        event_free(client->timer);
    curl_global_cleanup();
    free(client);
}

/* --- one transfer ---------------------------------------------------------------------------- */

static size_t take_body(char *data, size_t size, size_t n, void *arg)
{
    struct http_client_transfer *t = arg;
    size_t len = size * n;
    if (len > t->max - t->len) {
        t->too_large = true;
        return 0;
    }
    if (t->len + len > t->room) {
        size_t room = t->room * 2 > t->len + len ? t->room * 2 : t->len + len;
        char *grown = realloc(t->data, room);
        if (!grown)
            return 0;
        t->data = grown;
        t->room = room;
    }
    memcpy(t->data + t->len, data, len);
    t->len += len;
    return len;
}

static void set_blob(CURL *easy, CURLoption option, struct bytes text)
{
    struct curl_blob blob = {(void *)text.data, text.len, CURL_BLOB_COPY};
    if (text.len)
        curl_easy_setopt(easy, option, &blob);
}

static void set_tls(CURL *easy, const struct http_question *q)
{
    set_blob(easy, CURLOPT_CAINFO_BLOB, q->ca);
    set_blob(easy, CURLOPT_SSLCERT_BLOB, q->cert);
    set_blob(easy, CURLOPT_SSLKEY_BLOB, q->key);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, q->insecure ? 0L : 1L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, q->insecure ? 0L : 2L);
}

static void set_method(CURL *easy, const struct http_question *q)
{
    if (!strcmp(q->method, "HEAD"))
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    else if (strcmp(q->method, "GET") != 0)
        curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, q->method);
    if (!q->has_body)
        return;
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)q->body.len);
    curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, q->body.len ? (const char *)q->body.data : "");
}

static bool set_headers(struct http_client_transfer *t, const struct http_question *q)
{
    for (size_t i = 0; q->headers && q->headers[i]; i++) {
        struct curl_slist *longer = curl_slist_append(t->headers, q->headers[i]);
        if (!longer)
            return false;
        t->headers = longer;
    }
    /* A server that has to be asked first whether it takes a body loses a round trip. */
    struct curl_slist *longer = curl_slist_append(t->headers, "Expect:");
    if (!longer)
        return false;
    t->headers = longer;
    curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, t->headers);
    return true;
}

static bool prepare(struct http_client_transfer *t, const struct http_question *q)
{
    CURL *easy = t->easy;
    curl_easy_setopt(easy, CURLOPT_PRIVATE, t);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, t->problem);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, t);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L); /* never waits for a resolver's thread */
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, q->redirects ? 1L : 0L);
    curl_easy_setopt(easy, CURLOPT_MAXREDIRS, (long)q->redirects);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)q->timeout_ms);
    curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "");
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "moonboot/" MOONBOOT_VERSION);
    curl_easy_setopt(easy, CURLOPT_PROXY, q->proxy ? q->proxy : "");
    if (q->unix_socket)
        curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, q->unix_socket);
    set_tls(easy, q);
    set_method(easy, q);
    return curl_easy_setopt(easy, CURLOPT_URL, q->url) == CURLE_OK && set_headers(t, q);
}

struct http_client_transfer *http_client_ask(struct http_client *client,
                                             const struct http_question *q, http_client_done *done,
                                             void *arg)
{
    if (client->n_transfers >= TRANSFERS_MAX)
        return NULL;
    struct http_client_transfer *t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    t->client = client;
    t->done = done;
    t->arg = arg;
    t->max = q->max_bytes;
    t->url = strdup(q->url);
    t->easy = curl_easy_init();
    LIST_INSERT_HEAD(&client->transfers, t, link);
    client->n_transfers++;
    /* It starts from the event loop: adding a handle only sets the timer. */
    if (t->easy && prepare(t, q) && curl_multi_add_handle(client->multi, t->easy) == CURLM_OK)
        return t;
    if (t->easy) {
        transfer_free(t);
        return NULL;
    }
    LIST_REMOVE(t, link);
    client->n_transfers--;
    free(t->url);
    free(t);
    return NULL;
}

void http_client_cancel(struct http_client_transfer *transfer)
{
    transfer_free(transfer);
}
