/* moonboot seal: a value, for a server alone to open. */
#ifndef MOONBOOT_CLI_SEAL_H
#define MOONBOOT_CLI_SEAL_H

int cli_seal(int argc, char **argv);

#endif
