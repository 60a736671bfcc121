"""What is measured. Each function takes the world and the plan, and adds figures to a report.

Contenders take turns: one round of each, then the next round; a figure is the median."""
import os
import re
import statistics
import sys
import time

from lab import MACHINES, SERVER, LoadFailed, get, load, run
from servers import HOSTS, REST, RULES, fill, ipxe_path, write

MIB = 1 << 20


class Report:
    """A list of figures: what was reached, beside what was to be."""

    def __init__(self):
        self.figures = []

    def add(self, name, unit, ours, target, met, peer=None, peers=None, ratio=None):
        """`target` is text; `peers`: name -> value of every contender, `peer` the one that counts."""
        figure = {"name": name, "unit": unit, "moonboot": ours, "target": target, "met": bool(met),
                  "ratio": ratio, "peer": peer, "peers": peers or {}}
        self.figures.append(figure)
        return figure

    def at_least(self, name, unit, ours, peers, times):
        """Ours is to be so many times the best of the peers'."""
        peer = max(peers, key=peers.get)
        ratio = ours / peers[peer] if peers[peer] else float("inf")
        self.add(name, unit, ours, f">= {times:g} x {peer}", ratio >= times, peer, peers, ratio)

    def cheaper(self, name, unit, ours, peers, times):
        """The same where less is better: the peers' best, divided by ours."""
        peer = min(peers, key=peers.get)
        ratio = peers[peer] / ours if ours else float("inf")
        self.add(name, unit, ours, f">= {times:g} x {peer}", ratio >= times, peer, peers, ratio)

    def missing(self, name, target, why):
        """A figure that was not measured."""
        self.add(name, "", None, target, False)["why"] = why

    def below(self, name, unit, ours, most):
        self.add(name, unit, ours, f"< {most:g} {unit}", ours < most, ratio=most / ours if ours else None)


class Plan:
    def __init__(self, rounds, seconds):
        self.rounds, self.seconds = rounds, seconds

    def turns(self, what):
        """The numbers of the rounds, and which one it is on stderr."""
        for turn in range(1, self.rounds + 1):
            print(f"bench:   {what}: round {turn} of {self.rounds}", file=sys.stderr, flush=True)
            yield turn

    def medians(self, contenders, measure):
        """contenders: name -> function that starts a server. measure(server) -> dict of numbers.
        The median of each number, by name."""
        runs = {name: [] for name in contenders}
        for _ in self.turns(", ".join(contenders)):
            for name, start in contenders.items():
                with start() as server:
                    runs[name].append(measure(server))
        return {name: {key: statistics.median(each[key] for each in several) for key in several[0]}
                for name, several in runs.items()}


def column(medians, key, but="moonboot"):
    return {name: values[key] for name, values in medians.items() if name != but}


# --- DHCP -----------------------------------------------------------------------------------

def ask_dhcp(world, plan, *argv, tolerant=False):
    return load(world.tool("dhcpload", "--interface", world.lab.link, "--address", MACHINES,
                           "--seconds", plan.seconds, *argv, SERVER), tolerant)


def dhcp_rate(world, plan, machines):
    def measure(server):
        before = server.cpu()
        told = ask_dhcp(world, plan, "--warmup", 0, "--machines", machines, tolerant=True)
        if told["wrong"]:
            raise LoadFailed(f"{server.argv[0]}: wrong answers: {told['wrong']}")
        offers = told["offers"]
        return {"rate": offers["per_second"], "lost": offers["lost"],
                "us": (server.cpu() - before) * 1e6 / max(offers["answered"], 1)}
    return measure


def dhcp(world, plan, report):
    few = world.site("few", RULES % 10 + REST)
    many = world.site("rules", RULES % 10000 + REST)
    medians = plan.medians({"moonboot": lambda: world.moonboot(few), "dnsmasq": lambda: world.dnsmasq(0)},
                           dhcp_rate(world, plan, 1000))
    report.at_least("proxyDHCP, few rules", "offers/s", medians["moonboot"]["rate"], column(medians, "rate"), 3)
    most = medians["moonboot"]["rate"]
    medians = plan.medians({"moonboot": lambda: world.moonboot(many),
                            "dnsmasq": lambda: world.dnsmasq(10000)}, dhcp_rate(world, plan, 10000))
    report.at_least("proxyDHCP, 10,000 host rules", "offers/s", medians["moonboot"]["rate"],
                    column(medians, "rate"), 25)

    def latency(_):
        return ask_dhcp(world, plan, "--rate", most / 2, tolerant=True)["offers"]["latency"]
    medians = plan.medians({"moonboot": lambda: world.moonboot(few)}, latency)
    report.below("proxyDHCP at half of the maximum, p99", "ms", medians["moonboot"]["p99_ms"], 2)


def dhcp_hosts(world, plan, report, sizes):
    sites = {n: world.site(f"hosts-{n}", HOSTS, n) for n in sizes}
    contenders = {n: (lambda n=n: world.moonboot(sites[n])) for n in sizes}
    runs = {n: [] for n in sizes}
    for _ in plan.turns("10 to 1,000,000 hosts"):
        for n, start in contenders.items():
            with start() as server:
                runs[n].append(dhcp_rate(world, plan, n)(server)["us"])
    us = {n: statistics.median(several) for n, several in runs.items()}
    ratio = us[sizes[-1]] / us[sizes[0]]
    report.add(f"proxyDHCP, CPU of an offer, {sizes[-1]:,} hosts", "us", us[sizes[-1]],
               f"<= 1.5 x {sizes[0]} hosts", ratio <= 1.5, peers={f"{n:,} hosts": us[n] for n in sizes},
               ratio=ratio)


# --- HTTP -----------------------------------------------------------------------------------

REQUESTS = """
local requests, turn = {}, 0
function init()
  for i = 1, 1000 do
    local path = ("PATH"):gsub("@@", ("%02x-%02x"):format(math.floor(i / 256), i % 256))
    requests[i] = wrk.format("GET", path)
  end
end
function request()
  turn = turn % 1000 + 1
  return requests[turn]
end
function done(summary, latency)
  local errors = summary.errors
  print(("@ %d %d %d %d %f"):format(summary.requests, summary.duration, summary.bytes,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout, latency:percentile(99)))
end
"""


def wrk(world, seconds, connections, path):
    """Runs wrk; requests/s, bytes/s. `@@` in the path is another for each machine."""
    script = write(world.path("wrk.lua"), REQUESTS.replace("PATH", path))
    told = run(["wrk", "-t", "1", "-c", str(connections), "-d", f"{seconds}s", "--timeout", "30s", "-s", script,
                f"http://{SERVER}:8080/"])
    found = re.search(r"^@ (\d+) (\d+) (\d+) (\d+) ([\d.]+)", told, re.M)
    requests, us, size, errors = (int(found.group(i)) for i in range(1, 5))
    if errors or not size:
        raise LoadFailed(f"wrk: {errors} errors in {requests} requests of {path}")
    return {"requests": requests, "rate": requests * 1e6 / us, "bytes": size, "speed": size / us}


def scripts(world, plan, report):
    site = world.site("few", RULES % 10 + REST)
    path = ipxe_path(1).replace("00-01&", "@@&")
    with world.moonboot(site):
        script = get(ipxe_path(1))
    contenders = {"moonboot": lambda: world.moonboot(site), "nginx": lambda: world.nginx(script)}
    if os.environ.get("PEER_MATCHBOX"):
        contenders["matchbox"] = lambda: world.matchbox(10)

    def measure(server):
        wrk(world, 1, 64, path)
        before = server.cpu()
        told = wrk(world, max(round(plan.seconds), 1), 64, path)
        return {"rate": told["rate"], "us": (server.cpu() - before) * 1e6 / told["requests"]}
    medians = plan.medians(contenders, measure)
    ours, nginx = medians["moonboot"], {"nginx": medians["nginx"]["rate"]}
    report.at_least("iPXE script, 64 connections", "requests/s", ours["rate"], nginx, 0.8)
    report.cheaper("iPXE script, CPU of a request", "us", ours["us"], {"nginx": medians["nginx"]["us"]}, 0.8)
    if "matchbox" not in medians:
        report.missing("iPXE script, 64 connections, 10 groups", ">= 5 x matchbox", "PEER_MATCHBOX is not set")
        report.missing("iPXE script, 64 connections, 1,000 groups", ">= 500 x matchbox", "PEER_MATCHBOX is not set")
        return
    report.at_least("iPXE script, 64 connections, 10 groups", "requests/s", ours["rate"],
                    {"matchbox": medians["matchbox"]["rate"]}, 5)
    many = world.site("groups", RULES % 1000 + REST)
    medians = plan.medians({"moonboot": lambda: world.moonboot(many), "matchbox": lambda: world.matchbox(1000)},
                           measure)
    report.at_least("iPXE script, 64 connections, 1,000 groups", "requests/s", medians["moonboot"]["rate"],
                    {"matchbox": medians["matchbox"]["rate"]}, 500)


def assets(world, plan, report):
    fill(world.path("files/64m"), 64 * MIB)
    fill(world.path("files/1g"), 1024 * MIB)
    site = world.site("few", RULES % 10 + REST)
    contenders = {"moonboot": lambda: world.moonboot(site), "nginx": lambda: world.nginx(b"#!ipxe\n")}

    def many(server):
        memory, before = sum(server.resident()), server.cpu()
        told = wrk(world, max(round(2 * plan.seconds), 1), 64, "/assets/64m")
        return {"speed": told["speed"], "ms": (server.cpu() - before) * 1e3 / (told["bytes"] / 1e9),
                "grown": (sum(server.resident()) - memory) / MIB}
    medians = plan.medians(contenders, many)
    report.at_least("64 downloads of 64 MiB", "MB/s", medians["moonboot"]["speed"], column(medians, "speed"), 1)
    report.cheaper("64 downloads of 64 MiB, CPU of a GB", "ms", medians["moonboot"]["ms"], column(medians, "ms"), 1)
    report.below("64 downloads of 64 MiB, memory grows by", "MiB", medians["moonboot"]["grown"], 4)

    def one(_):
        size, end, times = 1024 * MIB, time.monotonic() + plan.seconds, []
        while not times or time.monotonic() < end:  # one after the other: each is over in a moment
            told = run(["curl", "-sf", "-o", "/dev/null", "-w", "%{size_download} %{time_total}",
                        f"http://{SERVER}:8080/assets/1g"]).split()
            if int(told[0]) != size:
                raise LoadFailed(f"curl: {told[0]} bytes of 1 GiB")
            times.append(float(told[1]))
        return {"speed": size * len(times) / sum(times) / 1e6}
    medians = plan.medians(contenders, one)
    report.at_least("one download of 1 GiB", "MB/s", medians["moonboot"]["speed"], column(medians, "speed"), 1)


# --- TFTP -----------------------------------------------------------------------------------

def read_tftp(world, seconds, file, *argv):
    return load(world.tool("tftpload", "--address", MACHINES, "--blksize", 1468, "--seconds", seconds, "--expect",
                           world.path("files/" + file), *argv, SERVER, file), tolerant=True)


def tftp(world, plan, report):
    fill(world.path("files/16m"), 16 * MIB)
    fill(world.path("files/1m"), MIB)
    site = world.site("few", RULES % 10 + REST)
    ours = {"moonboot": lambda: world.moonboot(site)}
    windows = {**ours, "atftpd": world.atftpd}
    everyone = {**windows, "in.tftpd": world.in_tftpd, "dnsmasq": world.dnsmasq_tftp}

    def measure(seconds, file, *argv):
        def once(server):
            before = server.cpu()
            told = read_tftp(world, seconds, file, *argv)
            if told["wrong"] or told["failed"]:
                raise LoadFailed(f"{server.argv[0]}: {told['wrong']} wrong, {told['failed']} failed reads")
            return {"speed": told["mb_per_second"], "ms": (server.cpu() - before) * 1e9 / max(told["bytes"], 1)}
        return once

    def compare(name, contenders, times, *argv):
        medians = plan.medians(contenders, measure(*argv))
        report.at_least(name, "MB/s", medians["moonboot"]["speed"], column(medians, "speed"), times)
        return medians["moonboot"]["speed"]

    compare("TFTP, 1 client", everyone, 1, plan.seconds, "16m")
    compare("TFTP, 50 clients", everyone, 1.2, plan.seconds, "16m", "--clients", 50)
    compare("TFTP, 1 client, windowsize 16", windows, 1.2, plan.seconds, "16m", "--windowsize", 16)
    compare("TFTP, 50 clients, windowsize 16", windows, 1.2, plan.seconds, "16m", "--windowsize", 16,
            "--clients", 50)
    late = ("--delay", 0.5)  # in both directions: 1 ms there and back
    lockstep = plan.medians(ours, measure(plan.seconds, "1m", *late))["moonboot"]["speed"]
    window = plan.medians(ours, measure(plan.seconds, "1m", *late, "--windowsize", 16))["moonboot"]["speed"]
    report.add("TFTP, windowsize 16, 1 ms there and back", "MB/s", window, ">= 8 x lockstep", window >= 8 * lockstep,
               "lockstep", {"lockstep": lockstep}, window / lockstep)
    lossy = ("--loss", 0.01, "--delay", 0.5)
    compare("TFTP, 1 % lost, lockstep", everyone, 3, 3 * plan.seconds, "1m", *lossy)
    compare("TFTP, 1 % lost, windowsize 16 where there is one", everyone, 3, 3 * plan.seconds, "1m",
            "--windowsize", 16, *lossy)
