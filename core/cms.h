/* Detached CMS signatures (RFC 5652), as iPXE's imgverify wants them: DER, by RSA over SHA-256,
 * without signed attributes, with the signer's certificate and those between it and the authority.
 * Since nothing but the digest is signed, a signature can be made of that alone. */
#ifndef MOONBOOT_CMS_H
#define MOONBOOT_CMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CMS_DIGEST_LEN 32

struct cms;

/* Reads a code-signing certificate, with those above it, and its key, in PEM. NULL after saying
 * what is wrong: what iPXE would not take is not taken here. */
struct cms *cms_open(const char *certificate, const char *key, char *problem, size_t problem_size);

/* Wipes the key. */
void cms_close(struct cms *cms);

void cms_digest(const void *data, size_t len, uint8_t digest[CMS_DIGEST_LEN]);

/* The signature of what has that digest, for the caller to free by cms_free. NULL: no memory. The
 * last few are remembered. One thread at a time. */
uint8_t *cms_sign(struct cms *cms, const uint8_t digest[CMS_DIGEST_LEN], size_t *len);
void cms_free(uint8_t *signature);

#endif
