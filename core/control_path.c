#include "control_path.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KEY    "control:"
#define SPACES " \t\r\n"

/* What site.yaml says: a new string, or NULL for `off`. */
static char *named(const struct config *config)
{
    return strcmp(config->control, "off") ? config_path(config, config->control) : NULL;
}

/* In the first of the directories that a service manager has made for this service; NULL when it
 * has made none. */
static char *in_runtime_directory(void)
{
    const char *list = getenv("RUNTIME_DIRECTORY");
    char *path;
    if (!list || *list != '/')
        return NULL;
    return asprintf(&path, "%.*s/control.sock", (int)strcspn(list, ":"), list) >= 0 ? path : NULL;
}

char *control_path(const struct config *config)
{
    if (config->control)
        return named(config);
    /* A unit that protects the system lets root write to its own directory alone. */
    bool root = geteuid() == 0;
    char *path = root && access("/run", W_OK) == 0 ? NULL : in_runtime_directory();
    return path || !root ? path : strdup(CONTROL_PATH_DEFAULT);
}

static bool is_missing(const char *path)
{
    return access(path, F_OK) < 0 && errno == ENOENT;
}

static char *path_for_client(const struct config *config)
{
    if (config->control)
        return named(config);
    bool unit = is_missing(CONTROL_PATH_DEFAULT) && !is_missing(CONTROL_PATH_UNIT);
    return strdup(unit ? CONTROL_PATH_UNIT : CONTROL_PATH_DEFAULT);
}

/* The value of a line `control: VALUE`, a new string; NULL when it is another line. */
static char *value_of(const char *line)
{
    if (strncmp(line, KEY, sizeof KEY - 1) != 0)
        return NULL;
    line += sizeof KEY - 1;
    line += strspn(line, SPACES);
    bool quoted = *line == '"' || *line == '\'';
    const char ends[] = {quoted ? *line : ' ', '\t', '\r', '\n', quoted ? '\0' : '#', '\0'};
    line += quoted;
    return strndup(line, strcspn(line, ends));
}

/* Sets `value`; NULL when no line has one. 0, or a negative errno: the file cannot be read. */
static int find_value(const char *site, char **value)
{
    FILE *file = fopen(site, "re");
    char *line = NULL;
    size_t size = 0;
    *value = NULL;
    if (!file)
        return -errno;
    errno = 0;
    while (!*value && getline(&line, &size, file) >= 0)
        *value = value_of(line);
    int error = ferror(file) ? -errno : 0;
    free(line);
    fclose(file);
    return error;
}

int control_path_of(const char *site, char **path)
{
    struct problems problems = {0};
    struct config *config = config_load(site, &problems);
    problems_clear(&problems);
    if (config) {
        *path = path_for_client(config);
        config_free(config);
        return 0;
    }
    char *value;
    int error = find_value(site, &value);
    struct config line = {.path = (char *)site, .control = value};
    *path = path_for_client(&line);
    free(value);
    return error;
}
