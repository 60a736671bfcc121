/* The commands that are written in Lua (lua/cli): check, eval, test, stubs. */
#ifndef MOONBOOT_CLI_H
#define MOONBOOT_CLI_H

/* Runs the command `name` with its arguments; returns the exit code. */
int cli_run(const char *name, int argc, char **argv);

/* `moonboot check`: site.yaml (with -c, or ./site.yaml when nothing is named) here, policies in
 * Lua. 0: all good, 1: problems, 2: usage. */
int cli_check(int argc, char **argv);

#endif
