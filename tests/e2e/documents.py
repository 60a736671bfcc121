"""What documents.sh wants to know of a document: documents.py extract NAME | KIND FILE."""

import base64
import json
import re
import shlex
import sys
import urllib.parse


def need(condition, problem):
    if not condition:
        sys.exit(problem)


def is_hostname(name):
    return re.fullmatch(r"[a-z0-9]([a-z0-9.-]{0,62}[a-z0-9])?", name) is not None


def extract(name):
    evaluated = json.load(sys.stdin.buffer)
    need("error" not in evaluated, evaluated.get("error"))
    sys.stdout.buffer.write(evaluated["render"][name].encode())


def source(contents):
    """What a data: URL has in it."""
    head, data = contents["source"].split(",", 1)
    need(head in ("data:", "data:;base64"), "unknown data URL " + head)
    return base64.b64decode(data) if "base64" in head else urllib.parse.unquote_to_bytes(data)


def ignition(text):
    document = json.loads(text)
    need(set(document) == {"ignition", "passwd", "storage", "systemd"}, "wrong sections")
    need(document["ignition"] == {"version": "3.3.0"}, "wrong version")
    user = document["passwd"]["users"][0]
    need(user["name"] == "core" and all(k.startswith("ssh-") for k in user["sshAuthorizedKeys"]), "wrong user")
    files = {f["path"]: f for f in document["storage"]["files"]}
    for file in files.values():
        need(isinstance(file["mode"], int) and source(file["contents"]), "wrong file")
    need(is_hostname(source(files["/etc/hostname"]["contents"]).decode().strip()), "wrong host name")
    unit = document["systemd"]["units"][-1]
    need(unit["enabled"] is True and unit["contents"].startswith("[Unit]\n"), "wrong unit")


def load_yaml(text):
    import yaml
    return yaml.safe_load(text)


def meta_data(text):
    document = load_yaml(text)
    need(isinstance(document["instance-id"], str) and document["instance-id"], "no instance-id")


# The keys of autoinstall, version 1.
AUTOINSTALL = set("""version interactive-sections early-commands locale refresh-installer keyboard source network proxy
    apt storage identity active-directory ubuntu-pro ssh codecs drivers oem snaps debconf-selections packages kernel
    kernel-crash-dumps timezone updates shutdown late-commands error-commands reporting user-data zdevs""".split())


def autoinstall(text):
    need(text.startswith("#cloud-config\n"), "no #cloud-config")
    document = load_yaml(text)
    need(set(document) == {"autoinstall"}, "wrong keys")
    answers = document["autoinstall"]
    need(set(answers) <= AUTOINSTALL, "unknown keys %s" % (set(answers) - AUTOINSTALL))
    need(answers["version"] == 1, "wrong version")
    need(is_hostname(answers["identity"]["hostname"]), "wrong host name")
    need(set(answers["identity"]) == {"hostname", "username", "password"}, "wrong identity")
    need(isinstance(answers["packages"], list), "packages is no list")
    need(answers["storage"]["layout"]["name"] in ("lvm", "direct", "zfs"), "wrong layout")
    need(all(isinstance(c, str) for c in answers["late-commands"]), "wrong commands")
    shlex.split(answers["late-commands"][0])


COMMANDS = set("""text reboot lang keyboard timezone network url rootpw user sshkey selinux firewall ignoredisk zerombr
    clearpart bootloader autopart""".split())


def kickstart(text):
    section = None
    for line in text.splitlines():
        if line.startswith("%"):
            word = line.split()[0]
            need((word == "%end") == (section is not None), "sections in sections")
            need(word in ("%end", "%packages", "%post"), "unknown section " + word)
            section = None if word == "%end" else word
        elif section is None and line and not line.startswith("#"):
            need(shlex.split(line)[0] in COMMANDS, "unknown command " + line)
        elif section == "%post":
            shlex.split(line)
    need(section is None, "a section without %end")


KINDS = {"ignition": ignition, "meta-data": meta_data, "autoinstall": autoinstall, "kickstart": kickstart}

if sys.argv[1] == "extract":
    extract(sys.argv[2])
else:
    with open(sys.argv[2], encoding="utf-8") as found:
        KINDS[sys.argv[1]](found.read())
