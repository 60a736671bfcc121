#include "config_policy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "config_place.h"

#define CLEAR  "http://"
#define SECURE "https://"

static bool starts(const char *text, const char *with)
{
    return text && strncasecmp(text, with, strlen(with)) == 0;
}

bool config_policy_is_fetched(const struct config *config)
{
    return starts(config->policy, CLEAR) || starts(config->policy, SECURE);
}

/* Name or password before the host: logs and the status show the URL. */
static bool has_user(const struct config *config)
{
    const char *host = strstr(config->policy, "://") + 3;
    return memchr(host, '@', strcspn(host, "/?#")) != NULL;
}

/* Beside what the workers own, not below: there they could put another in its place. */
static const char *name_cache(struct config *config)
{
    size_t len = strlen(config->state.path);
    while (len > 1 && config->state.path[len - 1] == '/')
        len--;
    if (asprintf(&config->policy_cache, "%.*s.policy", (int)len, config->state.path) >= 0)
        return NULL;
    config->policy_cache = NULL;
    return "no memory for `policy_cache`";
}

static const char *check(struct config *config, const char **key)
{
    bool fetched = config_policy_is_fetched(config);
    *key = "signing";
    if (!config->signing.cms_cert != !config->signing.cms_key)
        return "`signing` wants both `cms_cert` and `cms_key`, or neither";
    *key = "policy";
    if (fetched && has_user(config))
        return "`policy` has a user or a password, which are not for this file: `policy_refresh: { "
               "cert: …, key: … }` tells the server who asks";
    if (starts(config->policy, CLEAR) && !config->policy_keys.n)
        return "`policy` would be fetched in the clear, where anybody could change it: https://, "
               "or `policy_keys`";
    *key = "policy_refresh";
    if (!config->policy_refresh.cert != !config->policy_refresh.key)
        return "`policy_refresh` wants both `cert` and `key`, or neither";
    *key = fetched ? "policy" : "policy_keys";
    if ((!config->policy_keys.n && !fetched) || config->policy_cache)
        return NULL;
    if (!config->state.path)
        return fetched ? "`policy` is fetched, and wants a directory to keep the last good one in: "
                         "`state: { path: … }`, or `policy_cache`"
                       : "`policy_keys` wants a directory to remember the version in that ran "
                         "last: `state: { path: … }`, or `policy_cache`";
    return name_cache(config);
}

void config_policy_finish(struct config *config, struct problems *problems)
{
    const char *key, *problem = check(config, &key);
    if (problem)
        config_place_complain(config, problems, key, "%s", problem);
}

void config_names_free(struct config_names *names)
{
    for (size_t i = 0; i < names->n; i++)
        free(names->names[i]);
    free(names->names);
    *names = (struct config_names){0};
}

void config_policy_free(struct config *config)
{
    config_names_free(&config->policy_keys);
    free(config->policy_cache);
    free(config->policy_refresh.ca);
    free(config->policy_refresh.cert);
    free(config->policy_refresh.key);
}
