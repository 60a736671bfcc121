/* site.yaml: read by libyaml, checked whole, every problem reported at once with
 * `file:line:column`, what was found and what was expected. */
#ifndef MOONBOOT_CONFIG_H
#define MOONBOOT_CONFIG_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "log.h"
#include "problems.h"

enum config_state_backend { CONFIG_STATE_LMDB, CONFIG_STATE_REDIS };
enum config_tftp_backend { CONFIG_TFTP_BUILTIN, CONFIG_TFTP_HPA, CONFIG_TFTP_OFF };

struct config_listen {
    struct sockaddr_in *addresses;
    size_t n;
};

struct config_names {
    char **names;
    size_t n;
};

/* Texts are NULL where the file has none. */
struct config_redis {
    char *url; /* what it says is in the others, once it is read */
    char *host;
    uint16_t port;
    char *socket;
    unsigned db;
    char *prefix;
    char *user, *password_file;
    char *password; /* always refused */
    unsigned timeout_ms;
    bool create; /* a store that was never there */
    struct {
        bool on;
        char *ca, *cert, *key, *name;
    } tls;
    unsigned password_line, socket_line, tls_line; /* of site.yaml, where they stand */
};

struct config {
    char *path; /* of site.yaml itself */
    struct {
        struct config_place *list; /* of config_place.c */
        size_t n;
    } places;
    char *policy; /* as the file says; relative names start at site.yaml's directory */
    struct config_names policy_keys; /* files of public keys; none: any policy loads */
    char *policy_cache;              /* where the version that ran is kept; NULL: nowhere */
    struct {
        unsigned interval_s;
        unsigned timeout_s;
        unsigned max_mb;
        char *ca, *cert, *key; /* NULL: the system's authorities; no certificate of ours */
    } policy_refresh;
    char **interfaces;
    size_t n_interfaces;      /* 0: every interface that is up, loopback apart */
    struct in_addr advertise; /* 0.0.0.0: the address of the interface asked */
    struct {
        bool enabled;
        uint16_t port;
        uint16_t boot_port;
    } dhcp;
    struct {
        enum config_tftp_backend backend;
        uint16_t port;
        char *root; /* NULL: nothing but iPXE's programs and rendered files */
        unsigned transfers;
        unsigned transfers_per_client;
    } tftp;
    struct {
        struct sockaddr_in *listen;
        size_t n_listen;
        size_t n_plain; /* the first of them; those of admin and of tls follow */
        struct {
            struct config_listen listen;
            char *cert, *key, *client_ca; /* NULL: none */
        } tls;
        struct {
            bool restricted; /* any of these is set */
            struct config_listen listen;
            bool client_cert;
            char *token; /* its argon2id hash */
        } admin;
        char *assets; /* NULL: none */
    } http;
    struct {
        char *key;                /* NULL: nothing is signed in minisign's format */
        char *cms_cert, *cms_key; /* NULL: nothing is signed for iPXE */
    } signing;
    struct {
        struct config_names keys; /* files: what was sealed for any of them is opened */
    } secrets;
    struct {
        char *key; /* NULL: one that the service makes itself */
        bool required;
        bool pin;
        unsigned lifetime_s;
        unsigned grace_s;
    } tokens;
    struct {
        enum config_state_backend backend;
        char *path; /* of LMDB; NULL: none */
        unsigned max_mb;
        bool stages; /* those of boots are recorded */
        struct config_redis redis;
    } state;
    char *control;       /* the control socket; NULL: control_path says */
    char *control_group; /* who may use it beside its owner; NULL: nobody */
    unsigned workers;    /* resolved: never 0 */
    bool watch;          /* reload when a file changes */
    bool sandbox;        /* workers may make only some system calls */
    char *user;          /* whom workers run as, started as root; NULL: privileges_user says */
    struct {
        enum log_level level;
        enum log_format format;
        char *decisions; /* NULL: no decision log */
    } log;
    struct {
        unsigned decision_ms;
        unsigned wait_ms;
        unsigned memory_mb;
        unsigned request_kb;
        unsigned connections;
        unsigned connections_per_client; /* of one address, in each worker; 0: all of them */
        unsigned waiting;                /* decisions that wait at once, in each worker */
        unsigned requests_per_client;    /* a second, in each worker; 0: as many as it likes */
    } limits;
};

/* NULL after adding everything that is wrong to `problems`. */
struct config *config_load(const char *path, struct problems *problems);
void config_free(struct config *config);

/* `name` as seen from site.yaml's directory: a new string; NULL when memory is out. */
char *config_path(const struct config *config, const char *name);

#endif
