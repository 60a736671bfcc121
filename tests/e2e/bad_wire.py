#!/usr/bin/env python3
"""A bad wire between two network namespaces: bad_wire.py PID [SEED]

wire0 here (10.9.0.1) and wire0 in the namespace of process PID (10.9.0.2), with what passes between them lost, doubled and
overtaken, both ways. Packets, so that TCP meets it too; and without netem, which not every kernel has. Ends with its parent.
"""

import ctypes
import fcntl
import heapq
import itertools
import os
import random
import selectors
import struct
import subprocess
import sys
import time

LOSS, DOUBLED, DELAYED = 0.02, 0.02, 0.10
DELAY = 0.0005, 0.004  # seconds: of most packets, and of delayed ones
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 1, 0x1000
libc = ctypes.CDLL(None, use_errno=True)


def tun(address):
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", b"wire0", IFF_TUN | IFF_NO_PI))
    subprocess.run(["ip", "address", "add", address + "/24", "dev", "wire0"], check=True)
    subprocess.run(["ip", "link", "set", "wire0", "up", "txqueuelen", "1000"], check=True)
    return fd


libc.prctl(1, 9)  # PR_SET_PDEATHSIG
rng = random.Random(int(sys.argv[2]) if len(sys.argv) > 2 else 1)
ends = [tun("10.9.0.1")]
with open("/proc/%s/ns/net" % sys.argv[1], encoding="ascii") as other:
    if libc.setns(other.fileno(), 0x40000000) != 0:
        sys.exit("setns: " + os.strerror(ctypes.get_errno()))
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
ends.append(tun("10.9.0.2"))
print("up", flush=True)

selector = selectors.DefaultSelector()
for index, end in enumerate(ends):
    selector.register(end, selectors.EVENT_READ, index)
waiting, order = [], itertools.count()
while True:
    now = time.monotonic()
    while waiting and waiting[0][0] <= now:
        _, _, to, packet = heapq.heappop(waiting)
        try:
            os.write(ends[to], packet)
        except OSError:
            pass
    for key, _ in selector.select(max(0, waiting[0][0] - now) if waiting else None):
        try:
            packet = os.read(key.fileobj, 65536)
        except OSError:
            continue
        for _ in range(2 if rng.random() < DOUBLED else 1):
            if rng.random() >= LOSS:
                after = DELAY[rng.random() < DELAYED]
                heapq.heappush(waiting, (time.monotonic() + after, next(order), 1 - key.data, packet))
