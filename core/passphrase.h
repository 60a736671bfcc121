/* A passphrase, from the terminal without echo, or else a line of standard input; in locked
 * memory. */
#ifndef MOONBOOT_PASSPHRASE_H
#define MOONBOOT_PASSPHRASE_H

#define PASSPHRASE_MAX 1024

struct passphrase {
    char *text; /* NULL: none */
};

/* Asks with `prompt`, and on a terminal once more with `again` (NULL: not). NULL, or what is
 * wrong. */
const char *passphrase_read(const char *prompt, const char *again, struct passphrase *passphrase);

/* Tells a person that what comes next, deriving a key from it, takes a while. */
void passphrase_say_deriving(const struct passphrase *passphrase);

/* Wipes it. */
void passphrase_clear(struct passphrase *passphrase);

#endif
