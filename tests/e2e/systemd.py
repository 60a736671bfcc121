"""A service manager for one service: hands it sockets, and keeps what it says.

systemd.py LOG PROGRAM… : LOG gets a line for each datagram, newlines as spaces. The sockets are dhcp, pxe, tftp and http on
the ports of lib.sh, and control beside LOG. SIGTERM and SIGHUP are passed on; the exit code is the program's.
"""

import os
import signal
import socket
import sys

log, program = sys.argv[1], sys.argv[2:]
notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
notify.bind("\0moonboot-test-%d" % os.getpid())


def udp(port):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(("0.0.0.0", port))
    return s


def tcp(port):
    s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(("127.0.0.1", port))
    s.listen(64)
    return s


def unix(path):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    if os.path.exists(path):
        os.unlink(path)
    s.bind(path)
    os.chmod(path, 0o640)
    s.listen(64)
    return s


sockets = [("control", unix(os.path.join(os.path.dirname(log), "control.sock"))), ("http", tcp(18080)), ("tftp", udp(16969)), ("dhcp", udp(16767)), ("pxe", udp(16711)), ("odd", udp(17777))]
if os.environ.get("NO_SOCKETS"):
    os.unlink(os.path.join(os.path.dirname(log), "control.sock"))
    sockets = []

pid = os.fork()
if pid == 0:
    # From high numbers first: none must be closed before it has been moved.
    high = [os.dup2(s.fileno(), 100 + i) for i, (_, s) in enumerate(sockets)]
    for i, fd in enumerate(high):
        os.dup2(fd, 3 + i, inheritable=True)
        os.close(fd)
    os.environ["LISTEN_PID"] = str(os.getpid())
    os.environ["LISTEN_FDS"] = str(len(sockets))
    os.environ["LISTEN_FDNAMES"] = ":".join(name for name, _ in sockets)
    os.environ["NOTIFY_SOCKET"] = "@moonboot-test-%d" % os.getppid()
    os.environ["WATCHDOG_USEC"] = "600000"
    os.environ["WATCHDOG_PID"] = str(os.getpid())
    os.execv(program[0], program)

for number in (signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, lambda n, _: os.kill(pid, n))
notify.settimeout(0.1)
with open(log, "a", buffering=1, encoding="utf-8") as out:
    while True:
        try:
            out.write(notify.recv(4096).decode().replace("\n", " ") + "\n")
        except socket.timeout:
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                sys.exit(os.waitstatus_to_exitcode(status))
