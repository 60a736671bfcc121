#!/usr/bin/env python3
"""1,000 hostile packets, and a good client that is answered within a second throughout: hostile.py SITE [SEED]

Cut short, with flipped bits, oversized, in IP fragments (whole, overlapping, without an end), with wrong checksums and lengths:
DHCP, TFTP and HTTP. Behind each ten of them DHCP, TFTP and HTTP are asked properly. Prints the longest that took.
"""

import http.client
import pathlib
import random
import socket
import struct
import sys
import time

import dhcp_client

HOST, HTTP, TFTP, DHCP, PXE = "127.0.0.1", 18080, 16969, 16767, 16711
ENEMY = "127.0.0.2"  # transfers of one address are limited
PACKETS, EVERY, PATIENCE = 1000, 10, 1.0
site = pathlib.Path(sys.argv[1])
rng = random.Random(int(sys.argv[2]) if len(sys.argv) > 2 else 1)
small = (site / "tftp" / "small").read_bytes()


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def udp(port, payload, wrong=False, length=None):
    """A UDP datagram from a port of nobody's, its checksum right unless `wrong`."""
    size = 8 + len(payload)
    head = struct.pack("!HHHH", 40000 + rng.randrange(1000), port, size if length is None else length, 0)
    pseudo = socket.inet_aton(ENEMY) + socket.inet_aton(HOST) + struct.pack("!BBH", 0, 17, size)
    good = checksum(pseudo + head + payload) or 0xFFFF
    return head[:6] + struct.pack("!H", good ^ 0x5555 if wrong else good) + payload


def ip(body, protocol=17, ident=0, offset=0, more=False, header=b""):
    options = header + b"\0" * (-len(header) % 4)
    length = 20 + len(options) + len(body)
    return struct.pack("!BBHHHBBH4s4s", 0x40 | (5 + len(options) // 4), 0, length, ident, (0x2000 if more else 0) | offset // 8,
                       64, protocol, 0, socket.inet_aton(ENEMY), socket.inet_aton(HOST)) + options + body


raw = None
try:
    raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
except PermissionError:
    print("# no raw sockets: fragments and wrong checksums are left out")
plain = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
plain.bind((ENEMY, 0))
plain.setblocking(False)
half_open = []


def send_udp(port, payload):
    try:
        plain.sendto(payload[:65000], (HOST, port))
        while True:
            plain.recv(65535)  # answers to nonsense
    except (BlockingIOError, ConnectionError, OSError):
        pass


def send_raw(packet):
    if raw is None:
        return
    try:
        raw.sendto(packet, (HOST, 0))
    except OSError:
        pass  # what the kernel itself does not send


def seeds():
    number = rng.randrange(1, 1 << 24)
    tftp = [b"\0\1small\0octet\0", b"\0\1small\0octet\0blksize\0001400\0tsize\0000\0windowsize\0004\0timeout\0001\0",
            b"\0\2small\0octet\0", b"\0\1" + b"a" * 600 + b"\0octet\0", b"\0\4\0\1", b"\0\3\0\1data", b"\0\5\0\0x\0",
            b"\0\1../../etc/passwd\0netascii\0", b"\0\1small\0octet\0blksize\00099999999999999999999\0"]
    return [(rng.choice([DHCP, PXE]), dhcp_client.discover(number)), (TFTP, rng.choice(tftp))]


def flipped(data):
    data = bytearray(data)
    for _ in range(rng.choice([1, 2, 8, 40])):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(data)


def inserted(data):
    at = rng.randrange(len(data))
    return data[:at] + rng.randbytes(rng.randrange(1, 64)) + data[at:]


def options_gone_mad(data):
    option = rng.choice([(0xFF,), (82, 255), (43, 255), (97, 17), (52, 1, 3), (93, 1, 0), (0, 0)])
    return data[:240] + bytes(option) + rng.randbytes(300)


def fragments(port, data):
    body = udp(port, data + rng.randbytes(2000))
    ident, size = rng.randrange(65536), 512
    pieces = [(at, body[at:at + size]) for at in range(0, len(body) // 8 * 8, size)]
    kind = rng.randrange(4)
    if kind == 0:
        rng.shuffle(pieces)  # whole, in any order
    elif kind == 1:
        pieces = pieces[:-1]  # without an end
    elif kind == 2:
        pieces = [(max(0, at - 64), b) for at, b in pieces]  # overlapping
    else:
        pieces = [(65528 - 8, b"x" * 512)]  # beyond what a packet can have
    for i, (at, piece) in enumerate(pieces):
        send_raw(ip(piece, ident=ident, offset=at, more=i < len(pieces) - 1 or kind == 1))


def http_nonsense():
    s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    s.settimeout(1)
    s.bind((ENEMY, 0))
    good = b"GET /ipxe?mac=52:54:00:00:00:01 HTTP/1.1\r\nHost: a\r\n\r\n"
    text = rng.choice([
        good[:rng.randrange(len(good))], flipped(good), rng.randbytes(500), b"GET /" + b"a" * 100000,
        b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 5000 + b"\r\n", b"POST /ipxe HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n",
        b"POST /ipxe HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
        b"GET /assets/../../../etc/passwd HTTP/1.1\r\nHost: a\r\n\r\n", b"GET /ipxe?mac=%00%ff%zz&=&&uuid=" + b"%41" * 3000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
        good * 50, b"\0" * 4000])
    try:
        s.connect((HOST, HTTP))
        s.sendall(text)
        if rng.random() < 0.5:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset
            s.close()
        else:
            half_open.append(s)
    except OSError:
        s.close()
    while len(half_open) > 100:
        half_open.pop(0).close()


def hostile():
    port, data = rng.choice(seeds())
    kind = rng.randrange(10)
    if kind == 0:
        send_udp(port, data[:rng.randrange(len(data))])
    elif kind in (1, 2):
        send_udp(port, flipped(data))
    elif kind == 3:
        send_udp(port, data + rng.randbytes(rng.choice([1, 1500, 9000, 60000])))
    elif kind == 4:
        send_udp(port, inserted(data))
    elif kind == 5:
        send_udp(port, options_gone_mad(data) if port != TFTP else rng.randbytes(rng.randrange(1, 600)))
    elif kind == 6:
        fragments(port, data)
    elif kind == 7:
        send_raw(ip(udp(port, data, wrong=True)))
    elif kind == 8:
        send_raw(ip(udp(port, data, length=rng.choice([0, 7, 8, 65535])), header=rng.choice([b"", b"\x07\x07\x04abcd", rng.randbytes(40)])))
    else:
        http_nonsense()


def ask_dhcp(number):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(PATIENCE)
        s.sendto(dhcp_client.discover(number), (HOST, DHCP))
        return dhcp_client.good(s.recv(2048), number)


def ask_tftp():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(PATIENCE)
        s.sendto(b"\0\1small\0octet\0blksize\0001400\0", (HOST, TFTP))
        packet, peer = s.recvfrom(2048)
        s.sendto(b"\0\4\0\0", peer)
        data = s.recv(2048)
        s.sendto(b"\0\4\0\1", peer)
        return packet[:2] == b"\0\6" and data[:4] == b"\0\3\0\1" and data[4:] == small


def ask_http():
    c = http.client.HTTPConnection(HOST, HTTP, timeout=PATIENCE)
    c.request("GET", "/ipxe?mac=52:54:00:00:00:07&platform=efi&buildarch=x86_64")
    reply = c.getresponse()
    body = reply.read()
    c.close()
    return reply.status == 200 and b"mac=52:54:00:00:00:07" in body


def main():
    longest = failed = 0
    for i in range(PACKETS):
        hostile()
        if i % EVERY != EVERY - 1:
            continue
        for name, ask in (("dhcp", lambda: ask_dhcp(i + 1)), ("tftp", ask_tftp), ("http", ask_http)):
            begin = time.monotonic()
            try:
                good = ask()
            except (OSError, http.client.HTTPException) as problem:
                good = problem
            took = time.monotonic() - begin
            longest = max(longest, took)
            if good is not True or took > PATIENCE:
                failed += 1
                print(f"# after {i + 1}: {name} {good}, {took:.3f} s")
    print(f"{PACKETS} packets, {failed} good requests failed, the longest took {longest * 1000:.0f} ms")
    return 1 if failed else 0


sys.exit(main())
