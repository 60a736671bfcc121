#include "tls_key.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>

#include "secret.h"

#define KEY_FILE_MAX ((size_t)64 << 10)
#define SECURE_HEAP  ((size_t)256 << 10)

bool tls_key_complain(char *problem, size_t size, const char *file, const char *why)
{
    unsigned long error = ERR_peek_error();
    const char *reason = why ? why : ERR_reason_error_string(error);
    if (ERR_SYSTEM_ERROR(error)) /* it was not read, which is no matter of what is in it */
        reason = strerror(ERR_GET_REASON(error));
    snprintf(problem, size, "%s: %s", file, reason ? reason : "it is malformed");
    ERR_clear_error();
    return false;
}

int tls_key_no_passphrase(char *buffer, int size, int writing, void *arg)
{
    (void)buffer;
    (void)size;
    (void)writing;
    (void)arg;
    return -1;
}

EVP_PKEY *tls_key_read(const char *path, char *problem, size_t size)
{
    struct secret file;
    /* Private keys go where secrets go: locked, and not in core dumps. */
    if (CRYPTO_secure_malloc_initialized() != 1)
        CRYPTO_secure_malloc_init(SECURE_HEAP, 32);
    int error = secret_read(path, KEY_FILE_MAX, &file);
    if (error) {
        tls_key_complain(problem, size, path, secret_problem(error));
        return NULL;
    }
    BIO *bio = BIO_new_mem_buf(file.data, (int)file.len);
    EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, tls_key_no_passphrase, NULL) : NULL;
    BIO_free(bio);
    secret_clear(&file);
    if (!key)
        tls_key_complain(problem, size, path,
                         "it is no private key in PEM, or one under a passphrase");
    return key;
}

bool tls_key_use(SSL_CTX *context, const char *path, char *problem, size_t size)
{
    EVP_PKEY *key = tls_key_read(path, problem, size);
    bool good = key && SSL_CTX_use_PrivateKey(context, key) == 1;
    if (key && (!good || SSL_CTX_check_private_key(context) != 1))
        good = tls_key_complain(problem, size, path, "it is not the key of the certificate");
    EVP_PKEY_free(key);
    return good;
}
