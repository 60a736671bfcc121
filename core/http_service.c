#include "http_service.h"

#include <arpa/inet.h>
#include <event2/bufferevent.h>
#include <string.h>

#include "http_transfer.h"
#include "log.h"
#include "tls.h"

#define MAX_SINGLE_WRITE 262144 /* libevent's default is 16 KiB */

#define LINGER_SECONDS     2
#define COMPLAINT_INTERVAL 10

/* Thousands of timers of few durations: libevent keeps those in queues, not in its heap. */
static const struct timeval *make_queue(struct http_service *service, struct timeval *own,
                                        unsigned ms)
{
    own->tv_sec = ms / 1000;
    own->tv_usec = ms % 1000 * 1000L;
    const struct timeval *common = event_base_init_common_timeout(service->base, own);
    return common ? common : own;
}

void http_service_init(struct http_service *service, struct event_base *base,
                       const struct http_server_options *options)
{
    *service = (struct http_service){.options = *options, .base = base, .date_of = -1};
    LIST_INIT(&service->connections);
    service->header = make_queue(service, &service->times[0], options->header_seconds * 1000);
    service->idle = make_queue(service, &service->times[1], options->idle_seconds * 1000);
    service->stall = make_queue(service, &service->times[2],
                                options->stall_seconds * 1000 / HTTP_TRANSFER_LOOKS);
    service->linger = make_queue(service, &service->times[3], LINGER_SECONDS * 1000);
}

uint64_t http_service_clock(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

struct bufferevent *http_service_transport(const struct http_service *service, int fd,
                                           enum http_service_door door)
{
    struct bufferevent *bev =
        door == HTTP_SERVICE_TLS ? tls_accept(service->options.tls, service->base, fd)
                                 : bufferevent_socket_new(service->base, fd, BEV_OPT_CLOSE_ON_FREE);
    if (!bev)
        return NULL;
    bufferevent_setwatermark(bev, EV_READ, 0, service->options.max_request);
    bufferevent_set_max_single_write(bev, MAX_SINGLE_WRITE);
    bufferevent_set_timeouts(bev, NULL, service->stall);
    return bev;
}

struct in_addr http_service_address(int fd)
{
    struct sockaddr_in own = {0};
    socklen_t len = sizeof own;
    return getsockname(fd, (struct sockaddr *)&own, &len) == 0 ? own.sin_addr
                                                               : (struct in_addr){INADDR_ANY};
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

void http_service_refused(const struct http_service *service, struct in_addr client,
                          const char *why)
{
    char address[INET_ADDRSTRLEN];
    metrics_inc(service->options.metrics, METRICS_TLS_FAILED);
    inet_ntop(AF_INET, &client, address, sizeof address);
    log_debug("http: %s: no TLS: %s", address, why);
}

void http_service_complain(struct http_service *service, const char *what, int error)
{
    time_t now = time(NULL);
    if (now - service->complained < COMPLAINT_INTERVAL && now >= service->complained)
        return;
    service->complained = now;
    log_warn("http: %s: %s", what, strerror(error));
}
