#include "control_path.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KEY    "control:"
#define SPACES " \t\r\n"

char *control_path(const struct config *config)
{
    if (config->control)
        return strcmp(config->control, "off") ? config_path(config, config->control) : NULL;
    return geteuid() == 0 ? strdup(CONTROL_PATH_DEFAULT) : NULL;
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

static char *find_value(const char *site)
{
    FILE *file = fopen(site, "re");
    char *line = NULL, *value = NULL;
    size_t size = 0;
    while (file && !value && getline(&line, &size, file) >= 0)
        value = value_of(line);
    free(line);
    if (file)
        fclose(file);
    return value;
}

char *control_path_of(const char *site)
{
    struct problems problems = {0};
    struct config *config = config_load(site, &problems);
    problems_clear(&problems);
    if (config) {
        char *path = control_path(config);
        config_free(config);
        return path;
    }
    char *value = find_value(site);
    struct config line = {.path = (char *)site, .control = value};
    char *path = control_path(&line);
    free(value);
    return path;
}
