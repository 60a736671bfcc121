#include "http_admin.h"

#include <sodium.h>
#include <string.h>
#include <strings.h>

static struct http_response refuse(int status)
{
    struct http_response response = http_response_error(NULL, status, NULL);
    if (status == 401)
        http_response_field(&response, "WWW-Authenticate: Bearer");
    if (status == 429)
        http_response_field(&response, "Retry-After: 1");
    return response;
}

/* 200, or the status to refuse with. The slow hash stands between us and guesses, and would stand
 * between machines and us: a token that was right is known again by a quick one, and others are
 * looked at once a second. */
static int check_token(struct http_service *service, const struct http_head *head)
{
    static const char scheme[] = "Bearer ";
    struct http_admin_state *state = &service->admin;
    const char *value = http_field_single(head, "Authorization");
    uint8_t quick[sizeof state->known];
    time_t now = time(NULL);
    if (!value || strncasecmp(value, scheme, sizeof scheme - 1) != 0)
        return 401;
    const char *token = value + sizeof scheme - 1;
    crypto_generichash(quick, sizeof quick, (const uint8_t *)token, strlen(token), NULL, 0);
    if (state->has_known && sodium_memcmp(quick, state->known, sizeof quick) == 0)
        return 200;
    if (state->tried == now)
        return 429;
    state->tried = now;
    if (crypto_pwhash_str_verify(service->options.admin.token, token, strlen(token)) != 0)
        return 401;
    memcpy(state->known, quick, sizeof quick);
    state->has_known = true;
    return 200;
}

bool http_admin_may(struct http_service *service, const struct http_visitor *visitor,
                    const struct http_head *head, struct http_response *response)
{
    const struct http_server_admin *admin = &service->options.admin;
    if (!admin->restricted || visitor->admin || (admin->client_cert && visitor->certified))
        return true;
    int status = admin->token ? check_token(service, head) : 403;
    if (status != 200)
        *response = refuse(status);
    return status == 200;
}
