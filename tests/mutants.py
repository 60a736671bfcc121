#!/usr/bin/env python3
"""Deliberate mistakes in the examples, each to be caught by the example's own tests.

A mutant is a small change of one file in a copy of an example. `moonboot test` must exit with 1
there: 0 is a mutant that survives, 2 one that cannot even run and so shows nothing. A change that
no longer applies, because the file has changed, fails as well.
"""

import os
import shutil
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
MOONBOOT = os.path.join(TOP, os.environ.get("BUILD", "build"), "moonboot")


def change(old, new):
    """One piece of text for another; it must be there, once."""
    return lambda text: text.replace(old, new) if text.count(old) == 1 else None


def block(text, start):
    """From the line that starts so to the next empty line."""
    at = text.find("\n" + start)
    if at < 0 or text.find("\n" + start, at + 1) >= 0:
        return None
    end = text.find("\n\n", at + 1)
    return text[at + 1:end if end >= 0 else len(text)].rstrip("\n")


def drop(start):
    def apply(text):
        found = block(text, start)
        return found and text.replace(found, "")
    return apply


def swap(first, second):
    def apply(text):
        a, b = block(text, first), block(text, second)
        if not a or not b:
            return None
        return text.replace(a, "\0").replace(b, a).replace("\0", b)
    return apply


MUTANTS = [
    ("quickstart", "policy.lua", "another machine's address",
     change('match = { mac = "52:54:00:00:00:01" }', 'match = { mac = "52:54:00:00:00:10" }')),
    ("quickstart", "policy.lua", "a prefix with two digits swapped",
     change('prefix "52:54:00", arch = "bios"', 'prefix "52:45:00", arch = "bios"')),
    ("quickstart", "policy.lua", "a rule is gone", drop('rule "virtual machines with UEFI"')),
    ("quickstart", "policy.lua", "the special case after the family",
     swap('rule "the build server"', 'rule "virtual machines with UEFI"')),
    ("quickstart", "policy.lua", "another's role", change('"role=guest"', '"role=build"')),
    ("quickstart", "policy.lua", "no longer quiet", change(', "quiet" }', " }")),
    ("quickstart", "policy.lua", "another console's speed", change("ttyS0,115200n8", "ttyS0,9600n8")),
    ("quickstart", "policy.lua", "everyone boots what the guests do",
     change('rule "everyone else" { boot = ignore }', 'rule "everyone else" { boot = "linux" }')),
    ("quickstart", "policy.lua", "no UEFI but by PXE",
     change('arch = "efi-x64" }', 'arch = { "efi-x64", except "efi-x64-http" } }')),
    ("cloud-init", "policy.lua", "web servers are not asked about first", swap('rule "web servers"', 'rule "guests"')),
    ("cloud-init", "policy.lua", "the documents of no machine",
     change("ds=nocloud-net;s={{config 'nocloud/'}}", "ds=nocloud-net;s=http://10.0.0.2:8080/config/nocloud/")),
    ("cloud-init", "policy.lua", "user-data as vendor-data", change('template "vendor-data"', 'template "user-data"')),
    ("cloud-init", "user-data", "a value without its quotes",
     change('{{ yaml("echo " .. sh(product or "some machine") .. " > /run/product") }}',
            'echo {{ product or "some machine" }} > /run/product')),
    ("cloud-init", "user-data", "the page of everyone", change('{% if role == "web" then %}\n  - path', '{% if role then %}\n  - path')),
    ("cloud-init", "policy.lua", "everyone is a node", change("boot = ignore", 'boot = "ubuntu-in-memory"')),
    ("coreos", "policy.lua", "the controller is a worker", drop('rule "the controller, from its disk"')),
    ("coreos", "policy.lua", "the wrong disk is written", change("/dev/nvme0n1", "/dev/nvme1n1")),
    ("coreos", "policy.lua", "Flatcar is not told that it is new", change('"flatcar.first_boot=1",', "")),
    ("coreos", "policy.lua", "another argument of the installer's",
     change("coreos.inst.ignition_url", "ignition.config.url.install")),
    ("coreos", "node.ign", "updates on the controller", change('if role == "controller" then', 'if role == "control" then')),
    ("debian-preseed", "policy.lua", "priority of another installation", change("priority=critical", "priority=high")),
    ("debian-preseed", "policy.lua", "databases on the first disk", change('vars  = { target = "/dev/nvme0n1",', "vars  = {")),
    ("debian-preseed", "policy.lua", "installed again and again", drop('rule "installed"')),
    ("debian-preseed", "policy.lua", "guests before databases", swap('rule "database servers"', 'rule "guests"')),
    ("debian-preseed", "policy.lua", "serial numbers that end so", change('serial = prefix "DB"', 'serial = suffix "DB"')),
    ("debian-preseed", "preseed.cfg", "an answer that is not looked at",
     change("{{ line(serial) }}", "{{ serial }}")),
    ("debian-preseed", "policy.lua", "everyone is installed", change("boot = ignore", 'boot = "debian-12"')),
    ("inventory", "policy.lua", "strangers are let in", drop('rule "strangers"')),
    ("inventory", "policy.lua", "blades before those with a GPU", swap('rule "GPU blades"', 'rule "blades"')),
    ("inventory", "policy.lua", "strangers everywhere", change('interface = "servers", ', "")),
    ("inventory", "hosts.yaml", "a host lost its digit", change("52:54:00:00:00:01:", "52:54:00:00:00:03:")),
    ("inventory", "hosts.yaml", "repaired, and back", change("deny it is being repaired", "compute")),
    ("inventory", "racks.csv", "another GPU", change("a100", "h100")),
    ("kickstart", "policy.lua", "another model", change('glob "PowerEdge R7*"', 'glob "PowerEdge R6*"')),
    ("kickstart", "policy.lua", "guests before storage", swap('rule "storage servers"', 'rule "guests"')),
    ("kickstart", "policy.lua", "stage 2 from elsewhere", change("{{assets 'el9/'}}", "{{assets 'el8/'}}")),
    ("kickstart", "ks.cfg", "the wrong disk is cleared", change("--drives=", "--drives=x")),
    ("kickstart", "policy.lua", "everyone is installed", change("boot = ignore", 'boot = "el9"')),
    ("netbox", "policy.lua", "what has gone is installed", change('elseif status ~= "staged" then', 'elseif status == "" then')),
    ("netbox", "policy.lua", "an old answer installs", change("overtaken(device) or device.status", "device.status")),
    ("netbox", "policy.lua", "whatever was written counts for ever", change("tostring(device.updated) < written.updated and ", "")),
    ("netbox", "policy.lua", "a failure is the next rule's", change("return nil, problem --", "return nil --")),
    ("netbox", "netbox.lua", "one page will do", change("if not more then", "if true then")),
    ("netbox", "netbox.lua", "the token goes where NetBox says", change('tostring(more):match "%?(.*)$"', "more")),
    ("netbox", "netbox.lua", "any device of that address", change("elseif next(ids, id) then", "elseif false then")),
    ("pixiecore-api", "policy.lua", "everybody is asked about", change('match    = { mac = prefix "52:54:00" },', "")),
    ("pixiecore-api", "policy.lua", "a failure is silence", change("  on_error = disk,\n", "")),
    ("pixiecore-api", "policy.lua", "old answers for ever", change("stale_if_error = 60", "stale_if_error = 6000")),
    ("starter", "policy.lua", "the disk of none", change('default = "Local disk"', 'default = "Install Debian"')),
    ("starter", "policy.lua", "everyone is installed", change("boot = ignore", 'boot = "debian-installer"')),
    ("starter", "hosts.yaml", "installed again", change("02: disk", "02: debian-installer")),
    ("ubuntu-autoinstall", "policy.lua", "the installer asks first",
     change('"autoinstall",     ', '"noautoinstall",     ')),
    ("ubuntu-autoinstall", "policy.lua", "hypervisors on LVM", change('storage = "zfs", ', "")),
    ("ubuntu-autoinstall", "policy.lua", "guests before hypervisors", swap('rule "hypervisors"', 'rule "guests"')),
]


def tests_of(directory):
    return subprocess.run([MOONBOOT, "test", directory], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def try_mutant(work, example, name, apply):
    """What is wrong with the mutant, or rather with the tests; None when they catch it."""
    copy = os.path.join(work, example)
    shutil.copytree(os.path.join(TOP, "examples", example), copy)
    try:
        path = os.path.join(copy, name)
        with open(path, encoding="utf-8") as file:
            text = file.read()
        changed = apply(text)
        if changed is None or changed == text:
            return "the change no longer applies"
        with open(path, "w", encoding="utf-8") as file:
            file.write(changed)
        ran = tests_of(copy)
        if ran.returncode == 1:
            return None
        return ("it survives" if ran.returncode == 0 else f"exit code {ran.returncode}") + "\n" + ran.stdout
    finally:
        shutil.rmtree(copy)


def main():
    failed = 0
    with tempfile.TemporaryDirectory(prefix="moonboot-mutants-") as work:
        for example in sorted({mutant[0] for mutant in MUTANTS}):
            if tests_of(os.path.join(TOP, "examples", example)).returncode != 0:
                failed += 1
                print(f"not ok - {example}: its tests pass before anything is changed")
        for example, name, what, apply in MUTANTS:
            problem = try_mutant(work, example, name, apply)
            failed += problem is not None
            print(f"{'not ok' if problem else 'ok'} - {example}/{name}: {what}")
            if problem:
                print("# " + problem.replace("\n", "\n# "))
    return 1 if failed else 0


sys.exit(main())
