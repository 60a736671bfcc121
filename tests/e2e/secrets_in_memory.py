"""Looks for the secrets of a site where they must not be.

secrets_in_memory.py SITE PID...: in what a core dump of these processes could have, moonboot's own
keys: those in a part of memory that is not left out of dumps (VmFlags "dd" of smaps).

secrets_in_memory.py SITE --files PATH...: in files, and those in directories, all secrets that the
site has: its keys, the admin's token, the key of its certificate, what is sealed (values.txt, one a
line), in every form that they could be written in.

Prints each that is found; the exit code is 1 when there is one.
"""

import base64
import hashlib
import os
import re
import struct
import subprocess
import sys
import urllib.parse

site = sys.argv[1]


def lines(name):
    path = f"{site}/{name}"
    return open(path).read().split("\n") if os.path.exists(path) else []


def token_keys():
    """The keys that core/token.c derives, and what it derives them from."""
    for line in lines("tokens.key"):
        if not line.split("#")[0].strip():
            continue
        master = bytes.fromhex(line.split("#")[0].strip())
        person = b"mb-token" + bytes(8)
        yield "token key", master
        yield "token key, derived", hashlib.blake2b(
            b"", digest_size=32, key=master, salt=struct.pack("<Q", 1) + bytes(8), person=person
        ).digest()
        yield "token key, as text", line.split("#")[0].strip().encode()


def sign_key():
    line = lines("sign.key")[1]
    secret = base64.b64decode(line)[62:126]
    yield "signing key", secret[:32]
    yield "signing key, as text", line[90:170].encode()


def seal_key():
    """moonboot keygen --seal: of two lines the second, behind a dot."""
    for line in lines("seal.key")[1:2]:
        text = line.split(".")[1]
        yield "sealing key", base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        yield "sealing key, as text", text.encode()


def tls_key():
    """Of a key on an elliptic curve the number that is the secret, and the lines of its file."""
    if not os.path.exists(f"{site}/server.key"):
        return
    command = ["openssl", "pkey", "-in", f"{site}/server.key", "-noout", "-text"]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    number = re.search(r"priv:\n((?:\s+[0-9a-f:]+\n)+)", text)
    if number:
        yield "TLS key", bytes.fromhex(re.sub(r"[\s:]", "", number.group(1)))[-32:]
    for line in lines("server.key"):
        if len(line) == 64:
            yield "TLS key, as text", line.encode()


def values():
    for line in lines("values.txt"):
        if line:
            yield "a sealed value", line.encode()
    for line in lines("admin.token"):
        if line:
            yield "the admin's token", line.encode()


def forms(secret):
    """As bytes, and as they could be written: in hexadecimal, Base64, a URL, JSON."""
    yield secret
    yield secret.hex().encode()
    yield secret.hex().upper().encode()
    for text in (base64.b64encode(secret), base64.urlsafe_b64encode(secret)):
        yield text.rstrip(b"=")
    yield urllib.parse.quote(secret, safe="").encode()
    yield secret.replace(b"\\", b"\\\\").replace(b'"', b'\\"')


def in_files(paths):
    wanted = [
        (name, form)
        for source in (token_keys(), sign_key(), seal_key(), tls_key(), values())
        for name, secret in source
        for form in set(forms(secret))
    ]
    kinds = {name for name, _ in wanted}
    searched = 0
    found = False
    for path in paths:
        files = [path] if os.path.isfile(path) else [os.path.join(at, f) for at, _, names in os.walk(path) for f in names]
        for file in files:
            data = open(file, "rb").read()
            searched += len(data)
            for name, form in wanted:
                if form in data:
                    print(f"{name} in {file} at {data.index(form):x}")
                    found = True
    print(f"looked for {len(wanted)} forms of secrets in {searched} bytes: {', '.join(sorted(kinds))}")
    return found or searched == 0


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


def in_memory(pids):
    secrets = [each for source in (token_keys(), sign_key(), seal_key()) for each in source]
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
    wanted = {"signing key", "token key, derived"} | {"sealing key" for _ in lines("seal.key")[:1]}
    return bool(leaks) or kept != wanted


sys.exit(in_files(sys.argv[3:]) if sys.argv[2] == "--files" else in_memory(sys.argv[2:]))
