#!/usr/bin/env python3
"""Does moonboot decide by a dnsmasq.conf as dnsmasq does?

    dnsmasq_policy.py write SEED FILE        writes a random configuration
    dnsmasq_policy.py compare DNSMASQ MOONBOOT INTERFACE OWN_ADDRESS
                                             sends both servers the same requests

Compared is what firmware would make of the answers: boot file, boot server and menu, in the
offer for a BIOS, on port 4011 for UEFI, and for each item of a menu.
"""
import random
import socket
import struct
import sys
import time

MAGIC = b"\x63\x82\x53\x63"
SYSTEMS = {0: "x86PC", 6: "IA32_EFI", 7: "x86-64_EFI", 9: "BC_EFI", 11: "ARM64_EFI"}
MACS = ["52:54:00:11:22:33", "52:54:00:44:55:66", "02:00:00:00:00:01", "02:00:00:00:00:02",
        "02:00:00:00:00:66", "3c:ec:ef:00:00:01"]
FEATURES = {"http": 0x13, "bzimage": 0x18, "efi": 0x24, "menu": 0x27}
NAMES = ["head", "node7", "node8"]


# --- machines -----------------------------------------------------------------------------

def machines():
    """Every kind of firmware, each with every address."""
    kinds = []
    for arch in SYSTEMS:
        kinds.append({"arch": arch})
        kinds.append({"arch": arch, "user_class": b"iPXE", "ipxe": ["http", "bzimage", "efi"]})
    kinds.append({"arch": 0, "user_class": b"iPXE", "ipxe": ["menu"]})
    kinds.append({"arch": 0, "user_class": b"\x15Installer, the old one"[:22]})
    kinds.append({"arch": 7, "user_class": b"Installer, the old one"})
    kinds.append({"arch": 16, "vendor": b"HTTPClient:Arch:00016:UNDI:003001"})
    kinds.append({"arch": 0, "hostname": b"head"})
    kinds.append({"arch": 7, "hostname": b"node7"})
    for mac in MACS:
        for kind in kinds:
            yield dict(kind, mac=mac)


def packet(machine, message, xid, ciaddr="0.0.0.0", item=None):
    arch = machine["arch"]
    vendor = machine.get("vendor", b"PXEClient:Arch:%05d:UNDI:003016" % arch)
    options = [(53, bytes([message])), (55, bytes([1, 3, 43, 60, 66, 67])), (60, vendor),
               (93, struct.pack("!H", arch)), (94, b"\1\3\x10"), (97, b"\0" + bytes(range(1, 17)))]
    if "user_class" in machine:
        options.append((77, machine["user_class"]))
    if "hostname" in machine:
        options.append((12, machine["hostname"]))
    if "ipxe" in machine:
        options.append((175, b"".join(bytes([FEATURES[f], 1, 1]) for f in machine["ipxe"])))
    if item is not None:
        options.append((43, b"\x47\4" + struct.pack("!HH", item, 0) + b"\xff"))
    head = struct.pack("!BBBBIHH4s4s4s4s", 1, 1, 6, 0, xid, 0, 0 if item or message == 3 else 0x8000,
                       socket.inet_aton(ciaddr), b"", b"", b"")
    mac = bytes.fromhex(machine["mac"].replace(":", ""))
    body = b"".join(bytes([code, len(data)]) + data for code, data in options)
    return head + mac + bytes(10 + 64 + 128) + MAGIC + body + b"\xff"


def options_of(data, joined=True):
    """Options by code; of one that occurs again the parts, or what stands first."""
    found, at = {}, 0
    while at < len(data) and data[at] != 255:
        if data[at] == 0:
            at += 1
            continue
        code, length = data[at], data[at + 1]
        if joined or code not in found:
            found[code] = found.get(code, b"") + data[at + 2:at + 2 + length]
        at += 2 + length
    return found


# --- what a server says ---------------------------------------------------------------------

class Network:
    def __init__(self, servers, interface, own):
        self.servers, self.own, self.xid = servers, own, random.randrange(1 << 31)
        self.patience = 0.05  # seconds to wait for an answer
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode())
        self.sock.bind(("", 68))

    def ask(self, machine, message, to, port, **more):
        """The answers by server: None, or (file, siaddr, options)."""
        self.xid += 1
        self.sock.sendto(packet(machine, message, self.xid, **more), (to, port))
        waiting = set(self.servers) if to == "255.255.255.255" else {to}
        found, end = {}, time.monotonic() + self.patience
        while waiting - set(found) and time.monotonic() < end:
            self.sock.settimeout(max(0.001, end - time.monotonic()))
            try:
                data, (source, _) = self.sock.recvfrom(4096)
            except socket.timeout:
                break
            if int.from_bytes(data[4:8], "big") == self.xid and source in waiting:
                options = options_of(data[240:])
                file = options.get(67, data[108:236]).split(b"\0")[0].decode("latin-1")
                found[source] = (file, self.name(data[20:24], source), options)
        return found

    @staticmethod
    def name(address, server):
        """An address as it compares: a server's own, or none, is its own."""
        text = socket.inet_ntoa(address)
        return "self" if text in (server, "0.0.0.0") else text

    def menu(self, answer, server):
        """Option 43 as it compares; None: no menu."""
        sub = options_of(answer[2].get(43, b""), joined=False)
        if 9 not in sub:
            return None
        items, at = [], 0
        while at < len(sub[9]):
            kind, length = struct.unpack_from("!HB", sub[9], at)
            items.append((kind, sub[9][at + 3:at + 3 + length].decode()))
            at += 3 + length
        hosts, at = {}, 0
        while at < len(sub.get(8, b"")):
            kind, count = struct.unpack_from("!HB", sub[8], at)
            hosts[kind] = [self.name(sub[8][at + 3 + 4 * i:at + 7 + 4 * i], server) for i in range(count)]
            at += 3 + 4 * count
        return {"items": items, "hosts": hosts, "prompt": sub[10], "discovery": sub[6]}

    def outcome(self, machine, server, offers):
        """What the machine ends up with."""
        if server not in offers:
            return "silence"
        answer, uefi = offers[server], machine["arch"] >= 6 and "vendor" not in machine
        offered = answer[0]
        if uefi:
            answer = self.ask(machine, 3, server, 4011, ciaddr=self.own).get(server)
            if not answer:
                return "silence"
        menu = self.menu(answer, server)
        if not answer[0] and not menu:
            return "silence"
        result = {"file": answer[0], "menu": menu, "server": answer[1] if answer[0] else None}
        if uefi and offered and not menu and offered != answer[0]:
            result["offered"] = offered  # nothing else may be said on port 67
        for kind, _ in (menu or {"items": []})["items"]:
            chosen = self.ask(machine, 3, server, 4011, ciaddr=self.own, item=kind).get(server)
            result["item %d" % kind] = chosen and (chosen[0], chosen[1], options_of(chosen[2].get(43, b"")).get(71))
        return result


def compare(dnsmasq, moonboot, interface, own):
    network, bad, count, booted = Network([dnsmasq, moonboot], interface, own), 0, 0, 0
    for machine in machines():
        for network.patience in (0.05, 1):  # a difference is asked for again
            offers = network.ask(machine, 1, "255.255.255.255", 67)
            wanted = network.outcome(machine, dnsmasq, offers)
            found = network.outcome(machine, moonboot, offers)
            if wanted == found:
                break
        count += 1
        booted += wanted != "silence"
        if wanted != found:
            bad += 1
            print("#   %s\n#     dnsmasq:  %s\n#     moonboot: %s" % (machine, wanted, found))
            if bad == 3:
                break
    print("# %d machines, %d of them boot, %d differ" % (count, booted, bad))
    return bad == 0


# --- random configurations --------------------------------------------------------------------

def configuration(rng):
    tags = ["a", "b", "c", "d", "e"]

    def wanted(low=0):
        chosen = rng.sample(tags + ["known", "eth0", "unset"], rng.randint(low, 2))
        return "".join("tag:%s%s," % (rng.choice(["", "", "", "!"]), tag) for tag in chosen)

    def target():
        return rng.choice(["", "", ",name", ",,10.0.0.9", ",name,10.0.0.8"])

    lines = []
    for _ in range(rng.randint(3, 8)):
        tag = rng.choice(tags)
        lines.append(rng.choice([
            "dhcp-match=set:%s,option:client-arch,%d" % (tag, rng.choice(list(SYSTEMS))),
            "dhcp-match=set:%s,93,%d" % (tag, rng.choice(list(SYSTEMS))),
            "dhcp-match=set:%s,175" % tag,
            "dhcp-match=%s,175,%d" % (tag, rng.choice(list(FEATURES.values()))),
            "dhcp-match=set:%s,12" % tag,
            "dhcp-userclass=set:%s,iPXE" % tag,
            "dhcp-userclass=set:%s,\"Installer, the\"" % tag,
            "dhcp-vendorclass=%s,Arch:0000%d" % (tag, rng.choice([0, 6, 7, 9])),
            "dhcp-mac=set:%s,%s:*:*:*" % (tag, rng.choice(["52:54:00", "02:00:00"])),
            "dhcp-mac=set:%s,*:*:*:*:*:%s" % (tag, rng.choice(["01", "33"])),
            "dhcp-name-match=set:%s,%s" % (tag, rng.choice(["head", "node*"])),
        ]))
    for _ in range(rng.randint(0, 5)):
        mac = rng.choice(MACS + ["52:54:00:*:*:*", "02:00:00:00:00:*", "*:*:*:*:*:01", "*:*:*:*:*:*"])
        lines.append("dhcp-host=%s" % ",".join(
            [rng.choice([mac, mac, mac, rng.choice(NAMES)])] + ["set:" + rng.choice(tags) for _ in range(rng.randint(0, 2))]
            + rng.choice([[], [], ["tag:" + rng.choice(tags)], ["tag:!" + rng.choice(tags)], ["ignore"]])))
    for _ in range(rng.randint(0, 3)):
        lines.append("tag-if=set:%s,%s" % (rng.choice(tags), (wanted(1) + rng.choice(["", "tag:eth*,", "tag:!eth*,"])).rstrip(",")))
    if rng.random() < 0.4:
        lines.append("dhcp-ignore=%s" % wanted(1).rstrip(","))
    for i in range(rng.randint(0, 5)):
        lines.append("dhcp-boot=%sfile%d.%s%s" % (wanted(), i, rng.choice(["0", "efi"]), target()))
    for i in range(rng.randint(0, 6)):
        lines.append("pxe-service=%s%s,\"Item %d, of some\"%s" % (
            wanted(), rng.choice(list(SYSTEMS.values()) + ["x86PC", "x86PC", "7"]), i,
            rng.choice(["", ",0", ",base%d" % i, ",file%d.efi" % i, ",base%d,10.0.0.9" % i, ",15", ",15,10.0.0.7"])))
    for _ in range(rng.randint(0, 2)):
        lines.append("pxe-prompt=%s\"A prompt\"%s" % (wanted(), rng.choice(["", ",0", ",10"])))
    rng.shuffle(lines)
    tag = rng.choice(["", "set:%s," % rng.choice(tags)])
    return "\n".join(["port=0", "interface=eth0", "bind-interfaces", "dhcp-range=%s10.0.0.0,proxy" % tag] + lines) + "\n"


def main():
    if sys.argv[1] == "write":
        with open(sys.argv[3], "w", encoding="utf-8") as out:
            out.write(configuration(random.Random(int(sys.argv[2]))))
        return 0
    return 0 if compare(*sys.argv[2:]) else 1


sys.exit(main())
