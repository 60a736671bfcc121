#include "base_url.h"

#include <stdio.h>
#include <string.h>

#include "addr.h"

/* A Host field that may stand in URLs. */
static bool is_host(const char *host)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-:[]";
    size_t len = host ? strlen(host) : 0;
    return len > 0 && len < BASE_URL_MAX - sizeof "https://" && strspn(host, allowed) == len;
}

/* No printf: each request has one of these made. */
static void of_server(char *out, bool secure, struct in_addr server, uint16_t port)
{
    out = stpcpy(out, secure ? "https://" : "http://");
    addr_ip_text(server, out);
    if (port == (secure ? 443 : 80))
        return;
    char digits[6] = {0}, *at = digits + sizeof digits - 1;
    do
        *--at = (char)('0' + port % 10);
    while (port /= 10);
    out += strlen(out);
    *out++ = ':';
    strcpy(out, at);
}

void base_url(const struct base_url *url, const struct request *request, char out[BASE_URL_MAX])
{
    bool told = request->protocol == REQUEST_HTTP && request->http.tls;
    bool secure = told || url->only_tls;
    if (url->fixed)
        snprintf(out, BASE_URL_MAX, "%s", url->fixed);
    else if (told && is_host(request->http.host))
        snprintf(out, BASE_URL_MAX, "https://%s", request->http.host);
    else
        of_server(out, secure, request->server, secure ? url->https_port : url->http_port);
}
