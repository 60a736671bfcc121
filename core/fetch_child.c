#include "fetch_child.h"

#include <curl/curl.h>
#include <errno.h>
#include <signal.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "config_policy.h"
#include "descriptors.h"
#include "minisign.h"
#include "privileges.h"
#include "sandbox.h"
#include "secret.h"

#define PEM_MAX   ((size_t)4 << 20)
#define REDIRECTS 5L
#define SIGNATURE ".minisig"

struct download {
    int fd;
    size_t len, max;
    bool too_large, not_written;
    crypto_generichash_state *hash;
    char etag[FETCH_CACHE_ETAG_MAX];
    char problem[CURL_ERROR_SIZE];
};

struct child {
    const struct fetch_order *order;
    struct secret ca, cert, key;
    struct fetch_report report;
};

_Noreturn static void end(const struct child *c)
{
    ssize_t n = write(c->order->report, &c->report, sizeof c->report);
    _exit(n == (ssize_t)sizeof c->report ? 0 : 1);
}

__attribute__((format(printf, 2, 3))) _Noreturn static void fail(struct child *c,
                                                                 const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(c->report.problem, sizeof c->report.problem, format, args);
    va_end(args);
    c->report.result = FETCH_FAILED;
    end(c);
}

/* --- one file ----------------------------------------------------------------------------------
 */

static size_t take_body(char *data, size_t size, size_t n, void *arg)
{
    struct download *d = arg;
    size_t len = size * n;
    d->too_large = len > d->max - d->len;
    d->not_written = !d->too_large && write(d->fd, data, len) != (ssize_t)len;
    if (d->too_large || d->not_written)
        return 0;
    crypto_generichash_update(d->hash, (const unsigned char *)data, len);
    d->len += len;
    return len;
}

/* The last one counts: there may have been redirections. What is no ETag is none. */
static size_t take_header(char *data, size_t size, size_t n, void *arg)
{
    struct download *d = arg;
    size_t len = size * n, at = strlen("etag:"), stop = len;
    if (len > 5 && !strncmp(data, "HTTP/", 5))
        *d->etag = '\0';
    if (len < at || strncasecmp(data, "etag:", at) != 0)
        return len;
    while (at < stop && (data[at] == ' ' || data[at] == '\t'))
        at++;
    while (stop > at && (unsigned char)data[stop - 1] <= ' ')
        stop--;
    bool good = stop - at < sizeof d->etag && stop - at >= 2 && data[stop - 1] == '"';
    for (size_t i = at; good && i < stop; i++)
        good = data[i] > ' ' && data[i] < 0x7f;
    if (good)
        snprintf(d->etag, sizeof d->etag, "%.*s", (int)(stop - at), data + at);
    return len;
}

static void set_blob(CURL *easy, CURLoption option, const struct secret *text)
{
    struct curl_blob blob = {text->data, text->len, CURL_BLOB_NOCOPY};
    if (text->len)
        curl_easy_setopt(easy, option, &blob);
}

static void prepare(CURL *easy, const struct child *c, struct download *d)
{
    const struct config *config = c->order->config;
    const char *protocols = strncasecmp(config->policy, "https:", 6) ? "http,https" : "https";
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, d->problem);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, d);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, d);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, protocols);
    curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, protocols);
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(easy, CURLOPT_MAXREDIRS, REDIRECTS);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT, (long)config->policy_refresh.timeout_s);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "moonboot/" MOONBOOT_VERSION);
    curl_easy_setopt(easy, CURLOPT_PROXY, ""); /* whatever the environment says */
    set_blob(easy, CURLOPT_CAINFO_BLOB, &c->ca);
    set_blob(easy, CURLOPT_SSLCERT_BLOB, &c->cert);
    set_blob(easy, CURLOPT_SSLKEY_BLOB, &c->key);
}

/* The answer's status: 200, or 304 where `etag` says what we have. */
static long get(struct child *c, const char *url, const char *etag, struct download *d)
{
    char condition[FETCH_CACHE_ETAG_MAX + 32];
    struct curl_slist *headers = NULL;
    long status = 0;
    CURL *easy = curl_easy_init();
    if (!easy)
        fail(c, "no memory");
    prepare(easy, c, d);
    snprintf(condition, sizeof condition, "If-None-Match: %s", etag);
    if (*etag && (headers = curl_slist_append(NULL, condition)))
        curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(easy, CURLOPT_URL, url);
    CURLcode result = curl_easy_perform(easy);
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    if (d->too_large)
        fail(c, "%s: it has more than %zu bytes", url, d->max);
    if (d->not_written)
        fail(c, "%s: it cannot be written to `policy_cache`", url);
    if (result != CURLE_OK)
        fail(c, "%s: %s", url, *d->problem ? d->problem : curl_easy_strerror(result));
    if (status != 200 && !(status == 304 && headers))
        fail(c, "%s: the server answered %ld", url, status);
    curl_slist_free_all(headers);
    curl_easy_cleanup(easy);
    return status;
}

/* --- the whole ---------------------------------------------------------------------------------
 */

/* URL + ".minisig", before any query. */
static char *signature_of(const char *url)
{
    char *name = NULL;
    size_t path = strcspn(url, "?#");
    return asprintf(&name, "%.*s" SIGNATURE "%s", (int)path, url, url + path) < 0 ? NULL : name;
}

static void fetch(struct child *c)
{
    const struct config *config = c->order->config;
    crypto_generichash_state hash;
    crypto_generichash_init(&hash, NULL, 0, FETCH_HASH_LEN);
    struct download bundle = {
        .fd = c->order->bundle, .max = (size_t)config->policy_refresh.max_mb << 20, .hash = &hash};
    c->report.result = FETCH_SAME;
    if (get(c, config->policy, c->order->etag, &bundle) == 304)
        return;
    if (config->policy_keys.n) {
        struct download signature = {
            .fd = c->order->signature, .max = MINISIGN_SIGNATURE_TEXT, .hash = &hash};
        char *url = signature_of(config->policy);
        if (!url)
            fail(c, "no memory");
        get(c, url, "", &signature);
        free(url);
    }
    if (fsync(c->order->bundle) < 0 || fsync(c->order->signature) < 0)
        fail(c, "`policy_cache`: %s", strerror(errno));
    c->report.result = FETCH_NEW;
    memcpy(c->report.etag, bundle.etag, sizeof c->report.etag);
    crypto_generichash_final(&hash, c->report.hash, sizeof c->report.hash);
}

static void read_pem(struct child *c, const char *name, bool secret, struct secret *text)
{
    char *path = name ? config_path(c->order->config, name) : NULL;
    int error = !name   ? 0
                : !path ? -ENOMEM
                        : (secret ? secret_read : secret_read_unguarded)(path, PEM_MAX, text);
    free(path);
    if (error)
        fail(c, "`policy_refresh`: %s: %s", name, secret_problem(error));
}

static void on_forbidden(int call)
{
    (void)call;
}

/* Gives up what fetching does not take. */
static void confine(struct child *c)
{
    const struct config *config = c->order->config;
    int keep[] = {c->order->bundle, c->order->signature, c->order->report};
    sigset_t none;
    sigemptyset(&none);
    signal(SIGINT, SIG_IGN); /* the terminal's are the supervisor's */
    signal(SIGHUP, SIG_IGN);
    signal(SIGUSR1, SIG_IGN);
    sigprocmask(SIG_SETMASK, &none, NULL);
    alarm(2 * config->policy_refresh.timeout_s + 10);
    descriptors_keep(keep, sizeof keep / sizeof *keep);
    const char *user = privileges_user(config->user);
    if (geteuid() == 0 && !user)
        fail(c, "there is no user \"%s\" to fetch it as: make one, or name another as `user`",
             config->user ? config->user : "nobody");
    if (!privileges_drop(user))
        fail(c, "cannot give up privileges: %s", strerror(errno));
    read_pem(c, config->policy_refresh.ca, false, &c->ca);
    read_pem(c, config->policy_refresh.cert, false, &c->cert);
    read_pem(c, config->policy_refresh.key, true, &c->key);
    if (!privileges_finish() || prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
        fail(c, "cannot give up privileges: %s", strerror(errno));
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0)
        fail(c, "no memory");
    int error = config->sandbox && sandbox_available() ? sandbox_enter(on_forbidden) : 0;
    if (error)
        fail(c, "the system cannot confine it (seccomp): %s", strerror(-error));
}

_Noreturn void fetch_child_run(const struct fetch_order *order)
{
    static struct child c;
    c.order = order;
    confine(&c);
    fetch(&c);
    end(&c);
}
