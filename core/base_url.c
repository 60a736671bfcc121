#include "base_url.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

/* A Host field that may stand in URLs. */
static bool is_host(const char *host)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-:[]";
    size_t len = host ? strlen(host) : 0;
    return len > 0 && len < BASE_URL_MAX - sizeof "https://" && strspn(host, allowed) == len;
}

void base_url(const struct base_url *url, const struct request *request, char out[BASE_URL_MAX])
{
    bool told = request->protocol == REQUEST_HTTP && request->http.tls;
    bool secure = told || url->only_tls;
    uint16_t port = secure ? url->https_port : url->http_port;
    const char *scheme = secure ? "https" : "http";
    char server[INET_ADDRSTRLEN];
    inet_ntop(AF_INET, &request->server, server, sizeof server);
    if (url->fixed)
        snprintf(out, BASE_URL_MAX, "%s", url->fixed);
    else if (told && is_host(request->http.host))
        snprintf(out, BASE_URL_MAX, "https://%s", request->http.host);
    else if (port == (secure ? 443 : 80))
        snprintf(out, BASE_URL_MAX, "%s://%s", scheme, server);
    else
        snprintf(out, BASE_URL_MAX, "%s://%s:%u", scheme, server, port);
}
