/* `moonboot bundle`: a directory as one signed file. */
#ifndef MOONBOOT_CLI_BUNDLE_H
#define MOONBOOT_CLI_BUNDLE_H

/* The command, given argv from its name on; its exit code. */
int cli_bundle(int argc, char **argv);

#endif
