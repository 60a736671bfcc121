/* `moonboot keygen`, `sign` and `verify`: on files, in minisign's format. */
#ifndef MOONBOOT_CLI_SIGN_H
#define MOONBOOT_CLI_SIGN_H

/* argv[0] is the command's name. Return the exit code: 0 done, or the signatures are good; 1 one
 * of them is not, or something could not be done; 2 bad usage. */
int cli_sign(int argc, char **argv);
int cli_verify(int argc, char **argv);

#endif
