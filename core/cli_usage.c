#include "cli_usage.h"

#include <stdarg.h>
#include <stdio.h>

bool cli_usage_complain(const char *command, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "moonboot %s: ", command);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    return false;
}

void cli_usage_hint(const char *command, const char *what)
{
    if (what)
        cli_usage_complain(command, "%s", what);
    fprintf(stderr, "Try: moonboot %s --help\n", command);
}
