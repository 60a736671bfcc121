#include "http_cms.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "http_file.h"

#define SUFFIX        ".cms"
#define RETRY_SECONDS 1

/* The file's name without the suffix, for the caller to free; NULL: it has another, or none. */
static char *stem_of(const char *path)
{
    size_t len = strlen(path), suffix = strlen(SUFFIX);
    return len > suffix && !strcmp(path + len - suffix, SUFFIX) ? strndup(path, len - suffix)
                                                                : NULL;
}

bool http_cms_asked(struct http_service *service, const struct http_head *head,
                    const struct reply *reply, cms_files_done *done, void *arg)
{
    struct file file;
    if (!service->cms_files || head->method == HTTP_POST || reply->kind != REPLY_FILE ||
        reply->file.root != REPLY_ROOT_ASSETS || reply->file.otherwise)
        return false;
    char *stem = stem_of(reply->file.path);
    if (!stem)
        return false;
    int error = files_open(service->options.files, reply->file.root, reply->file.path, &file);
    if (error == 0)
        close(file.fd);
    bool ours =
        error == -ENOENT && files_open(service->options.files, reply->file.root, stem, &file) == 0;
    free(stem);
    if (ours)
        cms_files_digest(service->cms_files, file.fd, done, arg);
    return ours;
}

struct http_response http_cms_answer(const struct http_service *service,
                                     const struct http_head *head, int error,
                                     const uint8_t digest[CMS_DIGEST_LEN])
{
    if (!error)
        return http_cms_response(service, head, digest);
    bool later = error == -EAGAIN || error == -ECANCELED || error == -ENOMEM;
    struct http_response response = http_response_error(head, later ? 503 : 500, NULL);
    if (later)
        http_response_field(&response, "Retry-After: %d", RETRY_SECONDS);
    return response;
}

struct http_response http_cms_response(const struct http_service *service,
                                       const struct http_head *head,
                                       const uint8_t digest[CMS_DIGEST_LEN])
{
    size_t len = 0;
    uint8_t *signature = cms_sign(signer_cms(service->options.signer), digest, &len);
    void *copy = signature ? malloc(len) : NULL;
    if (!copy) {
        cms_free(signature);
        return http_response_error(head, 503, NULL);
    }
    struct http_response response = http_response_none();
    memcpy(copy, signature, len);
    cms_free(signature);
    response.owned = copy;
    response.data = copy;
    response.status = 200;
    response.length = len;
    response.type = "application/pkcs7-signature";
    return response;
}
