/* The supervisor: owns sockets and privileges, holds no policy, and sees to it that
 * every slot has a worker of the current generation. */
#ifndef MOONBOOT_SUPERVISOR_H
#define MOONBOOT_SUPERVISOR_H

/* Serves by that site.yaml until SIGTERM or SIGINT; SIGHUP reloads. The exit code: 0, or
 * 1 when the service could not start. */
int supervisor_run(const char *site);

#endif
