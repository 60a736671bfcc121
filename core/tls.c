#include "tls.h"

#include <event2/bufferevent_ssl.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tls_key.h"

/* In this order of preference. iPXE up to 1.21 has no elliptic curves and EDK2's set is small, so
 * that plain RSA and CBC stay at the end; nothing with MD5, RC4, DES or without authentication. */
#define CIPHERS                                                                                    \
    "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM:DHE+CHACHA20:ECDHE+AES:DHE+AES:RSA+AESGCM:RSA+AES"     \
    ":!aNULL:!eNULL:!PSK:!SRP:!DSS:!CAMELLIA:!ARIA:!AESCCM"

struct tls {
    SSL_CTX *context;
};

/* --- contexts ------------------------------------------------------------------------------- */

/* Who has a certificate is to show it; who has none is served all the same: what he may have is
 * the policy's to say. */
static bool use_clients(SSL_CTX *context, const char *path, char *problem, size_t size)
{
    STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(path);
    if (!names || SSL_CTX_load_verify_locations(context, path, NULL) != 1) {
        sk_X509_NAME_pop_free(names, X509_NAME_free);
        return tls_key_complain(problem, size, path, "it has no certificate in PEM");
    }
    SSL_CTX_set_client_CA_list(context, names);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    return true;
}

static bool prepare(SSL_CTX *context)
{
    static const unsigned char name[] = "moonboot";
    SSL_CTX_set_options(context, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_NO_RENEGOTIATION |
                                     SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_NO_COMPRESSION);
    /* What connects sessions are tickets, whose key the workers share. */
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    return SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1 &&
           SSL_CTX_set_cipher_list(context, CIPHERS) == 1 && SSL_CTX_set_dh_auto(context, 1) == 1 &&
           SSL_CTX_set_session_id_context(context, name, sizeof name - 1) == 1;
}

struct tls *tls_open(const struct tls_files *files, char *problem, size_t problem_size)
{
    ERR_clear_error();
    struct tls *tls = calloc(1, sizeof *tls);
    if (!tls || !(tls->context = SSL_CTX_new(TLS_server_method())) || !prepare(tls->context))
        tls_key_complain(problem, problem_size, files->cert, "there is no memory for TLS");
    else if (SSL_CTX_use_certificate_chain_file(tls->context, files->cert) != 1)
        tls_key_complain(problem, problem_size, files->cert, NULL);
    else if (tls_key_use(tls->context, files->key, problem, problem_size) &&
             (!files->client_ca ||
              use_clients(tls->context, files->client_ca, problem, problem_size)))
        return tls;
    tls_close(tls);
    return NULL;
}

void tls_close(struct tls *tls)
{
    if (!tls)
        return;
    SSL_CTX_free(tls->context);
    free(tls);
}

/* --- connections ------------------------------------------------------------------------------ */

struct bufferevent *tls_accept(struct tls *tls, struct event_base *base, int fd)
{
    SSL *ssl = SSL_new(tls->context);
    struct bufferevent *bev =
        ssl ? bufferevent_openssl_socket_new(base, fd, ssl, BUFFEREVENT_SSL_ACCEPTING,
                                             BEV_OPT_CLOSE_ON_FREE)
            : NULL;
    if (bev) /* else it has freed the SSL */
        bufferevent_openssl_set_allow_dirty_shutdown(bev, 1);
    return bev;
}

static void read_certificate(X509 *certificate, struct tls_peer *peer)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    X509_NAME *subject = X509_get_subject_name(certificate);
    BIO *bio = BIO_new(BIO_s_mem());
    if (bio && X509_NAME_print_ex(bio, subject, 0, XN_FLAG_RFC2253) >= 0) {
        int n = BIO_read(bio, peer->subject, sizeof peer->subject - 1);
        peer->subject[n > 0 ? n : 0] = '\0';
    }
    BIO_free(bio);
    if (X509_NAME_get_text_by_NID(subject, NID_commonName, peer->name, sizeof peer->name) < 0)
        *peer->name = '\0';
    if (X509_digest(certificate, EVP_sha256(), digest, &len) == 1)
        sodium_bin2hex(peer->fingerprint, sizeof peer->fingerprint, digest, len);
}

void tls_peer_read(struct bufferevent *bev, struct tls_peer *peer)
{
    SSL *ssl = bufferevent_openssl_get_ssl(bev);
    memset(peer, 0, sizeof *peer);
    snprintf(peer->version, sizeof peer->version, "%s", SSL_get_version(ssl));
    X509 *certificate = SSL_get1_peer_certificate(ssl);
    if (certificate && SSL_get_verify_result(ssl) == X509_V_OK)
        read_certificate(certificate, peer);
    X509_free(certificate);
}

const char *tls_error(struct bufferevent *bev)
{
    unsigned long error = bufferevent_get_openssl_error(bev);
    return error ? ERR_reason_error_string(error) : NULL;
}

void tls_goodbye(struct bufferevent *bev)
{
    SSL *ssl = bufferevent_openssl_get_ssl(bev);
    if (SSL_is_init_finished(ssl))
        SSL_shutdown(ssl);
    ERR_clear_error();
}
