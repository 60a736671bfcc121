"""Two network namespaces with a cable between them, and what runs in each.

This process and the load generators are in the one, the servers in the other."""
import ctypes
import json
import os
import signal
import socket
import subprocess
import time

SERVER = "10.99.0.1"
GENERATOR = "10.99.0.2"
MACHINES = "10.99.128.0"  # the first machine's address; 2^15 of them are the generator's own
TICK = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGESIZE")
PATIENCE = 120  # seconds for a generator, which has its own idea of when it is over
CLONE_NEWNET = 0x40000000
LIBC = ctypes.CDLL(None, use_errno=True)


class LoadFailed(Exception):
    """A generator found a fault, or a server did not start."""


def sh(*argv):
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)


def enter(space):
    """Moves this process into a network namespace."""
    with open("/var/run/netns/" + space, encoding="ascii") as file:
        if LIBC.setns(file.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns: " + space)


class Lab:
    def __init__(self):
        pid = os.getpid()
        self.servers, self.generator = f"benchs{pid}", f"benchg{pid}"
        self.server_link, self.link = f"bs{pid}", f"bg{pid}"
        self.running = []

    def __enter__(self):
        sh("ip", "netns", "add", self.servers)
        sh("ip", "netns", "add", self.generator)
        sh("ip", "link", "add", self.server_link, "netns", self.servers, "type", "veth",
           "peer", "name", self.link, "netns", self.generator)
        for space, link, address in ((self.servers, self.server_link, SERVER),
                                     (self.generator, self.link, GENERATOR)):
            sh("ip", "-n", space, "link", "set", "lo", "up")
            sh("ip", "-n", space, "addr", "add", address + "/16", "dev", link)
            sh("ip", "-n", space, "link", "set", link, "up")
        sh("ip", "-n", self.generator, "route", "add", "local", MACHINES + "/17", "dev", self.link)
        enter(self.generator)
        return self

    def __exit__(self, *_):
        for server in list(self.running):
            server.stop()
        for space in (self.servers, self.generator):
            subprocess.run(["ip", "netns", "del", space], check=False)

    def start(self, argv, ready, log, env=None):
        """Starts a server; returns it when `ready()` holds."""
        server = Server(self, argv, log, env)
        try:
            server.wait_until(ready)
        except BaseException:
            server.stop()
            raise
        return server


class Server:
    """A running server, with all its processes."""

    def __init__(self, lab, argv, log, env):
        self.lab, self.log, self.argv = lab, log, argv
        with open(log, "ab") as out:
            self.process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True,
                env={**os.environ, **(env or {})}, preexec_fn=lambda: enter(lab.servers))
        lab.running.append(self)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def wait_until(self, ready, seconds=60):
        end = time.monotonic() + seconds
        while not ready():
            if self.process.poll() is not None or time.monotonic() > end:
                with open(self.log, encoding="utf-8", errors="replace") as log:
                    tail = "".join(log.readlines()[-5:])
                raise LoadFailed(f"{self.argv[0]} does not serve:\n{tail}")
            time.sleep(0.001)

    def stop(self):
        if self in self.lab.running:
            self.lab.running.remove(self)
        if self.process.poll() is None:
            family = self.pids()
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                for pid in family:  # its children may hold the ports that the next one needs
                    try:
                        os.kill(pid, signal.SIGKILL)
                    except ProcessLookupError:
                        pass
                self.process.wait()

    def hang_up(self):
        self.process.send_signal(signal.SIGHUP)

    def pids(self):
        """The process and all below it."""
        found = [self.process.pid]
        for pid in found:
            try:
                with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as children:
                    found.extend(int(child) for child in children.read().split())
            except OSError:
                pass
        return found

    def cpu(self):
        """Seconds of CPU that all its processes have used, ended ones included."""
        ticks = 0
        for pid in self.pids():
            try:
                with open(f"/proc/{pid}/stat", encoding="utf-8") as stat:
                    fields = stat.read().rpartition(")")[2].split()
            except OSError:
                continue
            ticks += sum(int(field) for field in fields[11:15])  # utime, stime, and children's
        return ticks / TICK

    def resident(self):
        """Resident bytes of each of its processes."""
        sizes = []
        for pid in self.pids():
            try:
                with open(f"/proc/{pid}/statm", encoding="ascii") as statm:
                    sizes.append(int(statm.read().split()[1]) * PAGE)
            except OSError:
                pass
        return sizes


def finish(argv):
    """Runs a command here to its end, which has to come: nothing may wait for ever."""
    try:
        return subprocess.run(argv, check=False, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, encoding="utf-8", timeout=PATIENCE)
    except subprocess.TimeoutExpired as late:
        raise LoadFailed(f"{' '.join(argv)}: no end within {PATIENCE} s") from late


def run(argv):
    """Runs a command here; what it printed. It has to succeed."""
    done = finish(argv)
    if done.returncode != 0:
        raise LoadFailed(f"{' '.join(argv)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def load(argv, tolerant=False):
    """Runs a load generator with --json. One that is to lose some may end with 1."""
    done = finish([*argv, "--json"])
    if done.returncode > (1 if tolerant else 0) or not done.stdout:
        raise LoadFailed(f"{' '.join(argv)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return json.loads(done.stdout)


def get(path, port=8080, timeout=5):
    """One GET; the body, or None when there is no 200."""
    try:
        with socket.create_connection((SERVER, port), timeout) as sock:
            sock.sendall(f"GET {path} HTTP/1.1\r\nHost: {SERVER}\r\nConnection: close\r\n\r\n".encode())
            answer = b""
            while part := sock.recv(65536):
                answer += part
    except OSError:
        return None
    head, _, body = answer.partition(b"\r\n\r\n")
    return body if head.startswith(b"HTTP/1.1 200") else None
