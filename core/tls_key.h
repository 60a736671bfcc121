/* The private key of a TLS context, from a file that is a secret. */
#ifndef MOONBOOT_TLS_KEY_H
#define MOONBOOT_TLS_KEY_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>

/* The key of the certificate that the context has; PEM, without a passphrase. False, and in
 * `problem` what is wrong. */
bool tls_key_use(SSL_CTX *context, const char *path, char *problem, size_t size);

/* Writes what is wrong with a file into `problem`; `why` NULL: what OpenSSL says. False. */
bool tls_key_complain(char *problem, size_t size, const char *file, const char *why);

#endif
