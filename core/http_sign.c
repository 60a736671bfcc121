#include "http_sign.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "http_cms.h"

#define CMS ".cms"

static const char *suffix_of(const char *path)
{
    static const char *const suffixes[] = {".sig", ".minisig", CMS, NULL};
    size_t len = strlen(path);
    for (const char *const *suffix = suffixes; *suffix; suffix++) {
        size_t suffix_len = strlen(*suffix);
        if (len > suffix_len + 1 && !strcmp(path + len - suffix_len, *suffix))
            return *suffix;
    }
    return NULL;
}

const char *http_sign_asked(const struct http_service *service, const struct http_head *head)
{
    const struct signer *signer = service->options.signer;
    if (!signer || head->method == HTTP_POST ||
        !strncmp(head->path, "/assets/", strlen("/assets/")))
        return NULL;
    const char *suffix = suffix_of(head->path);
    if (!suffix)
        return NULL;
    return (strcmp(suffix, CMS) ? signer_has_key(signer) : signer_cms(signer) != NULL) ? suffix
                                                                                       : NULL;
}

bool http_sign_is_dear(const struct http_service *service, const struct http_head *head)
{
    const char *suffix = http_sign_asked(service, head);
    return suffix && !strcmp(suffix, CMS);
}

static struct signer_target target_of(const struct http_head *head, struct in_addr client,
                                      const char *suffix)
{
    size_t suffix_len = suffix ? strlen(suffix) : 0;
    return (struct signer_target){.client = client,
                                  .path = head->path,
                                  .path_len = strlen(head->path) - suffix_len,
                                  .query = head->query};
}

static struct http_response answer(const struct http_service *service, const struct http_head *head,
                                   const char *suffix, const struct signer_target *target,
                                   const struct signer_signature *signature)
{
    if (!strcmp(suffix, CMS))
        return http_cms_response(service, head, signature->digest);
    struct http_response response = http_response_none();
    bool raw = !strcmp(suffix, ".sig");
    response.owned = malloc(raw ? MINISIGN_LEN : MINISIGN_SIGNATURE_TEXT);
    if (!response.owned)
        return response;
    response.status = 200;
    response.data = response.owned;
    response.length = MINISIGN_LEN;
    response.type = raw ? "application/octet-stream" : "text/plain; charset=utf-8";
    if (raw)
        memcpy(response.owned, signature->raw, MINISIGN_LEN);
    else
        response.length = signer_text(service->options.signer, target, signature, response.owned);
    return response;
}

bool http_sign_recall(const struct http_service *service, const struct http_head *head,
                      struct in_addr client, struct http_response *response)
{
    struct signer_signature signature;
    const char *suffix = http_sign_asked(service, head);
    if (!suffix)
        return false;
    struct signer_target target = target_of(head, client, suffix);
    if (!signer_recall(service->options.signer, &target, time(NULL), &signature))
        return false;
    *response = answer(service, head, suffix, &target, &signature);
    return true;
}

struct http_response http_sign_body(const struct http_service *service,
                                    const struct http_head *head, struct in_addr client,
                                    const struct reply_body *body)
{
    struct signer_signature signature;
    if (!service->options.signer || head->method == HTTP_POST || body->status != 200)
        return http_response_body(body);
    const char *suffix = http_sign_asked(service, head);
    struct signer_target target = target_of(head, client, suffix);
    signer_sign(service->options.signer, &target, body->machine, body->data, body->len, time(NULL),
                &signature);
    return suffix ? answer(service, head, suffix, &target, &signature) : http_response_body(body);
}
