"""Asks for many machines: python3 ask_all.py BASE PREFIX N [TEXT]. At once with TEXT, which each
answer must have; else one after the other, and prints how long these took (median, p99, in ms)."""

import asyncio
import sys
import time
import urllib.parse

base, prefix, n = urllib.parse.urlsplit(sys.argv[1]), sys.argv[2], int(sys.argv[3])
wanted = sys.argv[4] if len(sys.argv) > 4 else None


async def ask(i):
    mac = "52:54:%s:%02x:%02x:%02x" % (prefix, i >> 16, i >> 8 & 255, i & 255)
    reader, writer = await asyncio.open_connection(base.hostname, base.port)
    writer.write(("GET /ipxe?mac=%s HTTP/1.0\r\nHost: x\r\n\r\n" % mac).encode())
    text = (await reader.read()).decode()
    writer.close()
    return text


async def main():
    if wanted is not None:
        texts = await asyncio.gather(*(ask(i) for i in range(n)))
        good = sum(wanted in text for text in texts)
        print("%d of %d" % (good, n))
        return good == n
    times = []
    for i in range(n):
        began = time.monotonic()
        await ask(i)
        times.append((time.monotonic() - began) * 1000)
    times.sort()
    print("%.2f %.2f" % (times[n // 2], times[n * 99 // 100]))
    return True


sys.exit(0 if asyncio.run(main()) else 1)
