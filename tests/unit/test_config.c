#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "config.h"

static char path[] = "/tmp/moonboot-config-XXXXXX";

static struct config *load(const char *text, struct problems *problems)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    return config_load(path, problems);
}

static void assert_problem(const struct problems *problems, size_t i, const char *wanted)
{
    assert_true(i < problems->n);
    size_t prefix = strlen(path);
    assert_memory_equal(problems->lines[i], path, prefix);
    assert_string_equal(problems->lines[i] + prefix, wanted);
}

static void test_defaults(void **state)
{
    struct problems problems = {0};
    struct config *config = load("policy: policy.lua\n", &problems);
    (void)state;
    assert_non_null(config);
    assert_int_equal(problems.n, 0);
    assert_string_equal(config->policy, "policy.lua");
    assert_true(config->dhcp.enabled);
    assert_int_equal(config->dhcp.port, 67);
    assert_int_equal(config->dhcp.boot_port, 4011);
    assert_int_equal(config->tftp.backend, CONFIG_TFTP_BUILTIN);
    assert_int_equal(config->tftp.port, 69);
    assert_null(config->tftp.root);
    assert_int_equal(config->http.n_listen, 1);
    assert_int_equal(ntohs(config->http.listen[0].sin_port), 8080);
    assert_true(config->workers >= 1);
    assert_null(config->user);
    assert_int_equal(config->limits.decision_ms, 250);
    assert_int_equal(config->limits.wait_ms, 5000);
    assert_int_equal(config->limits.memory_mb, 256);
    assert_int_equal(config->limits.waiting, 2000);
    assert_int_equal(config->limits.connections_per_client, 500);
    config_free(config);
}

static void test_everything(void **state)
{
    struct problems problems = {0};
    struct config *config = load("policy: /srv/policy.lua\n"
                                 "interfaces: [eth0, eth1]\n"
                                 "advertise: 10.0.0.2\n"
                                 "dhcp:   { enabled: false, port: 1067, boot_port: 5011 }\n"
                                 "tftp:   { backend: off, port: 1069, root: /srv/tftp }\n"
                                 "http:   { listen: [\"10.0.0.2:80\", \"*:8080\"], assets: a,\n"
                                 "          tls: { listen: \"*:443\", cert: c, key: k } }\n"
                                 "tokens: { required: false, pin: true,\n"
                                 "          lifetime_s: 60, grace_s: 9, key: t }\n"
                                 "signing: { key: s }\n"
                                 "policy_keys: [one.pub, two.pub]\n"
                                 "secrets: { key: [new, old] }\n"
                                 "policy_refresh: { interval_s: 5, max_mb: 2, ca: ca.pem }\n"
                                 "workers: 3\n"
                                 "user: nobody\n"
                                 "control: c.sock\n"
                                 "sandbox: off\n"
                                 "watch: true\n"
                                 "control_group: admins\n"
                                 "log: { level: debug, format: json }\n"
                                 "state: { backend: lmdb, path: st, max_mb: 8, stages: false }\n"
                                 "limits: { decision_ms: 100, wait_ms: 900, memory_mb: 64,\n"
                                 "          request_kb: 8, connections: 50,\n"
                                 "          connections_per_client: 0, waiting: 7 }\n",
                                 &problems);
    (void)state;
    assert_non_null(config);
    assert_int_equal(config->n_interfaces, 2);
    assert_string_equal(config->control, "c.sock");
    assert_false(config->sandbox);
    assert_true(config->watch);
    assert_string_equal(config->control_group, "admins");
    assert_string_equal(config->interfaces[1], "eth1");
    assert_int_equal(config->advertise.s_addr, inet_addr("10.0.0.2"));
    assert_false(config->dhcp.enabled);
    assert_int_equal(config->dhcp.boot_port, 5011);
    assert_int_equal(config->tftp.backend, CONFIG_TFTP_OFF);
    assert_int_equal(config->http.n_listen, 3);
    assert_int_equal(config->http.n_plain, 2);
    assert_int_equal(ntohs(config->http.listen[2].sin_port), 443);
    assert_string_equal(config->http.tls.key, "k");
    assert_null(config->http.tls.client_ca);
    assert_false(config->tokens.required);
    assert_true(config->tokens.pin);
    assert_int_equal(config->tokens.lifetime_s, 60);
    assert_int_equal(config->tokens.grace_s, 9);
    assert_string_equal(config->tokens.key, "t");
    assert_string_equal(config->signing.key, "s");
    assert_int_equal(config->secrets.keys.n, 2);
    assert_string_equal(config->secrets.keys.names[1], "old");
    assert_int_equal(ntohs(config->http.listen[0].sin_port), 80);
    assert_int_equal(config->workers, 3);
    assert_int_equal(config->log.format, LOG_FORMAT_JSON);
    assert_int_equal(config->limits.connections, 50);
    assert_int_equal(config->limits.connections_per_client, 0);
    assert_int_equal(config->limits.waiting, 7);
    assert_int_equal(config->limits.wait_ms, 900);
    assert_string_equal(config->state.path, "st");
    assert_int_equal(config->state.max_mb, 8);
    assert_int_equal(config->policy_keys.n, 2);
    assert_string_equal(config->policy_keys.names[1], "two.pub");
    assert_string_equal(config->policy_cache, "st.policy");
    assert_int_equal(config->policy_refresh.interval_s, 5);
    assert_string_equal(config->policy_refresh.ca, "ca.pem");
    assert_false(config->state.stages);
    char *beside = config_path(config, "x/y");
    assert_string_equal(beside, "/tmp/x/y");
    free(beside);
    char *absolute = config_path(config, config->policy);
    assert_string_equal(absolute, "/srv/policy.lua");
    free(absolute);
    config_free(config);
}

/* A program of that name that says so of itself, first on PATH. */
static void pretend_tftpd(const char *says)
{
    char name[64], search[128];
    snprintf(name, sizeof name, "%s.d", path);
    mkdir(name, 0755);
    snprintf(search, sizeof search, "%s:/usr/bin:/bin", name);
    snprintf(name, sizeof name, "%s.d/in.tftpd", path);
    FILE *file = fopen(name, "w");
    assert_non_null(file);
    fprintf(file, "#!/bin/sh\necho '%s'\n", says);
    fclose(file);
    assert_int_equal(chmod(name, 0755), 0);
    setenv("PATH", search, 1);
}

static void remove_tftpd(void)
{
    char name[64];
    snprintf(name, sizeof name, "%s.d/in.tftpd", path);
    unlink(name);
    snprintf(name, sizeof name, "%s.d", path);
    rmdir(name);
}

static void test_hpa(void **state)
{
    struct problems problems = {0};
    (void)state;
    pretend_tftpd("tftp-hpa 5.2, with remap, with tcpwrappers");
    struct config *config =
        load("policy: p.lua\ntftp: { backend: hpa, root: tftp, port: 1069 }\n", &problems);
    assert_non_null(config);
    assert_int_equal(config->tftp.backend, CONFIG_TFTP_HPA);
    config_free(config);
    assert_null(load("policy: p.lua\ntftp: { backend: hpa }\n", &problems));
    assert_int_equal(problems.n, 1);
    assert_problem(&problems, 0,
                   ":2:18: `backend: hpa` needs `root`, the directory that it serves");
    problems_clear(&problems);
    pretend_tftpd("tftp-hpa 5.2, without remap");
    assert_null(load("policy: p.lua\ntftp: { root: a, backend: hpa }\n", &problems));
    assert_int_equal(problems.n, 1);
    assert_non_null(strstr(problems.lines[0], ":2:27: `backend: hpa`: "));
    assert_non_null(strstr(problems.lines[0], "says it is \"tftp-hpa 5.2, without remap\""));
    problems_clear(&problems);
    remove_tftpd();
}

/* All of them, each at its line and column. */
/* The addresses of `http.listen` speak TLS where `tls` has none of its own. */
static void test_tls_alone(void **state)
{
    static const struct {
        const char *text;
        size_t n_listen, n_plain, n_tls;
        uint16_t first;
    } cases[] = {
        {"http: { listen: [\"1.2.3.4:81\", \"*:82\"], assets: a,\n"
         "        tls: { cert: c, key: k, client_ca: a } }\n",
         2, 0, 2, 81},
        {"http: { tls: { cert: c, key: k } }\n", 1, 0, 1, 8080},
        {"http: { listen: \"*:81\", tls: { listen: \"*:82\", cert: c, key: k } }\n", 2, 1, 1, 81},
        {"http: { listen: [], tls: { listen: \"*:82\", cert: c, key: k } }\n", 1, 0, 1, 82},
        {"http: { listen: \"*:81\", tls: { cert: c, key: k }, admin: { listen: \"*:83\" } }\n", 2,
         0, 1, 83},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct problems problems = {0};
        char text[512];
        snprintf(text, sizeof text, "policy: p\n%s", cases[i].text);
        struct config *config = load(text, &problems);
        assert_non_null(config);
        assert_int_equal(config->http.n_listen, cases[i].n_listen);
        assert_int_equal(config->http.n_plain, cases[i].n_plain);
        assert_int_equal(config->http.tls.listen.n, cases[i].n_tls);
        assert_int_equal(ntohs(config->http.listen[0].sin_port), cases[i].first);
        config_free(config);
    }
}

static void test_problems_at_once(void **state)
{
    struct problems problems = {0};
    struct config *config = load("polcy: policy.lua\n"
                                 "dhcp: { port: 70000, enabeld: true }\n"
                                 "tftp: [builtin]\n"
                                 "http:\n"
                                 "  listen: [\"0.0.0.0:8080\", \"nowhere\"]\n"
                                 "  listen: \"*:80\"\n"
                                 "workers: many\n"
                                 "advertise: 10.0.0.300\n"
                                 "log: { level: loud }\n"
                                 "frobnicate: 1\n",
                                 &problems);
    (void)state;
    assert_null(config);
    assert_problem(&problems, 0, ":1:1: unknown key `polcy`: did you mean `policy`?");
    assert_problem(&problems, 1, ":2:15: `port` is 70000, expected a port number from 1 to 65535");
    assert_problem(&problems, 2, ":2:22: unknown key `enabeld`: did you mean `enabled`?");
    assert_problem(&problems, 3, ":3:7: `tftp` is a list, expected a mapping of keys to values");
    assert_problem(
        &problems, 4,
        ":5:28: `listen` is nowhere, expected ADDRESS:PORT (only IPv4), like \"0.0.0.0:8080\"");
    assert_problem(&problems, 5, ":6:3: `listen` stands here twice");
    assert_problem(&problems, 6,
                   ":7:10: `workers` is many, expected auto, or a number from 1 to 64");
    assert_problem(&problems, 7, ":8:12: `advertise` is 10.0.0.300, expected an IPv4 address");
    assert_problem(&problems, 8, ":9:15: `level` is loud, expected error, warn, info or debug");
    assert_problem(
        &problems, 9,
        ":10:1: unknown key `frobnicate`, expected one of: policy, policy_keys, policy_cache, "
        "policy_refresh, interfaces, advertise, dhcp, tftp, http, signing, secrets, tokens, "
        "control, control_group, state, workers, watch, sandbox, user, log, limits");
    assert_problem(&problems, 10, ":1:1: `policy` is missing: the policy file to serve by");
    assert_int_equal(problems.n, 11);
    problems_clear(&problems);
}

/* A site with that behind `state: `. */
static struct config *state_of(const char *text, struct problems *problems)
{
    char site[1024];
    snprintf(site, sizeof site, "policy: p.lua\nstate: %s\n", text);
    return load(site, problems);
}

static void test_redis(void **state)
{
    struct problems problems = {0};
    struct config *config = state_of("{ backend: redis, url: 'redis://r.lab' }", &problems);
    (void)state;
    assert_non_null(config);
    assert_string_equal(config->state.redis.host, "r.lab");
    assert_int_equal(config->state.redis.port, 6379);
    assert_int_equal(config->state.redis.timeout_ms, 1000);
    assert_string_equal(config->state.redis.prefix, "moonboot:");
    assert_true(config->state.redis.create);
    assert_false(config->state.redis.tls.on);
    config_free(config);
    config = state_of("{ backend: redis, url: 'rediss://me@[fd00::1]:7000/3', password_file: p,\n"
                      "  prefix: 'x:', timeout_ms: 50, create: false, tls: { ca: c, name: n } }",
                      &problems);
    assert_non_null(config);
    assert_string_equal(config->state.redis.host, "fd00::1");
    assert_int_equal(config->state.redis.port, 7000);
    assert_int_equal(config->state.redis.db, 3);
    assert_string_equal(config->state.redis.user, "me");
    assert_string_equal(config->state.redis.tls.ca, "c");
    assert_true(config->state.redis.tls.on);
    assert_false(config->state.redis.create);
    config_free(config);
    config = state_of("{ backend: redis, url: 'unix:///run/redis.sock', db: 2 }", &problems);
    assert_non_null(config);
    assert_string_equal(config->state.redis.socket, "/run/redis.sock");
    assert_null(config->state.redis.host);
    config_free(config);
    config = state_of("{ backend: redis, host: r, port: 7, tls: { cert: c, key: k } }", &problems);
    assert_non_null(config);
    assert_true(config->state.redis.tls.on);
    config_free(config);
    config = state_of("{ path: here }", &problems);
    assert_non_null(config);
    assert_int_equal(config->state.max_mb, 256);
    config_free(config);
    assert_int_equal(problems.n, 0);
}

static void test_wrong_redis(void **state)
{
    static const char *const wrong[][2] = {
        {"{ backend: redis }",
         "`state`: `backend: redis` wants a `url`, a `host` or a `socket`, one of them"},
        {"{ backend: redis, host: a, socket: b }",
         "`state`: `backend: redis` wants a `url`, a `host` or a `socket`, one of them"},
        {"{ host: a }",
         "`state`: all but `path` and `max_mb` is for Redis: write `backend: redis`"},
        {"{ backend: redis, host: a, path: b }",
         "`state`: `path` is of `backend: lmdb`, and this is redis"},
        {"{ backend: redis, host: a, max_mb: 9 }",
         "`state`: `max_mb` is of `backend: lmdb`: Redis has its own maxmemory"},
        {"{ backend: redis, host: a, user: b }", "`state`: `user` wants a `password_file`"},
        {"{ backend: redis, host: a, tls: { cert: b } }",
         "`state`: `tls` wants `cert` and `key`, or none of them"},
        {"{ backend: redis, socket: a, tls: { ca: b } }",
         "`state`: `socket` has neither `port` nor `tls`"},
        {"{ backend: redis, host: a, password: b }",
         "`state`: `password` is not for this file: `password_file` names one that has it"},
        {"{ backend: redis, url: 'redis://a:b@c' }",
         "`state`: `url` has a password, which is not for this file: `password_file` names one "
         "that has it"},
        {"{ backend: redis, url: 'redis://a', host: b }",
         "`state`: `url` stands for `host`, `port` and `socket`: it is one or the other"},
        {"{ backend: redis, url: 'redis://a', tls: { ca: b } }",
         "`state`: `url` is redis://, which is without TLS: rediss:// goes with `tls`"},
        {"{ backend: redis, url: 'redis://a:0' }",
         "`state`: `url`: behind the host stands no port"},
        {"{ backend: redis, url: 'redis://a:123456' }",
         "`state`: `url`: behind the host stands no port"},
        {"{ backend: redis, url: 'redis://[::1' }",
         "`state`: `url`: there is no ] behind the address"},
        {"{ backend: redis, url: 'redis://a/x' }",
         "`state`: `url`: behind the host stands no number of a database"},
        {"{ backend: redis, url: 'http://a' }",
         "`state`: `url` is none of redis://HOST[:PORT][/DB], rediss://HOST[:PORT][/DB] (TLS) and "
         "unix:///SOCKET"},
        {"{ backend: redis, url: 'redis://' }",
         "`state`: `url` is none of redis://HOST[:PORT][/DB], rediss://HOST[:PORT][/DB] (TLS) and "
         "unix:///SOCKET"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct problems problems = {0};
        char message[512];
        assert_null(state_of(wrong[i][0], &problems));
        assert_int_equal(problems.n, 1);
        snprintf(message, sizeof message, ":2:8: %s", wrong[i][1]);
        assert_problem(&problems, 0, message);
        problems_clear(&problems);
    }
    struct problems problems = {0};
    assert_null(state_of("{ backend: reddis, password_fil: b }", &problems));
    assert_problem(&problems, 0, ":2:19: `backend` is reddis, expected lmdb or redis");
    assert_problem(&problems, 1,
                   ":2:27: unknown key `password_fil`: did you mean `password_file`?");
    problems_clear(&problems);
}

static void test_not_yaml(void **state)
{
    static const struct {
        const char *text, *problem;
    } cases[] = {
        {"", ":1:1: the file is empty, expected at least `policy: FILE`"},
        {"policy: [", ":2:1: did not find expected node content"},
        {"just text\n", ":1:1: `site.yaml` is just text, expected a mapping of keys to values"},
        {"policy: \"a\\0b\"\n", ":1:9: `policy` is a string with a NUL byte, expected a string"},
        {"policy: p\nhttp: { listen: [], tls: { cert: c, key: k } }\n",
         ":2:9: `listen` is an empty list, expected at least one ADDRESS:PORT"},
        {"policy: p\nhttp: { tls: { client_ca: c } }\n", ":2:9: `tls` wants `cert` and `key`"},
        {"policy: p\nhttp: { tls: { cert: c } }\n", ":2:9: `tls` wants `cert` and `key`"},
        {"policy: p\nhttp:\n  assets: a\n  tls:\n    cert: c\n",
         ":4:3: `tls` wants `cert` and `key`"},
        {"policy: p\nhttp: { listen: \"[::]:8080\" }\n",
         ":2:17: `listen` is [::]:8080, expected ADDRESS:PORT (only IPv4), like \"0.0.0.0:8080\""},
        {"policy: p\nhttp: { listen: [\"*:80\", \"10.0.0.2:81\", \"*:80\"] }\n",
         ":2:41: `http.listen`: 0.0.0.0:80 is there already, in `http.listen`"},
        {"policy: p\nhttp: { listen: [\"*:80\", \"10.0.0.2:80\"] }\n",
         ":2:26: `http.listen`: 10.0.0.2:80 is there already, in `http.listen` (0.0.0.0 is all "
         "addresses)"},
        {"policy: p\nhttp: { listen: \"10.0.0.2:80\", admin: { listen: \"10.0.0.2:80\" } }\n",
         ":2:49: `http.admin.listen`: 10.0.0.2:80 is there already, in `http.listen`"},
        {"policy: p\nhttp: { listen: \"10.0.0.2:80\",\n"
         "  tls: { listen: [\"*:443\", \"*:80\"], cert: c, key: k } }\n",
         ":3:28: `http.tls.listen`: 0.0.0.0:80 is there already, in `http.listen` (0.0.0.0 is all "
         "addresses)"},
        {"policy: p\nhttp:\n  listen: [\"*:443\", \"*:443\"]\n  tls: { cert: c, key: k }\n",
         ":3:21: `http.listen`: 0.0.0.0:443 is there already, in `http.listen`"},
        {"policy: p\nhttp: { admin: { listen: \"*:8080\" } }\n",
         ":2:26: `http.admin.listen`: 0.0.0.0:8080 is there already, in `http.listen`"},
        {"policy: p\nhttp: { admin: { client_cert: true } }\n",
         ":2:31: `admin` wants a `client_cert`, but `tls` has no `client_ca`"},
        {"policy: p\nhttp: { admin: { token: x } }\n",
         ":2:25: `token` is no argon2id hash: moonboot keygen --bearer NAME makes one"},
        {"policy: p\nhttp: { listen: [], admin: { listen: \"*:81\" } }\n",
         ":2:9: `listen` is an empty list, expected at least one ADDRESS:PORT"},
        {"policy: p\nhttp: { listen: [] }\n",
         ":2:9: `listen` is an empty list, expected at least one ADDRESS:PORT"},
        {"policy: p\npolicy_keys: []\n",
         ":2:14: `policy_keys` is a list, expected at least one file"},
        {"policy: p\npolicy_keys: [[]]\n", ":2:15: `policy_keys` is a list, expected a string"},
        {"policy: p\npolicy_keys: k\n",
         ":2:14: `policy_keys` wants a directory to remember the version in that ran last: "
         "`state: { path: … }`, or `policy_cache`"},
        {"policy: https://r.lab/r\n",
         ":1:9: `policy` is fetched, and wants a directory to keep the last good one in: "
         "`state: { path: … }`, or `policy_cache`"},
        {"policy: HTTP://r.lab/r\npolicy_cache: c\n",
         ":1:9: `policy` would be fetched in the clear, where anybody could change it: https://, "
         "or `policy_keys`"},
        {"policy: https://me:secret@r.lab/r\npolicy_cache: c\n",
         ":1:9: `policy` has a user or a password, which are not for this file: "
         "`policy_refresh: { cert: …, key: … }` tells the server who asks"},
        {"policy: https://me@r.lab\npolicy_cache: c\n",
         ":1:9: `policy` has a user or a password, which are not for this file: "
         "`policy_refresh: { cert: …, key: … }` tells the server who asks"},
        {"policy: p\nsigning: { cms_cert: c }\n",
         ":2:1: `signing` wants both `cms_cert` and `cms_key`, or neither"},
        {"policy: p\npolicy_refresh: { key: k }\n",
         ":2:1: `policy_refresh` wants both `cert` and `key`, or neither"},
        {"policy: p\npolicy_refresh: { interval_s: 0 }\n",
         ":2:31: `interval_s` is 0, expected a number from 1 to 86400"},
        {"policy:\n", ":1:8: `policy` is nothing, expected a string"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct problems problems = {0};
        assert_null(load(cases[i].text, &problems));
        assert_problem(&problems, 0, cases[i].problem);
        problems_clear(&problems);
    }
}

/* Addresses that are wrong are not taken for one that stands there twice. */
static void test_wrong_addresses(void **state)
{
    struct problems problems = {0};
    (void)state;
    assert_null(
        load("policy: p\nhttp: { listen: [\"[::]:80\", \"[::]:80\", x, \"*:80\"] }\n", &problems));
    assert_int_equal(problems.n, 3);
    problems_clear(&problems);
}

static void test_sign_in_url(void **state)
{
    struct problems problems = {0};
    struct config *config =
        load("policy: https://r.lab/r@2?who=me@lab\npolicy_cache: c\n", &problems);
    (void)state;
    assert_non_null(config);
    config_free(config);
}

static void test_missing_file(void **state)
{
    struct problems problems = {0};
    (void)state;
    assert_null(config_load("/nonexistent/site.yaml", &problems));
    assert_int_equal(problems.n, 1);
    assert_string_equal(problems.lines[0], "/nonexistent/site.yaml: No such file or directory");
    problems_clear(&problems);
}

/* Every prefix of a good file is read without a crash or a leak. */
static void test_truncated(void **state)
{
    static const char text[] = "policy: p\ninterfaces: [a, b]\nhttp: { listen: [\"*:1\"] }\n"
                               "advertise: &x 10.0.0.1\ntftp: { root: *x }\n";
    (void)state;
    for (size_t n = 0; n < sizeof text; n++) {
        char part[sizeof text];
        struct problems problems = {0};
        memcpy(part, text, n);
        part[n] = '\0';
        struct config *config = load(part, &problems);
        assert_true((config != NULL) == (problems.n == 0));
        config_free(config);
        problems_clear(&problems);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),    cmocka_unit_test(test_everything),
        cmocka_unit_test(test_hpa),         cmocka_unit_test(test_problems_at_once),
        cmocka_unit_test(test_tls_alone),   cmocka_unit_test(test_redis),
        cmocka_unit_test(test_wrong_redis), cmocka_unit_test(test_not_yaml),
        cmocka_unit_test(test_sign_in_url), cmocka_unit_test(test_missing_file),
        cmocka_unit_test(test_truncated),   cmocka_unit_test(test_wrong_addresses),
    };
    close(mkstemp(path));
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(path);
    return failed;
}
