#!/usr/bin/env python3
"""One DISCOVER, broadcast from an address: dhcp_broadcast.py FROM PORT. Prints the boot server that the OFFER names."""

import socket
import sys

import dhcp_client

s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
s.bind((sys.argv[1], 0))
s.settimeout(1)
number = 0x123456
packet = bytearray(dhcp_client.discover(number))
packet[12:16] = socket.inet_aton(sys.argv[1])  # ciaddr: the answer comes back here
try:
    s.sendto(packet, ("255.255.255.255", int(sys.argv[2])))
    answer = s.recv(2048)
except OSError as problem:
    sys.exit(str(problem))
if not dhcp_client.good(answer, number) and answer[12:16] != socket.inet_aton(sys.argv[1]):
    sys.exit("no OFFER")
print(socket.inet_ntoa(answer[20:24]))
