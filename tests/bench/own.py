"""What is measured of moonboot alone."""
import json
import os
import re
import statistics
import subprocess
import time

from lab import MACHINES, PATIENCE, SERVER, LoadFailed, get, load, run
from servers import HOSTS, REST, ROOT, RULES, fill

MIB = 1 << 20
DHCP_STEPS = ("discover", "request", "ipxe_discover", "ipxe_request")
SCRIPT_STEPS = ("ipxe_script", "script")


def decision(world, _plan, report):
    told = json.loads(run(world.tool("rules", "--decision")))
    report.below("decision among 1,000,000 hosts", "us", told["decision_us"], 4)
    report.below("the same with its iPXE script", "us", told["script_us"], 10)


def storm(world, machines, rate, *argv):
    return world.tool("bootstorm", "--interface", world.lab.link, "--address", MACHINES, "--machines", machines,
                      "--rate", rate, *argv, SERVER)


def generation():
    found = re.search(rb"generation\D*(\d+)", get("/readyz") or b"")
    return int(found.group(1)) if found else None


def reload(world, plan, report):
    fill(world.path("files/vmlinuz"), 65536)
    site = world.site("hosts-100000", HOSTS, 100000)
    seconds, slowest = [], []
    for _ in plan.turns("400 machines boot meanwhile"):
        with world.moonboot(site) as server:
            before = generation()
            load_now = subprocess.Popen([*storm(world, 400, 100), "--json"], stdout=subprocess.PIPE, encoding="utf-8")
            try:
                time.sleep(0.5)
                start = time.monotonic()
                server.hang_up()
                while generation() == before:
                    if time.monotonic() - start > 30:
                        raise LoadFailed("the site was not reloaded within 30 s")
                    time.sleep(0.005)
                seconds.append(time.monotonic() - start)
                told = json.loads(load_now.communicate(timeout=PATIENCE)[0])
            finally:
                load_now.kill()
                load_now.wait()
            if told["booted"] != told["machines"]:
                raise LoadFailed(f"machines failed during a reload: {told['failed']}")
            slowest.append(max(told["steps"][step]["max_ms"] for step in DHCP_STEPS + SCRIPT_STEPS))
    report.below("reload of 100,000 hosts", "s", statistics.median(seconds), 1.5)
    report.below("the slowest request meanwhile", "ms", statistics.median(slowest), 50)


def start(world, plan, report):
    """The quickstart site, from the program's start to its first answer; memory of its workers."""
    site = os.path.join(ROOT, "examples/quickstart")
    took, resident = [], []
    for _ in plan.turns("quickstart"):
        began = time.monotonic()
        with world.moonboot(site) as server:
            took.append((time.monotonic() - began) * 1e3)
            time.sleep(0.5)
            resident.append(max(server.resident()[1:]) / MIB)
    report.below("start to the first answer", "ms", statistics.median(took), 50)
    report.below("resident memory of an idle worker", "MiB", statistics.median(resident), 15)


def storms(world, plan, report, machines=1000):
    fill(world.path("files/vmlinuz"), 16 * MIB)
    site = world.site("few", RULES % 10 + REST)

    def measure(_):
        told = load(storm(world, machines, machines / 10), tolerant=True)
        return {"failed": machines - told["booted"], "sent_again": told["sent_again"],
                "dhcp": max(told["steps"][step]["p99_ms"] for step in DHCP_STEPS),
                "script": max(told["steps"][step]["p99_ms"] for step in SCRIPT_STEPS),
                "total": told["total"]["p99_ms"] / 1e3, "p50": told["total"]["p50_ms"] / 1e3}
    told = plan.medians({"moonboot": lambda: world.moonboot(site)}, measure)["moonboot"]
    name = f"{machines:,} boots in 10 s"
    report.below(name + ", machines that fail", "machines", told["failed"], 1)
    report.below(name + ", DHCP p99", "ms", told["dhcp"], 50)
    report.below(name + ", scripts p99", "ms", told["script"], 50)
    report.add(name + ", to the last byte p99", "s", told["total"], "-", True)
