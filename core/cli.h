/* The commands that are written in Lua (lua/cli/NAME.lua). */
#ifndef MOONBOOT_CLI_H
#define MOONBOOT_CLI_H

/* The site.yaml that is meant when none is named: the one here, else the system's. */
const char *cli_site(void);

/* Runs the command `name` with its arguments; returns the exit code. */
int cli_run(const char *name, int argc, char **argv);

#endif
