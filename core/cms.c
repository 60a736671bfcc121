#include "cms.h"

#include <openssl/cms.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tls_key.h"

#define FLAGS ((unsigned)(CMS_DETACHED | CMS_BINARY | CMS_NOATTR))

#define KEPT 16

/* A signature that was made. */
struct made {
    uint8_t digest[CMS_DIGEST_LEN];
    uint8_t *der; /* NULL: none */
    size_t len;
    uint64_t used;
};

struct cms {
    EVP_PKEY *key;
    struct made made[KEPT];
    uint64_t asked;         /* how often */
    CMS_ContentInfo *frame; /* a signature of something else; all but its octets stays */
};

struct reading {
    char *text;
    size_t size;
    const char *file;
};

static bool complain(const struct reading *r, const char *why)
{
    snprintf(r->text, r->size, "%s: %s", r->file, why);
    ERR_clear_error();
    return false;
}

/* What iPXE wants of it (crypto/cms.c there): else it says "permission denied" to a machine. */
static bool check_certificate(const struct reading *r, X509 *certificate)
{
    if (!(X509_get_key_usage(certificate) & KU_DIGITAL_SIGNATURE) ||
        X509_get_key_usage(certificate) == UINT32_MAX)
        return complain(r, "its key usage lacks digitalSignature");
    if (X509_get_extended_key_usage(certificate) == UINT32_MAX ||
        !(X509_get_extended_key_usage(certificate) & XKU_CODE_SIGN))
        return complain(r, "its extended key usage lacks codeSigning");
    if (X509_cmp_current_time(X509_get0_notAfter(certificate)) < 0)
        return complain(r, "it has expired");
    if (EVP_PKEY_get_base_id(X509_get0_pubkey(certificate)) != EVP_PKEY_RSA)
        return complain(r, "its key is not RSA, which is what iPXE verifies");
    return true;
}

/* The first is the signer's own, the others go with it. */
static X509 *read_certificates(const struct reading *r, STACK_OF(X509) * others)
{
    ERR_clear_error();
    BIO *bio = BIO_new_file(r->file, "r");
    X509 *own = bio ? PEM_read_bio_X509(bio, NULL, tls_key_no_passphrase, NULL) : NULL;
    for (X509 *next; own && (next = PEM_read_bio_X509(bio, NULL, tls_key_no_passphrase, NULL));) {
        if (sk_X509_push(others, next) <= 0)
            X509_free(next);
    }
    BIO_free(bio);
    if (!own)
        tls_key_complain(r->text, r->size, r->file, "it has no certificate in PEM");
    ERR_clear_error(); /* the end of the file is one */
    return own;
}

static EVP_PKEY *read_key(const struct reading *r, X509 *certificate)
{
    EVP_PKEY *key = tls_key_read(r->file, r->text, r->size);
    if (key && X509_check_private_key(certificate, key) != 1) {
        complain(r, "it is not the key of the certificate");
        EVP_PKEY_free(key);
        return NULL;
    }
    return key;
}

static CMS_ContentInfo *make_frame(X509 *certificate, EVP_PKEY *key, STACK_OF(X509) * others)
{
    BIO *nothing = BIO_new_mem_buf("", 0);
    CMS_ContentInfo *frame = CMS_sign(NULL, NULL, others, nothing, FLAGS | CMS_PARTIAL);
    bool good = frame && nothing &&
                CMS_add1_signer(frame, certificate, key, EVP_sha256(), FLAGS | CMS_PARTIAL) &&
                CMS_final(frame, nothing, NULL, FLAGS) == 1;
    BIO_free(nothing);
    if (good)
        return frame;
    CMS_ContentInfo_free(frame);
    return NULL;
}

struct cms *cms_open(const char *certificate, const char *key, char *problem, size_t problem_size)
{
    const struct reading of_certificate = {problem, problem_size, certificate};
    const struct reading of_key = {problem, problem_size, key};
    struct cms *cms = calloc(1, sizeof *cms);
    STACK_OF(X509) *others = sk_X509_new_null();
    X509 *own = NULL;
    bool good = false;
    if (!cms || !others)
        complain(&of_certificate, "no memory");
    else if ((own = read_certificates(&of_certificate, others)) &&
             check_certificate(&of_certificate, own) && (cms->key = read_key(&of_key, own)))
        good = (cms->frame = make_frame(own, cms->key, others)) ||
               complain(&of_certificate, "nothing can be signed by it");
    X509_free(own);
    sk_X509_pop_free(others, X509_free);
    if (good)
        return cms;
    cms_close(cms);
    return NULL;
}

void cms_close(struct cms *cms)
{
    if (!cms)
        return;
    for (size_t i = 0; i < KEPT; i++)
        OPENSSL_free(cms->made[i].der);
    CMS_ContentInfo_free(cms->frame);
    EVP_PKEY_free(cms->key);
    free(cms);
}

void cms_digest(const void *data, size_t len, uint8_t digest[CMS_DIGEST_LEN])
{
    crypto_hash_sha256(digest, data, len);
}

static uint8_t *sign_digest(const struct cms *cms, const uint8_t digest[CMS_DIGEST_LEN],
                            size_t *len)
{
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(cms->key, NULL);
    uint8_t *octets = NULL;
    bool good = context && EVP_PKEY_sign_init(context) == 1 &&
                EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) == 1 &&
                EVP_PKEY_CTX_set_signature_md(context, EVP_sha256()) == 1 &&
                EVP_PKEY_sign(context, NULL, len, digest, CMS_DIGEST_LEN) == 1 &&
                (octets = malloc(*len)) &&
                EVP_PKEY_sign(context, octets, len, digest, CMS_DIGEST_LEN) == 1;
    EVP_PKEY_CTX_free(context);
    if (good)
        return octets;
    free(octets);
    ERR_clear_error();
    return NULL;
}

static uint8_t *make(struct cms *cms, const uint8_t digest[CMS_DIGEST_LEN], size_t *len)
{
    size_t octets_len = 0;
    uint8_t *octets = sign_digest(cms, digest, &octets_len), *out = NULL;
    CMS_SignerInfo *signer = sk_CMS_SignerInfo_value(CMS_get0_SignerInfos(cms->frame), 0);
    int written = -1;
    if (octets &&
        ASN1_STRING_set(CMS_SignerInfo_get0_signature(signer), octets, (int)octets_len) == 1)
        written = i2d_CMS_ContentInfo(cms->frame, &out);
    free(octets);
    *len = written > 0 ? (size_t)written : 0;
    return written > 0 ? out : NULL;
}

/* Where that digest's signature is, or else is to be: in place of what was asked for longest ago.
 */
static struct made *place_of(struct cms *cms, const uint8_t digest[CMS_DIGEST_LEN])
{
    struct made *oldest = cms->made;
    for (struct made *m = cms->made; m < cms->made + KEPT; m++) {
        if (m->der && !memcmp(m->digest, digest, CMS_DIGEST_LEN))
            return m;
        if (m->used < oldest->used)
            oldest = m;
    }
    OPENSSL_free(oldest->der);
    oldest->der = NULL;
    return oldest;
}

uint8_t *cms_sign(struct cms *cms, const uint8_t digest[CMS_DIGEST_LEN], size_t *len)
{
    struct made *made = place_of(cms, digest);
    if (!made->der) {
        made->der = make(cms, digest, &made->len);
        memcpy(made->digest, digest, CMS_DIGEST_LEN);
    }
    made->used = ++cms->asked;
    *len = made->der ? made->len : 0;
    return made->der ? OPENSSL_memdup(made->der, made->len) : NULL;
}

void cms_free(uint8_t *signature)
{
    OPENSSL_free(signature);
}
