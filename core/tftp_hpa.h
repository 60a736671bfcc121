/* TFTP by tftp-hpa's in.tftpd instead of the built-in server: one process in listen mode, as root
 * until a transfer's own process is chrooted to the root and becomes the user. It serves the
 * plain files beneath its root, and knows nothing of machines: what stands before a name for the
 * machine that asks (lua/bootloaders.lua) is cut off by its map.
 *
 * It ends with the process that started it, however that ends; transfers have processes of
 * their own, and go on over a restart. */
#ifndef MOONBOOT_TFTP_HPA_H
#define MOONBOOT_TFTP_HPA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "metrics.h"

struct tftp_hpa;

struct tftp_hpa_options {
    const char *root; /* a directory */
    uint16_t port;
    const char *user; /* whom transfers run as */
};

/* The path of a tftp-hpa that can map names, looked for on PATH and in sbin directories: for the
 * caller to free. NULL: `why` says what was found instead. */
char *tftp_hpa_find(char *why, size_t size);

/* Which of iPXE's programs for PCs are not beneath this open directory, as text in `names`; false:
 * both are there. */
bool tftp_hpa_missing(int root, char *names, size_t size);

/* NULL when memory is out. Its state is written to the board. */
struct tftp_hpa *tftp_hpa_alloc(struct metrics_board *board);

/* Runs in.tftpd so from now on; NULL: not at all. One that already runs with these options is left
 * alone, any other ends first, its transfers apart. */
void tftp_hpa_serve(struct tftp_hpa *hpa, const struct tftp_hpa_options *options);

/* To be called a few times a second: starts what is to run and does not. */
void tftp_hpa_tick(struct tftp_hpa *hpa);

/* A process was waited for: whether it was this one. */
bool tftp_hpa_ended(struct tftp_hpa *hpa, pid_t pid, int status);

/* What is readable when in.tftpd has something to say; -1: nothing is. */
int tftp_hpa_log_fd(const struct tftp_hpa *hpa);

/* Passes what it said on to the log. */
void tftp_hpa_read_log(struct tftp_hpa *hpa);

/* The process; 0: none runs. */
pid_t tftp_hpa_pid(const struct tftp_hpa *hpa);

/* Whether its port is taken. */
bool tftp_hpa_listens(const struct tftp_hpa *hpa);

/* Whether anything of it is left, the last transfers included. */
bool tftp_hpa_busy(const struct tftp_hpa *hpa);

/* Ends all that is left, at once. */
void tftp_hpa_kill(struct tftp_hpa *hpa);

void tftp_hpa_free(struct tftp_hpa *hpa);

#endif
