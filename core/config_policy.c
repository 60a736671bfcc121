#include "config_policy.h"

#include <stdio.h>
#include <stdlib.h>

const char *config_policy_finish(struct config *config)
{
    if (!config->policy_keys.n || config->policy_cache)
        return NULL;
    if (!config->state.path)
        return "`policy_keys` wants a directory to remember the version in that ran last: "
               "`state: { path: … }`, or `policy_cache`";
    if (asprintf(&config->policy_cache, "%s/policy", config->state.path) < 0) {
        config->policy_cache = NULL;
        return "no memory for `policy_cache`";
    }
    return NULL;
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
}
