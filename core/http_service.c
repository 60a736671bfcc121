#include "http_service.h"

#include <arpa/inet.h>
#include <string.h>

#include "log.h"

#define LINGER_SECONDS     2
#define COMPLAINT_INTERVAL 10

/* Thousands of timers of few durations: libevent keeps those in queues, not in its heap. */
static const struct timeval *make_queue(struct http_service *service, struct timeval *own,
                                        unsigned seconds)
{
    own->tv_sec = seconds;
    const struct timeval *common = event_base_init_common_timeout(service->base, own);
    return common ? common : own;
}

void http_service_init(struct http_service *service, struct event_base *base,
                       const struct http_server_options *options)
{
    *service = (struct http_service){.options = *options, .base = base, .date_of = -1};
    LIST_INIT(&service->connections);
    service->header = make_queue(service, &service->times[0], options->header_seconds);
    service->idle = make_queue(service, &service->times[1], options->idle_seconds);
    service->stall = make_queue(service, &service->times[2], options->stall_seconds);
    service->linger = make_queue(service, &service->times[3], LINGER_SECONDS);
}

uint64_t http_service_clock(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

const char *http_service_date(struct http_service *service)
{
    time_t now = time(NULL);
    if (service->date_of != now && http_date_format(now, service->date))
        service->date_of = now;
    return service->date;
}

void http_service_note(const struct http_service *service, const struct http_head *head,
                       struct in_addr client, const struct http_response *response)
{
    int status = response->status;
    enum metrics_counter counter = status < 300   ? METRICS_HTTP_2XX
                                   : status < 400 ? METRICS_HTTP_3XX
                                   : status < 500 ? METRICS_HTTP_4XX
                                                  : METRICS_HTTP_5XX;
    char address[INET_ADDRSTRLEN];
    metrics_inc(service->options.metrics, counter);
    if (!log_enabled(LOG_LEVEL_DEBUG))
        return;
    inet_ntop(AF_INET, &client, address, sizeof address);
    /* A token is for the machine, not for the log. */
    const char *path = head->path ? head->path : "-";
    const char *token = strstr(path, "~token=");
    size_t shown = token ? (size_t)(token - path) : strlen(path);
    log_debug("http: %s %s %.*s%s%s %d %llu", address, head->method_name ? head->method_name : "-",
              (int)shown, path, token ? "~token=•••" : "", token ? token + strcspn(token, "/") : "",
              status, (unsigned long long)response->length);
}

void http_service_complain(struct http_service *service, const char *what, int error)
{
    time_t now = time(NULL);
    if (now - service->complained < COMPLAINT_INTERVAL && now >= service->complained)
        return;
    service->complained = now;
    log_warn("http: %s: %s", what, strerror(error));
}
