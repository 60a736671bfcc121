/* What commands written in C say when they cannot do what was asked. */
#ifndef MOONBOOT_CLI_USAGE_H
#define MOONBOOT_CLI_USAGE_H

#include <stdbool.h>

/* A line on standard error, "moonboot COMMAND: …". False. */
__attribute__((format(printf, 2, 3))) bool cli_usage_complain(const char *command,
                                                              const char *format, ...);

/* What is wrong, NULL when that has been said, and where to read of what is right. */
void cli_usage_hint(const char *command, const char *what);

/* The same, and the exit code of bad usage. */
static inline int cli_usage(const char *command, const char *what)
{
    cli_usage_hint(command, what);
    return 2;
}

#endif
