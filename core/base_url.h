/* What absolute URLs begin with, as the client that asks can reach us. */
#ifndef MOONBOOT_BASE_URL_H
#define MOONBOOT_BASE_URL_H

#include <stdbool.h>
#include <stdint.h>

#include "request.h"

#define BASE_URL_MAX 256

struct base_url {
    const char *fixed; /* NULL: of the address that was asked */
    uint16_t http_port;
    uint16_t https_port; /* for who is told over TLS */
    bool only_tls;       /* for all */
};

/* Over TLS it has the name that the client came by: certificates are of names. */
void base_url(const struct base_url *url, const struct request *request, char out[BASE_URL_MAX]);

#endif
