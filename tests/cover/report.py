#!/usr/bin/env python3
"""What ran of core/ (gcov's counters) and of lua/ (lines.c): a table by file, the totals.

report.py DATA FLOOR [--missing FILE...]: DATA holds *.gcno with *.gcda somewhere below it, and lua/;
exit code 1 when a total is under FLOOR per cent."""

import collections
import glob
import json
import subprocess
import sys

data, floor = sys.argv[1], float(sys.argv[2])
wanted = sys.argv[4:] if len(sys.argv) > 3 else []


def core():
    """{file: {line: count}} of core/*.c."""
    found = collections.defaultdict(dict)
    objects = sorted(glob.glob(data + "/**/core/*.gcno", recursive=True))
    for start in range(0, len(objects), 40):
        part = objects[start:start + 40]
        out = subprocess.run(["gcov", "--json-format", "--stdout", *part], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True).stdout
        for text in out.decode().splitlines():
            for file in json.loads(text)["files"]:
                name = file["file"]
                if not name.startswith("core/") or not name.endswith(".c"):
                    continue
                for line in file["lines"]:
                    number = line["line_number"]
                    found[name][number] = found[name].get(number, 0) + line["count"]
    return found


def lua():
    names = sorted(glob.glob("lua/*.lua") + glob.glob("lua/*/*.lua"))
    out = subprocess.run(["luajit", "tests/cover/can_run.lua", *names], stdout=subprocess.PIPE, check=True).stdout.decode()
    found = {line.split()[0]: {int(n): 0 for n in line.split()[1:]} for line in out.splitlines()}
    for path in glob.glob(data + "/lua/*"):
        with open(path, encoding="utf-8") as file:
            for text in file:
                name, *numbers = text.split()
                name = name[:-len(".lua")].replace(".", "/") + ".lua"  # modules are named by dots
                for number in map(int, numbers):
                    if number in found.get(name, {}):
                        found[name][number] += 1
    return found


def ranges(numbers):
    numbers, parts = sorted(numbers), []
    for n in numbers:
        if parts and parts[-1][1] == n - 1:
            parts[-1][1] = n
        else:
            parts.append([n, n])
    return ",".join(str(a) if a == b else "%d-%d" % (a, b) for a, b in parts)


def report(title, found):
    total = ran = 0
    print("%-32s %6s %6s %7s  %s" % (title, "lines", "ran", "", "not run"))
    for name in sorted(found):
        lines = found[name]
        hit = sum(1 for count in lines.values() if count)
        total, ran = total + len(lines), ran + hit
        missing = ranges(n for n, count in lines.items() if not count)
        if not wanted and len(missing) > 70:
            missing = missing[:67] + "..."
        if not wanted or name in wanted:
            print("%-32s %6d %6d %6.1f%%  %s" % (name, len(lines), hit, 100.0 * hit / max(1, len(lines)), missing))
    share = 100.0 * ran / max(1, total)
    print("%-32s %6d %6d %6.1f%%\n" % (title + " in all", total, ran, share))
    return share


shares = [report("core", core()), report("lua", lua())]
for name, share in zip(("core", "lua"), shares):
    print("%s: %.1f %% of lines" % (name, share))
if min(shares) < floor:
    print("cover: less than %g %%" % floor, file=sys.stderr)
    sys.exit(1)
