#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <yaml.h>

#include "addr.h"
#include "config_defaults.h"
#include "config_http.h"
#include "config_place.h"
#include "config_policy.h"
#include "config_state.h"
#include "config_yaml.h"
#include "tftp_hpa.h"

struct reading {
    const char *path;
    yaml_document_t document;
    struct problems *problems;
    const yaml_node_t *hpa; /* where tftp-hpa is chosen; NULL: it is not */
};

/* Reads a node into its place in struct config; `arg` is the key's own limits or names. */
struct key;
typedef void read_node(struct reading *r, const struct key *key, yaml_node_t *node, void *place);

struct key {
    const char *name;
    read_node *read;
    size_t offset;
    unsigned min, max;
    const struct key *children;
};

__attribute__((format(printf, 3, 4))) static void
complain(struct reading *r, const yaml_node_t *node, const char *format, ...)
{
    char message[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    problems_add(r->problems, "%s:%zu:%zu: %s", r->path, node->start_mark.line + 1,
                 node->start_mark.column + 1, message);
}

/* The node's text when it is a scalar; else NULL. YAML strings may hold any bytes, ours
 * no NUL. */
static const char *scalar(const yaml_node_t *node)
{
    if (node->type != YAML_SCALAR_NODE)
        return NULL;
    const char *text = (const char *)node->data.scalar.value;
    return strlen(text) == node->data.scalar.length ? text : NULL;
}

static void expected(struct reading *r, const struct key *key, const yaml_node_t *node,
                     const char *what)
{
    complain(r, node, "`%s` is %s, expected %s", key->name, config_yaml_found(node, scalar(node)),
             what);
}

/* --- kinds of values ---------------------------------------------------------------- */

static void read_string(struct reading *r, const struct key *key, yaml_node_t *node, void *place)
{
    const char *text = scalar(node);
    if (!text || !*text) {
        expected(r, key, node, "a string");
        return;
    }
    char **string = place;
    free(*string);
    *string = strdup(text);
    if (!*string)
        complain(r, node, "no memory for `%s`", key->name);
    if (key->min) /* the place of its line */
        *(unsigned *)((char *)place - key->offset + key->min) = (unsigned)node->start_mark.line + 1;
}

static void read_bool(struct reading *r, const struct key *key, yaml_node_t *node, void *place)
{
    const char *text = scalar(node);
    bool yes = text && (!strcmp(text, "true") || !strcmp(text, "yes") || !strcmp(text, "on"));
    bool no = text && (!strcmp(text, "false") || !strcmp(text, "no") || !strcmp(text, "off"));
    if (!yes && !no)
        expected(r, key, node, "true or false");
    *(bool *)place = yes;
}

static void read_number(struct reading *r, const struct key *key, yaml_node_t *node, void *place)
{
    char range[64];
    snprintf(range, sizeof range, "a number from %u to %u", key->min, key->max);
    if (!config_yaml_number(scalar(node), key->min, key->max, place))
        expected(r, key, node, range);
}

static void read_port(struct reading *r, const struct key *key, yaml_node_t *node, void *place)
{
    unsigned port = 0;
    if (!config_yaml_number(scalar(node), 1, 65535, &port))
        expected(r, key, node, "a port number from 1 to 65535");
    *(uint16_t *)place = (uint16_t)port;
}

static void read_workers(struct reading *r, const struct key *key, yaml_node_t *node, void *place)
{
    const char *text = scalar(node);
    if (text && !strcmp(text, "auto"))
        return; /* the default */
    if (!config_yaml_number(text, 1, CONFIG_DEFAULTS_WORKERS_MAX, place))
        expected(r, key, node, "auto, or a number from 1 to 64");
}

static void read_ip(struct reading *r, const struct key *key, yaml_node_t *node, void *place)
{
    const char *text = scalar(node);
    if (!text || inet_pton(AF_INET, text, place) != 1)
        expected(r, key, node, "an IPv4 address");
}

static void read_backend(struct reading *r, const struct key *key, yaml_node_t *node, void *place)
{
    const char *text = scalar(node);
    if (text && !strcmp(text, "builtin"))
        *(enum config_tftp_backend *)place = CONFIG_TFTP_BUILTIN;
    else if (text && !strcmp(text, "off"))
        *(enum config_tftp_backend *)place = CONFIG_TFTP_OFF;
    else if (text && !strcmp(text, "hpa")) {
        *(enum config_tftp_backend *)place = CONFIG_TFTP_HPA;
        r->hpa = node;
    } else
        expected(r, key, node, "builtin, hpa or off");
}

/* What tftp-hpa needs besides being chosen. */
static void check_hpa(struct reading *r, const struct config *config)
{
    char why[512];
    char *path = tftp_hpa_find(why, sizeof why);
    if (!path)
        complain(r, r->hpa, "`backend: hpa`: %s", why);
    free(path);
    if (!config->tftp.root)
        complain(r, r->hpa, "`backend: hpa` needs `root`, the directory that it serves");
}

static void read_state_backend(struct reading *r, const struct key *key, yaml_node_t *node,
                               void *place)
{
    const char *text = scalar(node);
    if (!text || !config_state_backend(text, place))
        expected(r, key, node, "lmdb or redis");
}

static void read_level(struct reading *r, const struct key *key, yaml_node_t *node, void *place)
{
    const char *text = scalar(node);
    if (!text || !log_level_parse(text, place))
        expected(r, key, node, "error, warn, info or debug");
}

static void read_format(struct reading *r, const struct key *key, yaml_node_t *node, void *place)
{
    const char *text = scalar(node);
    if (!text || !log_format_parse(text, place))
        expected(r, key, node, "text or json");
}

/* The items of a list, or the value alone as a list of one. */
static yaml_node_t *item(struct reading *r, yaml_node_t *node, size_t i)
{
    if (node->type != YAML_SEQUENCE_NODE)
        return i == 0 ? node : NULL;
    yaml_node_item_t *at = node->data.sequence.items.start + i;
    return at < node->data.sequence.items.top ? yaml_document_get_node(&r->document, *at) : NULL;
}

static void read_interfaces(struct reading *r, const struct key *key, yaml_node_t *node,
                            void *place)
{
    struct config *config = place;
    while (config->n_interfaces) /* of a key that stands there twice */
        free(config->interfaces[--config->n_interfaces]);
    for (size_t i = 0; item(r, node, i); i++) {
        char **list = realloc(config->interfaces, (i + 1) * sizeof *list);
        if (!list) {
            complain(r, node, "no memory for `%s`", key->name);
            return;
        }
        config->interfaces = list;
        list[i] = NULL;
        config->n_interfaces = i + 1;
        read_string(r, key, item(r, node, i), &list[i]);
        if (list[i] && strlen(list[i]) >= IF_NAMESIZE)
            expected(r, key, item(r, node, i), "the name of a network interface");
    }
}

/* Names of files. */
static void read_names(struct reading *r, const struct key *key, yaml_node_t *node, void *place)
{
    struct config_names *list = place;
    config_names_free(list); /* of a key that stands there twice */
    for (size_t i = 0; item(r, node, i); i++) {
        char **names = realloc(list->names, (i + 1) * sizeof *names);
        if (!names) {
            complain(r, node, "no memory for `%s`", key->name);
            return;
        }
        list->names = names;
        names[list->n++] = NULL;
        read_string(r, key, item(r, node, i), &names[i]);
    }
    if (list->n == 0)
        expected(r, key, node, "at least one file");
}

static void read_addresses(struct reading *r, const struct key *key, yaml_node_t *node,
                           struct sockaddr_in **addresses, size_t *n)
{
    for (size_t i = 0; item(r, node, i); i++) {
        struct sockaddr_in *list = realloc(*addresses, (i + 1) * sizeof *list);
        if (!list) {
            complain(r, node, "no memory for `%s`", key->name);
            return;
        }
        *addresses = list;
        *n = i + 1;
        list[i] = (struct sockaddr_in){0}; /* nobody's, until it is read */
        const char *text = scalar(item(r, node, i));
        if (!text || !addr_listen_parse(text, &list[i]))
            expected(r, key, item(r, node, i), "ADDRESS:PORT (only IPv4), like \"0.0.0.0:8080\"");
    }
}

static void read_listen(struct reading *r, const struct key *key, yaml_node_t *node, void *place)
{
    struct config *config = place;
    config->http.n_listen = 0; /* no default */
    read_addresses(r, key, node, &config->http.listen, &config->http.n_listen);
}

/* Of a part that has a list of its own. */
static void read_more(struct reading *r, const struct key *key, yaml_node_t *node, void *place)
{
    struct config_listen *listen = place;
    read_addresses(r, key, node, &listen->addresses, &listen->n);
}

/* --- the shape of the file ----------------------------------------------------------- */

static read_node read_mapping, read_state;

#define AT(member) offsetof(struct config, member)

static const struct key dhcp_keys[] = {
    {"enabled", read_bool, AT(dhcp.enabled), 0, 0, NULL},
    {"port", read_port, AT(dhcp.port), 0, 0, NULL},
    {"boot_port", read_port, AT(dhcp.boot_port), 0, 0, NULL},
    {0},
};
static const struct key tftp_keys[] = {
    {"backend", read_backend, AT(tftp.backend), 0, 0, NULL},
    {"port", read_port, AT(tftp.port), 0, 0, NULL},
    {"root", read_string, AT(tftp.root), 0, 0, NULL},
    {"transfers", read_number, AT(tftp.transfers), 1, 100000, NULL},
    {"transfers_per_client", read_number, AT(tftp.transfers_per_client), 1, 1000, NULL},
    {0},
};
static const struct key tls_keys[] = {
    {"listen", read_more, AT(http.tls.listen), 0, 0, NULL},
    {"cert", read_string, AT(http.tls.cert), 0, 0, NULL},
    {"key", read_string, AT(http.tls.key), 0, 0, NULL},
    {"client_ca", read_string, AT(http.tls.client_ca), 0, 0, NULL},
    {0},
};
static const struct key admin_keys[] = {
    {"listen", read_more, AT(http.admin.listen), 0, 0, NULL},
    {"client_cert", read_bool, AT(http.admin.client_cert), 0, 0, NULL},
    {"token", read_string, AT(http.admin.token), 0, 0, NULL},
    {0},
};
static const struct key http_keys[] = {
    {"listen", read_listen, 0, 0, 0, NULL},
    {"assets", read_string, AT(http.assets), 0, 0, NULL},
    {"tls", read_mapping, 0, 0, 0, tls_keys},
    {"admin", read_mapping, 0, 0, 0, admin_keys},
    {0},
};
static const struct key signing_keys[] = {
    {"key", read_string, AT(signing.key), 0, 0, NULL},
    {"cms_cert", read_string, AT(signing.cms_cert), 0, 0, NULL},
    {"cms_key", read_string, AT(signing.cms_key), 0, 0, NULL},
    {0},
};
static const struct key secrets_keys[] = {
    {"key", read_names, AT(secrets.keys), 0, 0, NULL},
    {0},
};
static const struct key tokens_keys[] = {
    {"key", read_string, AT(tokens.key), 0, 0, NULL},
    {"required", read_bool, AT(tokens.required), 0, 0, NULL},
    {"pin", read_bool, AT(tokens.pin), 0, 0, NULL},
    {"lifetime_s", read_number, AT(tokens.lifetime_s), 1, 366 * 86400, NULL},
    {"grace_s", read_number, AT(tokens.grace_s), 0, 3600, NULL},
    {0},
};
static const struct key state_tls_keys[] = {
    {"ca", read_string, AT(state.redis.tls.ca), AT(state.redis.tls_line), 0, NULL},
    {"cert", read_string, AT(state.redis.tls.cert), AT(state.redis.tls_line), 0, NULL},
    {"key", read_string, AT(state.redis.tls.key), AT(state.redis.tls_line), 0, NULL},
    {"name", read_string, AT(state.redis.tls.name), 0, 0, NULL},
    {0},
};
static const struct key state_keys[] = {
    {"backend", read_state_backend, AT(state.backend), 0, 0, NULL},
    {"path", read_string, AT(state.path), 0, 0, NULL},
    {"max_mb", read_number, AT(state.max_mb), 1, 65536, NULL},
    {"stages", read_bool, AT(state.stages), 0, 0, NULL},
    {"url", read_string, AT(state.redis.url), 0, 0, NULL},
    {"host", read_string, AT(state.redis.host), 0, 0, NULL},
    {"port", read_port, AT(state.redis.port), 0, 0, NULL},
    {"socket", read_string, AT(state.redis.socket), AT(state.redis.socket_line), 0, NULL},
    {"db", read_number, AT(state.redis.db), 0, 65535, NULL},
    {"prefix", read_string, AT(state.redis.prefix), 0, 0, NULL},
    {"user", read_string, AT(state.redis.user), 0, 0, NULL},
    {"password", read_string, AT(state.redis.password), 0, 0, NULL},
    {"password_file", read_string, AT(state.redis.password_file), AT(state.redis.password_line), 0,
     NULL},
    {"timeout_ms", read_number, AT(state.redis.timeout_ms), 10, 60000, NULL},
    {"create", read_bool, AT(state.redis.create), 0, 0, NULL},
    {"tls", read_mapping, 0, 0, 0, state_tls_keys},
    {0},
};
static const struct key log_keys[] = {
    {"level", read_level, AT(log.level), 0, 0, NULL},
    {"format", read_format, AT(log.format), 0, 0, NULL},
    {"decisions", read_string, AT(log.decisions), 0, 0, NULL},
    {0},
};
static const struct key limits_keys[] = {
    {"decision_ms", read_number, AT(limits.decision_ms), 5, 60000, NULL},
    {"wait_ms", read_number, AT(limits.wait_ms), 10, 60000, NULL},
    {"memory_mb", read_number, AT(limits.memory_mb), 8, 65536, NULL},
    {"request_kb", read_number, AT(limits.request_kb), 4, 65536, NULL},
    {"requests_per_client", read_number, AT(limits.requests_per_client), 0, 1000000, NULL},
    {"connections", read_number, AT(limits.connections), 1, 1000000, NULL},
    {"connections_per_client", read_number, AT(limits.connections_per_client), 0, 1000000, NULL},
    {"waiting", read_number, AT(limits.waiting), 1, 1000000, NULL},
    {0},
};
static const struct key refresh_keys[] = {
    {"interval_s", read_number, AT(policy_refresh.interval_s), 1, 86400, NULL},
    {"timeout_s", read_number, AT(policy_refresh.timeout_s), 1, 600, NULL},
    {"max_mb", read_number, AT(policy_refresh.max_mb), 1, 256, NULL},
    {"ca", read_string, AT(policy_refresh.ca), 0, 0, NULL},
    {"cert", read_string, AT(policy_refresh.cert), 0, 0, NULL},
    {"key", read_string, AT(policy_refresh.key), 0, 0, NULL},
    {0},
};
static const struct key site_keys[] = {
    {"policy", read_string, AT(policy), 0, 0, NULL},
    {"policy_keys", read_names, AT(policy_keys), 0, 0, NULL},
    {"policy_cache", read_string, AT(policy_cache), 0, 0, NULL},
    {"policy_refresh", read_mapping, 0, 0, 0, refresh_keys},
    {"interfaces", read_interfaces, 0, 0, 0, NULL},
    {"advertise", read_ip, AT(advertise), 0, 0, NULL},
    {"dhcp", read_mapping, 0, 0, 0, dhcp_keys},
    {"tftp", read_mapping, 0, 0, 0, tftp_keys},
    {"http", read_mapping, 0, 0, 0, http_keys},
    {"signing", read_mapping, 0, 0, 0, signing_keys},
    {"secrets", read_mapping, 0, 0, 0, secrets_keys},
    {"tokens", read_mapping, 0, 0, 0, tokens_keys},
    {"control", read_string, AT(control), 0, 0, NULL},
    {"control_group", read_string, AT(control_group), 0, 0, NULL},
    {"state", read_state, 0, 0, 0, state_keys},
    {"workers", read_workers, AT(workers), 0, 0, NULL},
    {"watch", read_bool, AT(watch), 0, 0, NULL},
    {"sandbox", read_bool, AT(sandbox), 0, 0, NULL},
    {"user", read_string, AT(user), 0, 0, NULL},
    {"log", read_mapping, 0, 0, 0, log_keys},
    {"limits", read_mapping, 0, 0, 0, limits_keys},
    {0},
};

static const struct key *find_key(struct reading *r, const struct key *keys, yaml_node_t *node)
{
    const char *names[32] = {NULL};
    const char *name = scalar(node);
    for (size_t i = 0; keys[i].name; i++) {
        names[i] = keys[i].name;
        if (name && !strcmp(name, keys[i].name))
            return &keys[i];
    }
    const char *nearest = name ? problems_nearest(name, names) : NULL;
    if (nearest) {
        complain(r, node, "unknown key `%s`: did you mean `%s`?",
                 config_yaml_found(node, scalar(node)), nearest);
        return NULL;
    }
    char all[512] = "";
    for (size_t i = 0, n = 0; names[i] && n < sizeof all; i++)
        n += (size_t)snprintf(all + n, sizeof all - n, "%s%s", i ? ", " : "", names[i]);
    complain(r, node, "unknown key `%s`, expected one of: %s",
             config_yaml_found(node, scalar(node)), all);
    return NULL;
}

/* `place` is the struct config, whatever the depth: offsets count from its start. */
static void read_mapping(struct reading *r, const struct key *key, yaml_node_t *node, void *place)
{
    bool seen[32] = {false};
    if (node->type != YAML_MAPPING_NODE) {
        expected(r, key, node, "a mapping of keys to values");
        return;
    }
    for (yaml_node_pair_t *pair = node->data.mapping.pairs.start;
         pair < node->data.mapping.pairs.top; pair++) {
        yaml_node_t *name = yaml_document_get_node(&r->document, pair->key);
        yaml_node_t *value = yaml_document_get_node(&r->document, pair->value);
        const struct key *child = find_key(r, key->children, name);
        if (!child)
            continue;
        if (seen[child - key->children])
            complain(r, name, "`%s` stands here twice", child->name);
        seen[child - key->children] = true;
        child->read(r, child, value, (char *)place + child->offset);
    }
}

static void read_state(struct reading *r, const struct key *key, yaml_node_t *node, void *place)
{
    size_t before = r->problems->n;
    read_mapping(r, key, node, place);
    const char *problem = r->problems->n == before ? config_state_finish(place) : NULL;
    if (problem)
        complain(r, node, "`state`: %s", problem);
}

/* --- the whole ------------------------------------------------------------------------ */

static void read_site(struct reading *r, struct config *config)
{
    static const struct key site = {"site.yaml", read_mapping, 0, 0, 0, site_keys};
    yaml_node_t *root = yaml_document_get_root_node(&r->document);
    if (!root) {
        problems_add(r->problems, "%s:1:1: the file is empty, expected at least `policy: FILE`",
                     r->path);
        return;
    }
    read_mapping(r, &site, root, config);
    if (root->type != YAML_MAPPING_NODE)
        return;
    if (!config->policy)
        complain(r, root, "`policy` is missing: the policy file to serve by");
    if (r->hpa && config->tftp.backend == CONFIG_TFTP_HPA)
        check_hpa(r, config);
    config_place_read(config, &r->document);
    config_http_finish(config, r->problems);
    config_policy_finish(config, r->problems);
}

struct config *config_load(const char *path, struct problems *problems)
{
    struct reading r = {.path = path, .problems = problems};
    size_t before = problems->n;
    struct config *config = calloc(1, sizeof *config);
    FILE *file = NULL;
    if (!config || !config_defaults(config, path)) {
        problems_add(problems, "%s: no memory to read it", path);
        goto fail;
    }
    file = fopen(path, "re");
    if (!file) {
        problems_add(problems, "%s: %s", path, strerror(errno));
        goto fail;
    }
    if (!config_yaml_load(file, path, &r.document, problems))
        goto fail;
    read_site(&r, config);
    yaml_document_delete(&r.document);
    if (problems->n != before)
        goto fail;
    fclose(file);
    return config;
fail:
    if (file)
        fclose(file);
    config_free(config);
    return NULL;
}
