#!/usr/bin/env python3
"""Measures moonboot beside its peers: `make bench`, or run.py --help. Needs root."""
import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
# pylint: disable=wrong-import-position
import figures  # noqa: E402
import own  # noqa: E402
import plot  # noqa: E402
import short  # noqa: E402
from lab import Lab, LoadFailed  # noqa: E402
from servers import TOOLS, World, unpack_peers, versions  # noqa: E402

PARTS = {
    "dhcp": figures.dhcp,
    "hosts": lambda *args: figures.dhcp_hosts(*args, (10, 1000, 100000, 1000000)),
    "scripts": figures.scripts,
    "assets": figures.assets,
    "tftp": figures.tftp,
    "decision": own.decision,
    "reload": own.reload,
    "start": own.start,
    "storm": own.storms,
}


def show(value):
    return "-" if value is None else f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def verdict(figure):
    """Reached or not, and by how much: 1 is the target itself."""
    if figure["moonboot"] is None:
        return f"NOT MEASURED: {figure.get('why', '?')}"
    if figure["target"] == "-":
        return ""
    share = plot.reached(figure)
    return ("reached" if figure["met"] else "MISSED") + (f", {show(share)} x the target" if share else "")


def table(report, peers):
    lines = [" ".join(f"{name} {version}" for name, version in peers.items()), "",
             f"{'':<52} {'moonboot':>10} {'peer':>10} {'':<10} {'ratio':>7}  {'target':<20}"]
    for f in report.figures:
        peer = f["peers"].get(f["peer"])
        lines.append(f"{f['name']:<52} {show(f['moonboot']):>10} {show(peer):>10} {f['unit']:<10} "
                     f"{show(f['ratio']):>7}  {f['target']:<20} {verdict(f)}".rstrip())
    met = sum(f["met"] for f in report.figures)
    return lines + ["", f"{met} of {len(report.figures)} figures are reached"]


def measure(args, directory):
    report, plan = figures.Report(), figures.Plan(args.rounds, args.seconds)
    with Lab() as lab:
        world = World(lab, directory)
        for name in args.parts or PARTS:
            began = time.monotonic()
            print(f"bench: {name} ...", file=sys.stderr, flush=True)
            try:
                PARTS[name](world, plan, report)
            except (LoadFailed, OSError, subprocess.SubprocessError, ValueError, LookupError) as failure:
                print(f"bench: {name}: {failure}", file=sys.stderr)
                report.missing(name, "it can be measured", str(failure).partition("\n")[0])
            print(f"bench: {name} took {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    return report


def main():
    parser = argparse.ArgumentParser(description="Measures moonboot beside its peers.")
    parser.add_argument("--short", action="store_true", help="only whether all tools work, with nothing timed")
    parser.add_argument("--rounds", type=int, default=5, help="of each contender; medians are taken (5)")
    parser.add_argument("--seconds", type=float, default=2, help="of load in a round (2)")
    parser.add_argument("parts", nargs="*", metavar="PART", help="of " + ", ".join(PARTS) + "; without: all")
    args = parser.parse_args()
    if unknown := [part for part in args.parts if part not in PARTS]:
        parser.error(f"'{unknown[0]}' is none of {', '.join(PARTS)}")
    if os.geteuid() != 0:
        print("skipped - the load generators: network namespaces need root")
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # by what clears up
    directory = tempfile.mkdtemp(prefix="moonboot-bench-")
    try:
        if args.short:
            return short.run(directory)
        unpack_peers()
        peers = versions()
        report = measure(args, directory)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    print("\n".join(table(report, peers)))
    with open(os.path.join(TOOLS, "results.json"), "w", encoding="utf-8") as file:
        json.dump({"versions": peers, "rounds": args.rounds, "seconds": args.seconds, "cores": os.cpu_count(),
                   "figures": report.figures}, file, indent=1)
    with open(os.path.join(TOOLS, "results.svg"), "w", encoding="utf-8") as file:
        file.write(plot.svg(report.figures))
    print(f"{TOOLS}/results.json, {TOOLS}/results.svg")
    return 0


if __name__ == "__main__":
    sys.exit(main())
