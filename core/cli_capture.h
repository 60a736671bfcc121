/* Captures for the commands: host.cli.capture. */
#ifndef MOONBOOT_CLI_CAPTURE_H
#define MOONBOOT_CLI_CAPTURE_H

#include <lua.h>

/* Adds to the table on top:
 *
 * capture(path, options) -> capture | nil, message. Options, all but the ports may be missing:
 *   http_ports (list), dhcp_port, boot_port, tftp_port, http_port (of URLs),
 *   server (the address of ours; else the one asked), interface,
 *   tftp_root, assets (directories), write (a file for the answers)
 * capture:next() -> message | nil at the end | nil, message when the file is damaged
 *   frame, time (seconds), from, to ("address:port"), protocol, asked (in a few words),
 *   mac (of DHCP); request (core/README.md), when the policy decides; else why not
 * capture:answer(reply) -> what would be sent for the last message | nil, what is wrong with it
 * capture:refuse() -> the same for one that has no request
 *   kind, length, to, status, error, what (replay.h)
 * capture:counts() -> what was passed over (capture.h)
 * capture:close() -> true | nil, message: the answers could not be written */
void cli_capture_open(lua_State *L);

#endif
