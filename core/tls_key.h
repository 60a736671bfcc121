/* Private keys, from files that are secrets. */
#ifndef MOONBOOT_TLS_KEY_H
#define MOONBOOT_TLS_KEY_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>

/* A key in PEM, without a passphrase; its file is to be nobody else's. NULL, and in `problem` what
 * is wrong. */
EVP_PKEY *tls_key_read(const char *path, char *problem, size_t size);

/* The key of the certificate that the context has, read so. False, and in
 * `problem` what is wrong. */
bool tls_key_use(SSL_CTX *context, const char *path, char *problem, size_t size);

/* For PEM_read_bio_…: nobody is asked for a passphrase. */
int tls_key_no_passphrase(char *buffer, int size, int writing, void *arg);

/* Writes what is wrong with a file into `problem`: why it was not read, if OpenSSL says that it was
 * not; else `why`, or NULL: what OpenSSL says. False. */
bool tls_key_complain(char *problem, size_t size, const char *file, const char *why);

#endif
