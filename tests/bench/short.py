"""The short form: every tool against moonboot, a second each. What is right is checked, and no
time is: the machine may be busy."""
import json
import subprocess

import figures
import own
import plot
from lab import MACHINES, SERVER, Lab, LoadFailed, get, load
from servers import REST, RULES, World, fill, ipxe_path

MIB = 1 << 20


class Checks:
    def __init__(self):
        self.bad = 0

    def check(self, what, good, why=""):
        print(f"{'ok' if good else 'not ok'} - {what}{'' if good else ': ' + str(why)}", flush=True)
        self.bad += not good

    def part(self, what, function):
        try:
            told = function()
            self.check(what, bool(told), told)
        except (LoadFailed, OSError, subprocess.SubprocessError, json.JSONDecodeError, KeyError) as failure:
            self.check(what, False, failure)


def refused(argv):
    return subprocess.run(argv, check=False, stderr=subprocess.DEVNULL).returncode == 2


def dhcp(world, *argv):
    told = load(world.tool("dhcpload", "--interface", world.lab.link, "--address", MACHINES, "--timeout", 20,
                           "--warmup", 0.1, "--machines", 500, "--file", "snponly.efi", *argv, SERVER))
    return told["offers"]["lost"] + told["acks"]["lost"] == 0 and not told["wrong"]


def tftp(world, *argv):
    told = load(world.tool("tftpload", "--address", MACHINES, "--blksize", 1468, "--tsize", "--seconds", 30, "--expect",
                           world.path("files/snponly.efi"), *argv, SERVER, "snponly.efi"))
    return told["reads"] > 0 and told["failed"] + told["wrong"] == 0


def wrong_file(world):
    told = load(world.tool("tftpload", "--reads", 1, "--seconds", 30, "--expect", world.path("files/initrd.img"),
                           SERVER, "snponly.efi"), tolerant=True)
    return told["wrong"] == 1


def wrong_answer(world):
    told = load(world.tool("dhcpload", "--interface", world.lab.link, "--seconds", 0.1, "--warmup", 0, "--timeout", 20,
                           "--file", "another.efi", SERVER), tolerant=True)
    return list(told["wrong"]) == ["another boot file"]


def nobody_answers(world):
    told = load(world.tool("dhcpload", "--interface", world.lab.link, "--seconds", 0.1, "--warmup", 0, "--timeout", 0.1,
                           "--outstanding", 4, "--port", 6767, SERVER), tolerant=True)
    return told["offers"]["answered"] == 0 and told["offers"]["lost"] > 0


def storm(world):
    told = load(own.storm(world, 40, 100, "--files", world.files))
    return told["booted"] == 40 and told["bytes"] > 40 * MIB


def fetch_scripts(world):
    told = figures.wrk(world, 1, 8, ipxe_path(1).replace("00-01&", "@@&"))
    return told["rate"] > 0


def peers(world):
    with world.dnsmasq(10):
        return dhcp(world, "--stages", "both", "--seconds", 0.3)


def harness(world):
    """The long form's own code, on its cheapest parts."""
    report, plan = figures.Report(), figures.Plan(1, 0.3)
    figures.dhcp_hosts(world, plan, report, (10, 1000))
    own.start(world, plan, report)
    own.decision(world, plan, report)
    names = [figure["name"] for figure in report.figures]
    return len(names) == 5 and all(name in plot.svg(report.figures) for name in names)


def run(directory):
    checks = Checks()
    with Lab() as lab:
        world = World(lab, directory)
        fill(world.path("files/vmlinuz"), MIB)
        for tool in ("dhcpload", "tftpload", "bootstorm"):
            checks.check(f"{tool} refuses what it does not know", refused(world.tool(tool, "--nonsense")))
        with world.moonboot(world.site("few", RULES % 10 + REST)) as server:
            parts = {
                "DISCOVERs, closed loop": lambda: dhcp(world, "--seconds", 0.5),
                "DISCOVERs, open loop": lambda: dhcp(world, "--rate", 500, "--seconds", 0.5),
                "whole exchanges": lambda: dhcp(world, "--stages", "both", "--seconds", 0.5),
                "another boot file is noticed": lambda: wrong_answer(world),
                "silence is noticed": lambda: nobody_answers(world),
                "TFTP, lockstep": lambda: tftp(world, "--clients", 4, "--reads", 8),
                "TFTP, windowsize": lambda: tftp(world, "--clients", 4, "--reads", 8, "--windowsize", 16),
                "TFTP, late and lossy": lambda: tftp(world, "--reads", 2, "--windowsize", 16, "--delay", 1, "--loss", 0.01),
                "another file is noticed": lambda: wrong_file(world),
                "iPXE scripts by wrk": lambda: fetch_scripts(world),
                "whole boots": lambda: storm(world),
            }
            for what, function in parts.items():
                checks.part(what, function)
            checks.check("its CPU and memory can be read", server.cpu() > 0 and min(server.resident()) > 0)
            checks.check("it still answers", get("/healthz") is not None)
        checks.part("dnsmasq as a peer", lambda: peers(world))
        checks.part("the long form's own code", lambda: harness(world))
    return 1 if checks.bad else 0
