/* libFuzzer entry for site.yaml: it loads, or says at which line of it something is wrong. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void require(int condition)
{
    if (!condition)
        abort();
}

static void use(const struct config *config)
{
    require(config->policy && *config->policy);
    require(config->workers >= 1 && config->workers <= 64);
    require(config->http.n_listen >= 1 && config->http.listen[0].sin_port != 0);
    require(config->tftp.port && config->dhcp.port && config->dhcp.boot_port);
    char *path = config_path(config, config->policy);
    require(path != NULL);
    free(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static int fd = -1;
    static char path[32];
    struct problems problems = {0};
    if (fd < 0) {
        fd = memfd_create("site.yaml", 0);
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    }
    require(fd >= 0 && ftruncate(fd, 0) == 0 && pwrite(fd, data, len, 0) == (ssize_t)len);
    struct config *config = config_load(path, &problems);
    require(!config == (problems.n > 0));
    for (size_t i = 0; i < problems.n; i++)
        require(!strncmp(problems.lines[i], path, strlen(path)));
    if (config)
        use(config);
    config_free(config);
    problems_clear(&problems);
    return 0;
}
