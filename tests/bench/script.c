#include "script.h"

#include <stdio.h>
#include <string.h>

static struct script_setting *find(struct script *script, const char *name, size_t len)
{
    for (size_t i = 0; i < script->n; i++) {
        struct script_setting *s = &script->settings[i];
        if (strlen(s->name) == len && !memcmp(s->name, name, len))
            return s;
    }
    return NULL;
}

bool script_set(struct script *script, const char *name, const char *value)
{
    size_t len = strcspn(name, ":"); /* without the type */
    struct script_setting *s = find(script, name, len);
    if (len >= sizeof s->name || strlen(value) >= sizeof s->value)
        return false;
    if (!s) {
        if (script->n == SCRIPT_SETTINGS)
            return false;
        s = &script->settings[script->n++];
        memcpy(s->name, name, len);
        s->name[len] = '\0';
    }
    memmove(s->value, value, strlen(value) + 1);
    return true;
}

/* With each ${setting} replaced; one that is not set is empty. */
static bool expand(struct script *script, const char *text, size_t len, char out[SCRIPT_VALUE])
{
    size_t n = 0;
    for (size_t i = 0; i < len;) {
        const char *close = text[i] == '$' && i + 1 < len && text[i + 1] == '{'
                                ? memchr(text + i, '}', len - i)
                                : NULL;
        const char *add = text + i;
        size_t add_len = 1;
        size_t next = i + 1;
        if (close) {
            const char *name = text + i + 2;
            const char *type = memchr(name, ':', (size_t)(close - name));
            const struct script_setting *s =
                find(script, name, (size_t)((type ? type : close) - name));
            add = s ? s->value : "";
            add_len = strlen(add);
            next = (size_t)(close - text) + 1;
        }
        if (n + add_len >= SCRIPT_VALUE)
            return false;
        memcpy(out + n, add, add_len);
        n += add_len;
        i = next;
    }
    out[n] = '\0';
    return true;
}

/* `name value` of a set command. */
static bool run_set(struct script *script, const char *command, size_t len)
{
    char expanded[SCRIPT_VALUE];
    if (!expand(script, command, len, expanded))
        return false;
    char *value = strchr(expanded, ' ');
    if (!value)
        return true;
    *value = '\0';
    return script_set(script, expanded, value + 1);
}

static bool starts(const char *text, const char *word)
{
    return strncmp(text, word, strlen(word)) == 0;
}

/* `set A B`, or `isset ${A} && set B C || set D E`, without its `isset `. */
static bool run_isset(struct script *script, const char *line, size_t len)
{
    char condition[SCRIPT_VALUE], text[SCRIPT_VALUE];
    if (len >= sizeof text)
        return false;
    memcpy(text, line, len);
    text[len] = '\0';
    char *then = strstr(text, " && "), *otherwise = strstr(text, " ||");
    if (!then || !otherwise || then > otherwise)
        return false;
    *then = *otherwise = '\0';
    then += 4;
    otherwise += otherwise[3] == ' ' ? 4 : 3;
    if (!expand(script, text, strlen(text), condition))
        return false;
    const char *chosen = condition[0] ? then : otherwise;
    return starts(chosen, "set ") ? run_set(script, chosen + 4, strlen(chosen + 4)) : true;
}

/* The token that is an URL. */
static bool find_url(struct script *script, const char *line, size_t len, char url[SCRIPT_VALUE])
{
    for (size_t i = 0; i + 7 < len; i++) {
        if (line[i] != ' ' || !starts(line + i + 1, "http://"))
            continue;
        size_t end = i + 1;
        while (end < len && line[end] != ' ')
            end++;
        return expand(script, line + i + 1, end - i - 1, url);
    }
    return false;
}

bool script_chain(struct script *script, const char *text, char url[SCRIPT_VALUE])
{
    if (!starts(text, "#!ipxe\n"))
        return false;
    for (const char *line = text; *line;) {
        size_t len = strcspn(line, "\n");
        if (starts(line, "chain "))
            return find_url(script, line, len, url);
        if (starts(line, "set ") && !run_set(script, line + 4, len - 4))
            return false;
        if (starts(line, "isset ") && !run_isset(script, line + 6, len - 6))
            return false;
        line += len + (line[len] != '\0');
    }
    return false;
}

size_t script_files(const char *text, char urls[SCRIPT_FILES][SCRIPT_VALUE])
{
    static struct script none;
    size_t n = 0;
    for (const char *line = text; *line && n < SCRIPT_FILES;) {
        size_t len = strcspn(line, "\n");
        if (starts(line, "kernel ") || starts(line, "initrd "))
            n += find_url(&none, line, len, urls[n]);
        line += len + (line[len] != '\0');
    }
    return n;
}
