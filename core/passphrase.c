#include "passphrase.h"

#include <errno.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

/* A line, without its end, byte by byte: what stdio has read ahead is not ours to wipe. False at
 * the end of the input, and when the line is too long. */
static bool read_line(char *line)
{
    size_t len = 0;
    char c = '\0';
    ssize_t n;
    while ((n = read(STDIN_FILENO, &c, 1)) == 1 || (n < 0 && errno == EINTR)) {
        if (n < 0)
            continue;
        if (c == '\n' || len == PASSPHRASE_MAX - 1)
            break;
        line[len++] = c;
    }
    line[len] = '\0';
    return (c == '\n' || n == 0) && (len > 0 || n > 0);
}

static bool ask(const char *prompt, char *line)
{
    struct termios before, quiet;
    if (tcgetattr(STDIN_FILENO, &before) < 0)
        return read_line(line);
    quiet = before;
    quiet.c_lflag &= ~(tcflag_t)ECHO;
    fputs(prompt, stderr);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
    bool good = read_line(line);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
    fputc('\n', stderr);
    return good;
}

const char *passphrase_read(const char *prompt, const char *again, struct passphrase *passphrase)
{
    char *line = sodium_init() < 0 ? NULL : sodium_malloc(PASSPHRASE_MAX);
    char *second = line ? sodium_malloc(PASSPHRASE_MAX) : NULL;
    const char *problem = NULL;
    if (!second)
        problem = "there is no memory";
    else if (!ask(prompt, line))
        problem = "there is no passphrase, or it is too long";
    else if (again && !*line)
        problem = "the passphrase is empty: --no-passphrase does without";
    else if (again && isatty(STDIN_FILENO) && (!ask(again, second) || strcmp(line, second) != 0))
        problem = "the second passphrase is not the first";
    sodium_free(second);
    passphrase->text = problem ? NULL : line;
    if (problem)
        sodium_free(line);
    return problem;
}

void passphrase_say_deriving(const struct passphrase *passphrase)
{
    if (passphrase->text && isatty(STDERR_FILENO))
        fputs("deriving a key from the passphrase: some seconds\n", stderr);
}

void passphrase_clear(struct passphrase *passphrase)
{
    sodium_free(passphrase->text);
    passphrase->text = NULL;
}
