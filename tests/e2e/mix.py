#!/usr/bin/env python3
"""Mixed load, each answer compared with what it must be: mix.py SITE SECONDS [KILLS] [--allow-gaps]

DHCP, TFTP and HTTP, small and large, from clients that each have one request in flight. KILLS is a file with
the times (time.monotonic) at which workers were killed: a request that got no answer is lost, and may only be lost when
one of these lies within it. Wrong answers are never right. Prints what came of it; the exit code is 0 when nothing was
wrong, nothing lost without cause, and every kind was answered.
"""

import hashlib
import http.client
import pathlib
import socket
import struct
import sys
import threading
import time

import dhcp_client

HOST, HTTP, TFTP, DHCP = "127.0.0.1", 18080, 16969, 16767
site, seconds = pathlib.Path(sys.argv[1]), float(sys.argv[2])
kills_file = pathlib.Path(sys.argv[3]) if len(sys.argv) > 3 else None
end = time.monotonic() + seconds
lock = threading.Lock()
answered, lost, wrong = {}, [], []
digests = {}
WAIT = 8  # seconds; a worker is replaced in less


def digest(name):
    if name not in digests:
        digests[name] = hashlib.sha256((site / name).read_bytes()).digest()
    return digests[name]


def note(kind, begin, what):
    """what: True, answered as it must be; None, not answered; else what was wrong"""
    with lock:
        if what is True:
            answered[kind] = answered.get(kind, 0) + 1
        elif what is None:
            lost.append((kind, begin, time.monotonic()))
        else:
            wrong.append((kind, what))


class Keeper:
    """A client that keeps its connection, and asks once more when that was closed while idle (RFC 9112, 9.3.1)"""

    def __init__(self):
        self.connection = None

    def get(self, path):
        for attempt in 1, 2:
            fresh = self.connection is None
            if fresh:
                self.connection = http.client.HTTPConnection(HOST, HTTP, timeout=WAIT)
            try:
                self.connection.request("GET", path)
                reply = self.connection.getresponse()
            except OSError:
                self.connection.close()
                self.connection = None
                if fresh or attempt == 2:
                    raise
                continue
            except http.client.HTTPException:
                self.connection.close()
                self.connection = None
                if fresh or attempt == 2:
                    raise OSError("no answer")
                continue
            body = reply.read()
            if reply.will_close:
                self.connection.close()
                self.connection = None
            return reply.status, body


def http_small(number, keep):
    mac = "52:54:00:00:%02x:%%02x" % number
    keeper = Keeper()
    i = 0
    while time.monotonic() < end:
        i = (i + 1) % 256
        begin = time.monotonic()
        if not keep:
            keeper = Keeper()
        try:
            status, body = keeper.get("/ipxe?mac=" + mac % i + "&platform=efi&buildarch=x86_64")
        except (OSError, http.client.HTTPException):
            keeper = Keeper()
            note("http", begin, None)
            continue
        good = status == 200 and b"\nkernel " in body and ("mac=" + mac % i).encode() in body
        note("http", begin, True if good else (status, body[:200]))


def http_large(name):
    while time.monotonic() < end:
        begin = time.monotonic()
        keeper = Keeper()
        try:
            status, body = keeper.get("/assets/" + name)
        except (OSError, http.client.HTTPException):
            note("http large", begin, None)
            continue
        good = status == 200 and hashlib.sha256(body).digest() == digest("assets/" + name)
        note("http large", begin, True if good else (status, len(body)))


def fetch_tftp(name):
    """The file, with the retransmissions that firmware makes; None: no answer."""
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.settimeout(0.5)
    peer, data, block, options_done = (HOST, TFTP), [], 0, False
    request = b"\0\1" + name.encode() + b"\0octet\0blksize\0" + b"1400\0"
    last, deadline = request, time.monotonic() + WAIT
    s.sendto(last, peer)
    try:
        while time.monotonic() < deadline:
            try:
                packet, sender = s.recvfrom(2048)
            except socket.timeout:
                s.sendto(last, peer)
                continue
            if peer[1] == TFTP:
                peer = sender
            if sender != peer:
                continue
            code, number = struct.unpack("!HH", packet[:4])
            if code == 6 and not options_done:
                options_done = True
                last = b"\0\4\0\0"
            elif code == 3 and number == (block + 1) % 65536:
                block = number
                data.append(packet[4:])
                last = struct.pack("!HH", 4, block)
                deadline = time.monotonic() + WAIT
                if len(packet) < 1404:
                    s.sendto(last, peer)
                    return b"".join(data)
            elif code == 5:
                return packet
            s.sendto(last, peer)
        return None
    except ConnectionError:
        return None
    finally:
        s.close()


def tftp(name):
    while time.monotonic() < end:
        begin = time.monotonic()
        body = fetch_tftp(name)
        if body is None:
            note("tftp", begin, None)
            continue
        good = hashlib.sha256(body).digest() == digest("tftp/" + name)
        note("tftp", begin, True if good else body[:60])


def dhcp(number):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.settimeout(WAIT)
    i = number << 16
    while time.monotonic() < end:
        i += 1
        begin = time.monotonic()
        s.sendto(dhcp_client.discover(i), (HOST, DHCP))
        try:
            answer = s.recv(2048)
        except (socket.timeout, ConnectionError):
            note("dhcp", begin, None)
            continue
        note("dhcp", begin, True if dhcp_client.good(answer, i) else answer[:40])
        time.sleep(0.002)


def main():
    jobs = [(http_small, (n, n % 2 == 0)) for n in range(6)] + [(http_large, ("large",)), (http_large, ("larger",))]
    jobs += [(tftp, ("small",)), (tftp, ("medium",)), (dhcp, (1,)), (dhcp, (2,))]
    threads = [threading.Thread(target=f, args=a, daemon=True) for f, a in jobs]
    for t in threads:
        t.start()
    for t in threads:
        t.join(seconds + 4 * WAIT)
    kills = [float(line) for line in kills_file.read_text().split()] if kills_file and kills_file.exists() else []
    causeless = [x for x in lost if not any(x[1] - 0.2 <= k <= x[2] for k in kills)]
    total = sum(answered.values())
    print(f"{total} answered {answered}, {len(lost)} lost at {len(kills)} kills, {len(causeless)} without cause, {len(wrong)} wrong")
    for each in causeless[:5] + wrong[:5]:
        print("#", each)
    stuck = [t for t in threads if t.is_alive()]
    missing = {"http", "http large", "tftp", "dhcp"} - set(answered)
    return 1 if causeless or wrong or stuck or missing else 0


if __name__ == "__main__":
    sys.exit(main())
