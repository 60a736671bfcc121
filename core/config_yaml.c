#include "config_yaml.h"

#include <errno.h>
#include <stdlib.h>

bool config_yaml_load(FILE *file, const char *path, yaml_document_t *document,
                      struct problems *problems)
{
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser))
        return false;
    yaml_parser_set_input_file(&parser, file);
    bool good = yaml_parser_load(&parser, document);
    if (!good && parser.error == YAML_READER_ERROR)
        problems_add(problems, "%s:1:1: %s", path, parser.problem);
    else if (!good)
        problems_add(problems, "%s:%zu:%zu: %s", path, parser.problem_mark.line + 1,
                     parser.problem_mark.column + 1,
                     parser.problem ? parser.problem : "no memory to read it");
    yaml_parser_delete(&parser);
    return good;
}

const char *config_yaml_found(const yaml_node_t *node, const char *text)
{
    if (node->type == YAML_SEQUENCE_NODE)
        return "a list";
    if (node->type == YAML_MAPPING_NODE)
        return "a mapping";
    return !text ? "a string with a NUL byte" : *text ? text : "nothing";
}

bool config_yaml_number(const char *text, unsigned min, unsigned max, unsigned *number)
{
    char *end;
    if (!text || *text < '0' || *text > '9')
        return false;
    errno = 0;
    unsigned long value = strtoul(text, &end, 10);
    *number = (unsigned)value;
    return !errno && *end == '\0' && value >= min && value <= max;
}
