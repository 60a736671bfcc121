"""Peers that hold what they have and give nothing, from addresses of 10.9.9.0/24; how long each
kind is borne, and how long a good client waits meanwhile. Prints a line for each.

slow_peers.py PORT TLS_PORT CONTROL_SOCKET SERVER_PID..."""

import select
import socket
import sys
import threading
import time

PORT, TLS_PORT, CONTROL = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
HOST = "10.9.9.9"
PATIENCE = 55
began = time.monotonic()
worst = 0.0
good = bad = 0
done = threading.Event()
printing = threading.Lock()


def connect(port, source, receive=None):
    s = socket.socket()
    if receive:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
    s.settimeout(10)
    s.bind((source, 0))
    s.connect((HOST, port))
    s.setblocking(False)
    return s


def is_over(s):
    try:
        return s.recv(65536) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def await_end(name, peers, prod=None):
    """Until each has been closed by the server; `prod` is called for each every second."""
    left = list(peers)
    while left and time.monotonic() - began < PATIENCE:
        time.sleep(1)
        for s in list(left):
            try:
                if prod:
                    prod(s)
            except OSError:
                pass
            if not prod or not prod.reads:
                if is_over(s):
                    left.remove(s)
            elif select.select([], [], [s], 0)[2] or prod.over(s):
                left.remove(s)
    with printing:
        print("%s %d %d %.0f" % (name, len(peers), len(left), time.monotonic() - began), flush=True)


def one_byte(s):
    s.send(b"x")


one_byte.reads = False


def read_one(s):
    read_one.ended.setdefault(s, False)
    try:
        if s.recv(1) == b"":
            read_one.ended[s] = True
    except BlockingIOError:
        pass
    except OSError:
        read_one.ended[s] = True


read_one.reads = True
read_one.ended = {}


def reset_or_gone(s):
    """Its peer's half is gone; what it has sent may still wait here."""
    state = s.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]
    return read_one.ended.get(s) or state not in (1,)  # TCP_ESTABLISHED


read_one.over = reset_or_gone


def be_good():
    global worst, good, bad
    while not done.is_set():
        start = time.monotonic()
        try:
            with socket.create_connection((HOST, PORT), timeout=10, source_address=("10.9.9.1", 0)) as s:
                s.sendall(b"GET /ipxe?mac=52:54:00:00:00:01&platform=pcbios HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                s.settimeout(10)
                text = b""
                while chunk := s.recv(65536):
                    text += chunk
            good += b"kernel" in text
            bad += b"kernel" not in text
        except OSError:
            bad += 1
        worst = max(worst, time.monotonic() - start)
        done.wait(0.1)


silent = [connect(PORT, "10.9.9.2") for _ in range(200)]
half_tls = [connect(TLS_PORT, "10.9.9.3") for _ in range(60)]
for s in half_tls[:30]:
    s.send(bytes.fromhex("1603010200010001fc0303"))  # a ClientHello's beginning
loris = [connect(PORT, "10.9.9.4") for _ in range(100)]
for s in loris:
    s.send(b"GET /ipxe HTTP/1.1\r\nHost: x\r\nX-Slow: ")
bodies = [connect(PORT, "10.9.9.5") for _ in range(20)]
for s in bodies:
    s.send(b"POST /event/x HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\n")
readers = [connect(PORT, "10.9.9.6", 4096) for _ in range(20)]
for s in readers:
    s.send(b"GET /assets/large HTTP/1.1\r\nHost: x\r\n\r\n")
commands = []
for _ in range(40):
    s = socket.socket(socket.AF_UNIX)
    s.setblocking(False)
    try:
        s.connect(CONTROL)
    except OSError:
        pass
    commands.append(s)
threads = [threading.Thread(target=t, args=a) for t, a in (
    (be_good, ()),
    (await_end, ("silent", silent)),
    (await_end, ("half-tls", half_tls)),
    (await_end, ("loris", loris, one_byte)),
    (await_end, ("bodies", bodies, one_byte)),
    (await_end, ("readers", readers, read_one)),
    (await_end, ("commands", commands)),
)]
for t in threads:
    t.start()
for t in threads[1:]:
    t.join()
done.set()
threads[0].join()
print("good %d %d %.0f" % (good, bad, worst * 1000))
