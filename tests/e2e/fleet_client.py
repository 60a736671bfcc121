#!/usr/bin/env python3
"""Machines that boot from a fleet, as firmware does: every stage anew, and from the start when one fails.

  fleet_client.py offers MAC         the proxy offers for one DISCOVER, as JSON
  fleet_client.py boot MAC           what it boots, by whom, in how many attempts
  fleet_client.py storm FILE MAC…    boots them by turns until FILE is there: a line each
"""
import json
import os
import re
import socket
import struct
import sys
import time
import urllib.request

MAGIC = b"\x63\x82\x53\x63"
ATTEMPTS = 6
SILENCE = 3  # DISCOVERs that nobody offers anything for, and firmware goes on to the disk


def discover(mac, xid):
    head = struct.pack("!BBBBIHH4s4s4s4s", 1, 1, 6, 0, xid, 0, 0x8000, b"", b"", b"", b"")
    uuid = b"\0" + bytes(10) + mac
    options = [(53, b"\x01"), (55, bytes([1, 3, 43, 54, 60, 66, 67])), (93, b"\x00\x07"),
               (94, b"\x01\x03\x10"), (97, uuid), (60, b"PXEClient:Arch:00007:UNDI:003016")]
    body = b"".join(struct.pack("BB", code, len(data)) + data for code, data in options)
    return head + mac + bytes(10 + 64 + 128) + MAGIC + body + b"\xff"


def read_options(packet):
    found, at = {}, 240
    while at + 1 < len(packet) and packet[at] != 255:
        if packet[at] == 0:
            at += 1
            continue
        found[packet[at]] = packet[at + 2:at + 2 + packet[at + 1]]
        at += 2 + packet[at + 1]
    return found


def collect(mac, seconds, after_first):
    """The proxy offers for one DISCOVER: those that give no address."""
    xid = int.from_bytes(os.urandom(4), "big")
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"eth0\0")
    sock.bind(("", 68))
    sock.sendto(discover(mac, xid), ("255.255.255.255", 67))
    offers, until = [], time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        sock.settimeout(left)
        try:
            packet = sock.recv(2048)
        except socket.timeout:
            break
        if len(packet) < 240 or int.from_bytes(packet[4:8], "big") != xid or packet[16:20] != bytes(4):
            continue
        options = read_options(packet)
        offers.append({"server": socket.inet_ntoa(packet[20:24]),
                       "id": socket.inet_ntoa(options.get(54, bytes(4))),
                       "file": packet[108:236].split(b"\0")[0].decode(),
                       "class": options.get(60, b"").decode(),
                       "vendor": options.get(43, b"").hex(),
                       "relay": socket.inet_ntoa(packet[24:28])})
        until = min(until, time.monotonic() + after_first)
    sock.close()
    return offers


def tftp(server, name):
    """A whole file; raises OSError."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.settimeout(1)
    sock.sendto(b"\0\x01" + name.encode() + b"\0octet\0blksize\x001408\0", (server, 69))
    size, block, total = 512, 1, 0
    while True:
        packet, peer = sock.recvfrom(2048)
        if packet[:2] == b"\0\x06":
            size = 1408
            sock.sendto(b"\0\x04\0\0", peer)
        elif packet[:4] == struct.pack("!HH", 3, block & 0xFFFF):
            total += len(packet) - 4
            sock.sendto(struct.pack("!HH", 4, block & 0xFFFF), peer)
            if len(packet) - 4 < size:
                return total
            block += 1
        elif packet[:2] == b"\0\x05":
            raise OSError(packet[4:].decode(errors="replace"))


def fetch(url):
    with urllib.request.urlopen(url, timeout=1.5) as answer:
        return answer.read().decode()


def attempt(text, server, file):
    if tftp(server, file) < 10000:
        raise OSError("no boot program")
    if not fetch(f"http://{server}:8080/boot.ipxe").startswith("#!ipxe"):
        raise OSError("no script")
    script = fetch(f"http://{server}:8080/ipxe?mac={text}&uuid=00000000-0000-0000-0000-{text.replace(':', '')}")
    kernel = re.search(r"^kernel .*/assets/(\w+)/vmlinuz", script, re.M)
    return {"el9": "install", "rescue": "rescue"}[kernel.group(1)] if kernel else "disk"


def boot(text):
    mac = bytes.fromhex(text.replace(":", ""))
    problems, silence = [], 0
    for number in range(1, ATTEMPTS + 1):
        offers = collect(mac, 0.6, 0.02)
        silence = 0 if offers else silence + 1
        if silence == SILENCE:
            return f"{text} disk nobody {number}"
        try:
            if offers:
                server = offers[0]["server"]
                return f"{text} {attempt(text, server, offers[0]['file'])} {server} {number}"
        except OSError as problem:
            problems.append(str(problem))
    return f"{text} failed nobody {ATTEMPTS} " + "; ".join(problems)


def main():
    what, rest = sys.argv[1], sys.argv[2:]
    if what == "offers":
        print(json.dumps(sorted(collect(bytes.fromhex(rest[0].replace(":", "")), 1.0, 1.0), key=lambda o: o["server"])))
    elif what == "boot":
        print(boot(rest[0]))
    else:
        number = 0
        while not os.path.exists(rest[0]):
            print(boot(rest[1 + number % (len(rest) - 1)]), flush=True)
            number += 1


main()
