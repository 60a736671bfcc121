/* `moonboot serve`. */
#ifndef MOONBOOT_CLI_SERVE_H
#define MOONBOOT_CLI_SERVE_H

/* argv[0] is the command's name. Returns the exit code: 0 stopped by a signal, 1 could not
 * start, 2 bad usage. */
int cli_serve(int argc, char **argv);

#endif
