#!/usr/bin/env python3
"""`moonboot repl` at a terminal: a person types, and sees what is there."""

import os
import pty
import re
import select
import shutil
import subprocess
import sys
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
MOONBOOT = os.path.join(TOP, os.environ.get("BUILD", "build"), "moonboot")
POLICY = os.path.join(TOP, "examples", "quickstart", "policy.lua")
PROMPT = "moonboot> "
PATIENCE = 30  # seconds, for a machine that has much to do


class Terminal:
    def __init__(self, home):
        self.master, slave = pty.openpty()
        known = os.path.join(home, "leaks")
        with open(known, "w", encoding="ascii") as file:
            file.write("leak:wcsdup\n")  # libedit keeps the names of functions that are added to it
        self.process = subprocess.Popen(
            [MOONBOOT, "repl", POLICY], stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
            env={**os.environ, "HOME": home, "TERM": "xterm",
                 "LSAN_OPTIONS": "print_suppressions=0:suppressions=" + known})
        os.close(slave)
        self.seen = ""

    def until(self, text):
        """What is shown until that text is; what was seen before does not count."""
        end = time.monotonic() + PATIENCE
        while text not in self.seen:
            ready = select.select([self.master], [], [], max(0, end - time.monotonic()))[0]
            try:
                more = os.read(self.master, 65536) if ready else b""
            except OSError:
                more = b""
            if not more:
                raise AssertionError(f"no {text!r} in {self.seen!r}")
            self.seen = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\r", "", self.seen + more.decode(errors="replace"))
        at = self.seen.index(text) + len(text)
        before, self.seen = self.seen[:at], self.seen[at:]
        return before

    def type(self, text):
        os.write(self.master, text.encode())

    def end(self):
        code = self.process.wait(PATIENCE)
        os.close(self.master)
        return code


def test(home):
    at = Terminal(home)
    at.until(":help")
    at.until(PROMPT)
    yield "says what it is"
    at.type("mac=52:54:00:00:00:07 arch=bi")
    at.until("arch=bi")
    at.type("\t")
    at.until("os")
    at.type("\t")
    at.until("bios-http")
    yield "a tab completes a value, and shows what there is"
    at.type("\n")
    at.until("virtual machines with a BIOS")
    at.until(PROMPT)
    yield "a machine is decided"
    at.type(":expl\t\n")
    at.until("-> ")
    at.until(PROMPT)
    yield "a tab completes a command"
    at.type("mac=52:54:00:00")
    at.until("52:54:00:00")
    at.type("\x03")
    at.until("^C")
    at.type(":rules\n")
    at.until('"everyone else"')
    at.until(PROMPT)
    yield "Ctrl-C takes the line back, and does not leave"
    at.type("\x10\x10\x10\n")  # three lines back
    at.until("virtual machines with a BIOS")
    at.until(PROMPT)
    yield "history"
    at.type("\x04")
    code = at.end()
    assert code == 0, f"exit code {code}"
    yield "Ctrl-D leaves: exit code 0"
    path = os.path.join(home, ".moonboot_history")
    assert os.stat(path).st_mode & 0o777 == 0o600, oct(os.stat(path).st_mode)
    yield "history is kept, and nobody else's to read"
    at = Terminal(home)
    at.until(PROMPT)
    at.type("\x10\n")
    at.until("virtual machines with a BIOS")
    at.type(":quit\n")
    assert at.end() == 0
    yield "it is there the next time"


def main():
    home = tempfile.mkdtemp(prefix="moonboot-prompt-")
    failed = 0
    try:
        for what in test(home):
            print("ok - " + what)
    except (AssertionError, OSError, subprocess.TimeoutExpired) as problem:
        print(f"not ok - {problem}")
        failed = 1
    finally:
        shutil.rmtree(home)
    return failed


sys.exit(main())
