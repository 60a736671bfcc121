#!/usr/bin/env python3
"""Sends PXE DISCOVERs and checks each OFFER: dhcp_client.py ADDRESS PORT COUNT [FIRST]

The machines are 52:54:00:00:00:01 and following, or those from FIRST on.

ciaddr is set, so that the answers come back to this socket's port and not to port 68.
Prints how many were answered; the exit code is 0 when all were.
"""
import socket
import struct
import sys

MAGIC = b"\x63\x82\x53\x63"


def discover(number):
    mac = bytes([0x52, 0x54, 0x00]) + (number & 0xFFFFFF).to_bytes(3, "big")
    uuid = b"\x00" + bytes(range(1, 13)) + number.to_bytes(4, "big")
    head = struct.pack("!BBBBIHH4s4s4s4s", 1, 1, 6, 0, number, 0, 0x8000,
                       socket.inet_aton("127.0.0.1"), b"", b"", b"")
    options = [(53, b"\x01"), (55, bytes([1, 3, 43, 60, 66, 67])), (93, b"\x00\x07"),
               (94, b"\x01\x03\x10"), (97, uuid), (60, b"PXEClient:Arch:00007:UNDI:003016")]
    body = b"".join(struct.pack("BB", code, len(data)) + data for code, data in options)
    return head + mac + bytes(10 + 64 + 128) + MAGIC + body + b"\xff"


def good(answer, number):
    op, xid = answer[0], int.from_bytes(answer[4:8], "big")
    file = answer[108:236].split(b"\0")[0]
    return (op == 2 and xid == number and file == b"snponly.efi" and answer[16:20] == bytes(4)
            and answer[236:240] == MAGIC and b"\x35\x01\x02" in answer[240:] and len(answer) >= 300)


def main():
    address, port, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.settimeout(3)
    answered = 0
    first = int(sys.argv[4]) if len(sys.argv) > 4 else 1
    for number in range(first, first + count):
        sock.sendto(discover(number), (address, port))
        try:
            answered += good(sock.recv(2048), number)
        except socket.timeout:
            pass
        if answered == 0 and number > 3:
            break
    print(f"{answered} of {count} answered")
    return 0 if answered == count else 1


if __name__ == "__main__":
    sys.exit(main())
