#include "config_defaults.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "addr.h"
#include "config_http.h"
#include "config_place.h"
#include "config_policy.h"
#include "config_state.h"

bool config_defaults(struct config *config, const char *path)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    config->dhcp.enabled = true;
    config->dhcp.port = 67;
    config->dhcp.boot_port = 4011;
    config->tftp.backend = CONFIG_TFTP_BUILTIN;
    config->tftp.port = 69;
    config->tftp.transfers = 2000;
    config->tftp.transfers_per_client = 32;
    config->state.stages = true;
    config_state_defaults(config);
    config->tokens.required = true;
    config->tokens.lifetime_s = 86400;
    config->tokens.grace_s = 60;
    config->policy_refresh.interval_s = 60;
    config->policy_refresh.timeout_s = 30;
    config->policy_refresh.max_mb = 64;
    config->workers = cores < 1                             ? 1
                      : cores > CONFIG_DEFAULTS_WORKERS_MAX ? CONFIG_DEFAULTS_WORKERS_MAX
                                                            : (unsigned)cores;
    config->sandbox = true;
    config->log.level = LOG_LEVEL_INFO;
    config->limits.decision_ms = 250;
    config->limits.wait_ms = 5000;
    config->limits.memory_mb = 256;
    config->limits.request_kb = 64;
    config->limits.connections = 10000;
    config->limits.connections_per_client = 500;
    config->limits.waiting = 2000;
    config->limits.requests_per_client = 2000;
    config->path = strdup(path);
    config->http.listen = calloc(1, sizeof *config->http.listen);
    if (!config->path || !config->http.listen)
        return false;
    config->http.n_listen = 1;
    return addr_listen_parse("0.0.0.0:8080", config->http.listen);
}

void config_free(struct config *config)
{
    if (!config)
        return;
    for (size_t i = 0; i < config->n_interfaces; i++)
        free(config->interfaces[i]);
    free(config->interfaces);
    free(config->path);
    free(config->policy);
    config_place_free(config);
    config_policy_free(config);
    free(config->tftp.root);
    config_http_free(config);
    free(config->signing.key);
    free(config->signing.cms_cert);
    free(config->signing.cms_key);
    free(config->tokens.key);
    config_names_free(&config->secrets.keys);
    config_state_free(config);
    free(config->user);
    free(config->log.decisions);
    free(config->control);
    free(config->control_group);
    free(config);
}

char *config_path(const struct config *config, const char *name)
{
    const char *slash = strrchr(config->path, '/');
    char *path = NULL;
    if (*name == '/' || !slash)
        return strdup(name);
    if (asprintf(&path, "%.*s/%s", (int)(slash - config->path), config->path, name) < 0)
        return NULL;
    return path;
}
