#include "absent.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <net/if.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config_place.h"

/* --- interfaces --------------------------------------------------------------------------- */

static bool is_named(const struct config *config, const char *name)
{
    for (size_t i = 0; i < config->n_interfaces; i++) {
        if (!strcmp(config->interfaces[i], name))
            return true;
    }
    return false;
}

/* Those of this host that the site does not name: what may have been meant. NULL when memory is
 * out. */
static const char **list_others(const struct config *config, const struct if_nameindex *all)
{
    size_t n = 0, others = 0;
    while (all && all[n].if_name)
        n++;
    const char **names = calloc(n + 1, sizeof *names);
    for (size_t i = 0; names && i < n; i++) {
        if (!is_named(config, all[i].if_name))
            names[others++] = all[i].if_name;
    }
    return names;
}

void absent_interfaces(const struct config *config, struct problems *problems)
{
    struct if_nameindex *all = config->dhcp.enabled ? if_nameindex() : NULL;
    const char **others = all ? list_others(config, all) : NULL;
    for (size_t i = 0; others && i < config->n_interfaces; i++) {
        const char *name = config->interfaces[i];
        if (if_nametoindex(name) || errno != ENODEV)
            continue;
        const char *nearest = problems_nearest(name, others);
        char key[64];
        snprintf(key, sizeof key, "interfaces.%zu", i);
        config_place_complain(
            config, problems, key,
            "`interfaces`: there is no %s%s%s%s: DHCP is not answered there until it comes up",
            name, nearest ? " (did you mean " : "", nearest ? nearest : "", nearest ? "?)" : "");
    }
    free(others);
    if (all)
        if_freenameindex(all);
}

/* --- accounts ------------------------------------------------------------------------------- */

void absent_accounts(const struct config *config, struct problems *problems)
{
    if (config->user && !getpwnam(config->user))
        config_place_complain(config, problems, "user", "`user: %s`: there is no such user",
                              config->user);
    if (config->control_group && !getgrnam(config->control_group))
        config_place_complain(config, problems, "control_group",
                              "`control_group: %s`: there is no such group", config->control_group);
}

/* --- files ---------------------------------------------------------------------------------- */

void absent_directory(const struct config *config, struct problems *problems)
{
    char *path = config->log.decisions ? config_path(config, config->log.decisions) : NULL;
    char *slash = path ? strrchr(path, '/') : NULL;
    if (slash && slash > path) {
        *slash = '\0';
        int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (fd >= 0)
            close(fd);
        else if (errno == ENOENT || errno == ENOTDIR)
            config_place_complain(config, problems, "log.decisions", "`log.decisions: %s`: %s: %s",
                                  config->log.decisions, path, strerror(errno));
    }
    free(path);
}

static void check_file(const struct config *config, struct problems *problems, const char *key,
                       const char *name)
{
    char *path = name ? config_path(config, name) : NULL;
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1;
    if (fd >= 0)
        close(fd);
    else if (path)
        config_place_complain(config, problems, key, "`%s: %s`: %s", key, name, strerror(errno));
    free(path);
}

void absent_refresh(const struct config *config, struct problems *problems)
{
    check_file(config, problems, "policy_refresh.ca", config->policy_refresh.ca);
    check_file(config, problems, "policy_refresh.cert", config->policy_refresh.cert);
    check_file(config, problems, "policy_refresh.key", config->policy_refresh.key);
}
