#include "release.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config_policy.h"
#include "fetch_cache.h"
#include "files.h"
#include "log.h"
#include "source.h"

#define KEY_MAX   4096
#define BEGIN_LEN 512

/* One load's, while it is looked at. */
struct looking {
    struct release *release;
    const struct config *config;
    enum release_use use;
    struct problems *problems;
    const char *name; /* what messages call a bundle */
    size_t name_len;
    const uint8_t *data;
    size_t len;
};

static bool refuse(const struct looking *l, const char *why)
{
    problems_add(l->problems, "%s: `policy: %s`: %s", l->config->path, l->config->policy, why);
    return false;
}

/* A small file as text, in sealed memory, to be let go of by source_unmap. NULL with errno. */
static const uint8_t *read_small(const char *path, size_t max, size_t *len)
{
    int source = path ? source_copy(path, max) : -ENOMEM;
    if (source < 0) {
        errno = -source;
        return NULL;
    }
    const uint8_t *data = source_map(source, len);
    int error = errno;
    close(source);
    errno = error;
    return data;
}

/* --- signatures --------------------------------------------------------------------------------
 */

/* False, after a complaint: that key cannot be read. */
static bool read_key(const struct looking *l, const char *name, struct minisign_public *key)
{
    size_t len = 0;
    char *path = config_path(l->config, name);
    const uint8_t *text = read_small(path, KEY_MAX, &len);
    const char *problem =
        text ? minisign_public_read((const char *)text, len, key) : strerror(errno);
    source_unmap(text, len);
    if (problem)
        problems_add(l->problems, "%s: `policy_keys: %s`: %s", l->config->path, name, problem);
    free(path);
    return !problem;
}

/* The key of that id; false: there is none, or a key is wrong, which is complained of. */
static bool find_key(const struct looking *l, const uint8_t id[MINISIGN_ID_LEN],
                     struct minisign_public *key)
{
    const struct config_names *names = &l->config->policy_keys;
    bool found = false;
    size_t before = l->problems->n;
    for (size_t i = 0; i < names->n; i++) {
        struct minisign_public each;
        if (read_key(l, names->names[i], &each) && !memcmp(each.id, id, MINISIGN_ID_LEN)) {
            *key = each;
            found = true;
        }
    }
    if (!found && l->problems->n == before) {
        char text[2 * MINISIGN_ID_LEN + 1], why[128];
        minisign_id_text(id, text);
        snprintf(why, sizeof why, "it is signed by key %s, which is none of `policy_keys`", text);
        refuse(l, why);
    }
    return found && l->problems->n == before;
}

static bool verify(const struct looking *l, const uint8_t *text, size_t text_len)
{
    static struct minisign_signature signature; /* large */
    struct minisign_public key;
    uint8_t hash[MINISIGN_HASH_LEN];
    const char *problem = minisign_read((const char *)text, text_len, &signature);
    if (problem)
        return refuse(l, problem);
    if (!find_key(l, signature.id, &key))
        return false;
    minisign_hash(l->data, l->len, hash);
    problem = minisign_verify(&key, &signature, l->data, l->len, hash);
    minisign_id_text(key.id, l->release->key);
    return !problem || refuse(l, problem);
}

static bool verify_file(const struct looking *l)
{
    char why[512];
    size_t len = 0;
    const uint8_t *text = read_small(l->release->signature, MINISIGN_SIGNATURE_TEXT, &len);
    if (!text) {
        snprintf(
            why, sizeof why,
            "it has no signature that can be read, and `policy_keys` wants one: %s.minisig: %s",
            l->config->policy, strerror(errno));
        return refuse(l, why);
    }
    bool good = verify(l, text, len);
    source_unmap(text, len);
    return good;
}

/* --- versions ----------------------------------------------------------------------------------
 */

char *release_prepare_cache(const struct config *config)
{
    char *path = config_path(config, config->policy_cache);
    int error = path ? ratchet_prepare(path) : -ENOMEM;
    if (!error)
        return path;
    free(path);
    errno = -error;
    return NULL;
}

/* The same for this load; NULL after a complaint. */
static char *prepare_cache(const struct looking *l)
{
    const struct config *config = l->config;
    char *path = l->use == RELEASE_TO_CHECK ? config_path(config, config->policy_cache)
                                            : release_prepare_cache(config);
    if (!path)
        problems_add(l->problems, "%s: `policy_cache: %s`: %s", config->path, config->policy_cache,
                     errno == EPERM
                         ? "it is to be a directory that only the user can write to who starts the "
                           "service, below directories that only he can, and root"
                         : strerror(errno));
    return path;
}

static bool check_version(const struct looking *l)
{
    struct ratchet ran;
    char why[512];
    const struct ratchet *found = &l->release->version;
    char *cache = prepare_cache(l);
    if (!cache)
        return false;
    int error = ratchet_read(cache, &ran);
    *why = '\0';
    if (error && l->use == RELEASE_TO_CHECK)
        error = -ENOENT;
    if (error && error != -ENOENT)
        snprintf(why, sizeof why, "the version that ran last cannot be read: %s/%s: %s", cache,
                 RATCHET_FILE,
                 error == -EBADMSG ? "it is not what moonboot writes" : strerror(-error));
    else if (!error && found->version < ran.version)
        snprintf(why, sizeof why, "it is version %" PRIu64 ", older than %" PRIu64 ", which ran",
                 found->version, ran.version);
    else if (!error && found->version == ran.version &&
             memcmp(found->hash, ran.hash, sizeof ran.hash) != 0)
        snprintf(why, sizeof why,
                 "it is another bundle of version %" PRIu64 ", which ran: give it a new one",
                 found->version);
    free(cache);
    return !*why || refuse(l, why);
}

bool release_ran(const struct release *release, const struct config *config)
{
    struct ratchet ran;
    if (!*release->key && !release->fresh)
        return true;
    char *cache = config_path(config, config->policy_cache);
    int error = !cache ? -ENOMEM : release->fresh ? fetch_cache_commit(cache) : 0;
    /* In this order: what is there to be started by is never older than what ran. */
    if (!error && *release->key &&
        (ratchet_read(cache, &ran) || memcmp(&ran, &release->version, sizeof ran) != 0))
        error = ratchet_write(cache, &release->version);
    if (error)
        log_error("version %" PRIu64 " of the policy cannot be remembered: %s: %s",
                  release->version.version, config->policy_cache, strerror(-error));
    free(cache);
    return error == 0;
}

/* --- opening ------------------------------------------------------------------------------------
 */

/* Nothing of it is believed before its signature is. */
static bool look_into(struct looking *l)
{
    struct bundle bundle;
    struct release *release = l->release;
    bool signed_only = l->config->policy_keys.n > 0;
    if (signed_only && !verify_file(l))
        return false;
    const char *problem = bundle_read(l->data, l->len, &bundle);
    if (problem)
        return refuse(l, problem);
    release->version.version = bundle.version;
    crypto_generichash(release->version.hash, sizeof release->version.hash, l->data, l->len, NULL,
                       0);
    release->file = strdup(bundle.policy);
    if (!release->file ||
        asprintf(&release->display, "%.*s/%s", (int)l->name_len, l->name, bundle.policy) < 0) {
        release->display = NULL;
        return refuse(l, strerror(ENOMEM));
    }
    return !signed_only || check_version(l);
}

static bool open_bundle(struct looking *l, const char *path)
{
    struct release *release = l->release;
    release->bundled = true;
    if (!l->name) {
        l->name = path;
        l->name_len = strlen(path);
    }
    release->bundle = strdup(path);
    if (!release->bundle || asprintf(&release->signature, "%s.minisig", path) < 0) {
        release->signature = NULL;
        return refuse(l, strerror(ENOMEM));
    }
    release->source = source_copy(path, BUNDLE_MAX);
    if (release->source < 0)
        return refuse(l, strerror(-release->source));
    l->data = source_map(release->source, &l->len);
    if (!l->data)
        return refuse(l, strerror(errno));
    bool good = look_into(l);
    source_unmap(l->data, l->len);
    return good;
}

/* The last part of a URL's path. */
static void name_by_url(struct looking *l, const char *url)
{
    size_t end = strcspn(url, "?#"), start = end;
    while (start > 0 && url[start - 1] != '/')
        start--;
    l->name = end > start ? url + start : "policy";
    l->name_len = end > start ? end - start : strlen("policy");
}

/* What was fetched from the URL that `policy` is. */
static bool open_fetched(struct looking *l)
{
    const char *which = l->use == RELEASE_FETCHED ? FETCH_CACHE_NEW : FETCH_CACHE_RAN;
    char *cache = prepare_cache(l), *path = NULL;
    bool good = false;
    if (!cache)
        return false;
    l->release->fetched = true;
    l->release->fresh = l->use == RELEASE_FETCHED;
    name_by_url(l, l->config->policy);
    if (!fetch_cache_has(cache, which, l->config->policy, NULL))
        good = l->use == RELEASE_TO_CHECK || refuse(l, "nothing has been fetched from there yet");
    else if (asprintf(&path, "%s/%s/" FETCH_CACHE_BUNDLE, cache, which) < 0)
        path = NULL;
    else
        good = open_bundle(l, path);
    free(path);
    free(cache);
    return good;
}

/* Splits the policy's path into an open directory and a name in it. */
static bool open_file(const struct looking *l, const char *path)
{
    struct release *release = l->release;
    char *copy = strdup(path), *base = strdup(path);
    release->display = strdup(path);
    release->file = base ? strdup(basename(base)) : NULL;
    release->source = copy ? files_root_open(dirname(copy)) : -ENOMEM;
    free(copy);
    free(base);
    if (release->source >= 0 && release->file && release->display)
        return true;
    return refuse(l, strerror(release->source < 0 ? -release->source : ENOMEM));
}

static bool begins_as_bundle(const char *path)
{
    char begin[BEGIN_LEN];
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    bool bundle = fd >= 0 && read(fd, begin, sizeof begin) == (ssize_t)sizeof begin &&
                  bundle_begins(begin, sizeof begin);
    if (fd >= 0)
        close(fd);
    return bundle;
}

bool release_open(struct release *release, const struct config *config, enum release_use use,
                  struct problems *problems)
{
    struct looking l = {.release = release, .config = config, .use = use, .problems = problems};
    *release = (struct release){.source = -1};
    if (sodium_init() < 0)
        return refuse(&l, "no random numbers");
    if (config_policy_is_fetched(config))
        return open_fetched(&l);
    char *path = config_path(config, config->policy);
    bool good = path ? (config->policy_keys.n || begins_as_bundle(path) ? open_bundle(&l, path)
                                                                        : open_file(&l, path))
                     : refuse(&l, strerror(ENOMEM));
    free(path);
    return good;
}

void release_close(struct release *release)
{
    if (release->source >= 0)
        close(release->source);
    free(release->file);
    free(release->display);
    free(release->bundle);
    free(release->signature);
    *release = (struct release){.source = -1};
}
