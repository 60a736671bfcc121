#include "tls_client.h"

#include <arpa/inet.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>

#include "tls_key.h"

struct tls_client {
    SSL_CTX *context;
};

static bool prepare(SSL_CTX *context, const struct tls_client_files *files, char *problem,
                    size_t size)
{
    SSL_CTX_set_options(context, SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    if (SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1)
        return tls_key_complain(problem, size, "TLS", NULL);
    if (!files->ca && SSL_CTX_set_default_verify_paths(context) != 1)
        return tls_key_complain(problem, size, "the system's certificates", NULL);
    if (files->ca && SSL_CTX_load_verify_locations(context, files->ca, NULL) != 1)
        return tls_key_complain(problem, size, files->ca, "it has no certificate in PEM");
    if (files->cert && SSL_CTX_use_certificate_chain_file(context, files->cert) != 1)
        return tls_key_complain(problem, size, files->cert, NULL);
    return !files->cert || tls_key_use(context, files->key, problem, size);
}

struct tls_client *tls_client_open(const struct tls_client_files *files, char *problem,
                                   size_t problem_size)
{
    struct tls_client *tls = calloc(1, sizeof *tls);
    ERR_clear_error();
    if (!tls || !(tls->context = SSL_CTX_new(TLS_client_method())))
        tls_key_complain(problem, problem_size, "TLS", "there is no memory for it");
    else if (prepare(tls->context, files, problem, problem_size))
        return tls;
    tls_client_close(tls);
    return NULL;
}

void tls_client_close(struct tls_client *tls)
{
    if (!tls)
        return;
    SSL_CTX_free(tls->context);
    free(tls);
}

static bool expect(SSL *ssl, const char *name)
{
    unsigned char address[sizeof(struct in6_addr)];
    bool numeric =
        inet_pton(AF_INET, name, address) == 1 || inet_pton(AF_INET6, name, address) == 1;
    if (numeric)
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) == 1;
    return SSL_set1_host(ssl, name) == 1 && SSL_set_tlsext_host_name(ssl, name) == 1;
}

struct bufferevent *tls_client_start(struct tls_client *tls, struct event_base *base,
                                     const char *name)
{
    SSL *ssl = SSL_new(tls->context);
    if (ssl && !expect(ssl, name)) {
        SSL_free(ssl);
        ssl = NULL;
    }
    struct bufferevent *bev =
        ssl ? bufferevent_openssl_socket_new(base, -1, ssl, BUFFEREVENT_SSL_CONNECTING,
                                             BEV_OPT_CLOSE_ON_FREE)
            : NULL;
    if (bev) /* else it has freed the SSL */
        bufferevent_openssl_set_allow_dirty_shutdown(bev, 1);
    return bev;
}

bool tls_client_error(struct bufferevent *bev, char *why, size_t size)
{
    SSL *ssl = bufferevent_openssl_get_ssl(bev);
    long verified = ssl ? SSL_get_verify_result(ssl) : X509_V_OK;
    unsigned long error = bufferevent_get_openssl_error(bev);
    const char *reason = error ? ERR_reason_error_string(error) : NULL;
    ERR_clear_error();
    if (verified != X509_V_OK)
        snprintf(why, size, "its certificate is not trusted: %s",
                 X509_verify_cert_error_string(verified));
    else if (error)
        snprintf(why, size, "TLS: %s", reason ? reason : "it failed");
    return verified != X509_V_OK || error;
}
