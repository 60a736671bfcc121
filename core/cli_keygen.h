/* moonboot keygen. */
#ifndef MOONBOOT_CLI_KEYGEN_H
#define MOONBOOT_CLI_KEYGEN_H

int cli_keygen(int argc, char **argv);

#endif
