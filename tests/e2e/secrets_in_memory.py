"""Looks for moonboot's own keys in what a core dump of these processes would have.

secrets_in_memory.py SITE PID...: prints each secret of SITE that stands in a part of memory that is
not left out of dumps (VmFlags "dd" of smaps); the exit code is 1 when there is one.
"""

import base64
import hashlib
import re
import struct
import sys

site, pids = sys.argv[1], sys.argv[2:]


def token_keys():
    """The keys that core/token.c derives, and what it derives them from."""
    for line in open(f"{site}/tokens.key"):
        master = bytes.fromhex(line.split("#")[0].strip())
        person = b"mb-token" + bytes(8)
        yield "token key", master
        yield "token key, derived", hashlib.blake2b(
            b"", digest_size=32, key=master, salt=struct.pack("<Q", 1) + bytes(8), person=person
        ).digest()
        yield "token key, as text", line.split("#")[0].strip().encode()


def sign_key():
    line = open(f"{site}/sign.key").read().split("\n")[1]
    secret = base64.b64decode(line)[62:126]
    yield "signing key", secret[:32]
    yield "signing key, as text", line[90:170].encode()


secrets = [each for source in (token_keys(), sign_key()) for each in source]


def mappings(pid):
    """(start, end, is in dumps) of what can be read."""
    found = None
    for line in open(f"/proc/{pid}/smaps"):
        at = re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S+)", line)
        if at:
            found = (int(at.group(1), 16), int(at.group(2), 16), at.group(3))
        elif line.startswith("VmFlags:") and found and "r" in found[2]:
            yield found[0], found[1], "dd" not in line.split()


LARGEST = 1 << 32  # larger is only the shadow of AddressSanitizer

leaks, kept = [], set()
for pid in pids:
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for start, end, dumped in mappings(pid):
            if end - start > LARGEST:
                continue
            try:
                memory.seek(start)
                data = memory.read(end - start)
            except (OSError, OverflowError, ValueError):
                continue  # [vvar], [vsyscall]
            for name, secret in secrets:
                if secret not in data:
                    continue
                if dumped:
                    leaks.append(f"{name} in process {pid} at {start:x}+{data.index(secret):x}")
                else:
                    kept.add(name)
for leak in leaks:
    print(leak)
print("kept out of dumps:", ", ".join(sorted(kept)) or "nothing")
sys.exit(0 if not leaks and kept == {"signing key", "token key, derived"} else 1)
