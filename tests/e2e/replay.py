#!/usr/bin/env python3
"""Captures replayed, against what is known of them.

replay.py golden GOLDEN.TXT REPLAYED.JSONL ANSWERS.PCAP
    The decisions and answers of tests/wire/golden, and what was written of them.
replay.py ask FILE PORT:PATH...
    Writes a capture of iPXE asking for these.
replay.py live DECISIONS.JSONL REPLAYED.JSONL
    The decision log of the service that the capture was made of.
"""
import json
import re
import struct
import sys

problems = []


def differ(what, expected, found):
    if expected != found:
        problems.append(f"{what}: expected {expected!r}, found {found!r}")


def read_lines(path):
    return [json.loads(line) for line in open(path, encoding="utf-8")]


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def datagrams(path):
    """UDP payloads, and TCP streams by their ends, of a capture that moonboot wrote."""
    data = open(path, "rb").read()
    assert struct.unpack("<I", data[:4])[0] == 0xA1B2C3D4 and struct.unpack("<I", data[20:24])[0] == 1
    udp, tcp, at = [], {}, 24
    while at < len(data):
        length = struct.unpack("<I", data[at + 8:at + 12])[0]
        ip = data[at + 16 + 14:at + 16 + length]
        at += 16 + length
        assert checksum(ip[:20]) == 0xFFFF
        pseudo = ip[12:20] + struct.pack("!HH", ip[9], len(ip) - 20)
        assert checksum(pseudo + ip[20:]) == 0xFFFF
        ports = struct.unpack("!HH", ip[20:24])
        if ip[9] == 17:
            udp.append((ports, ip[28:]))
        else:
            tcp[ports, ip[16:20]] = tcp.get((ports, ip[16:20]), b"") + ip[40:]
    return udp, tcp


def golden_of(path):
    """Blocks of a golden file: frame, first line, the lines below."""
    blocks = []
    for line in open(path, encoding="utf-8").read().split("\n"):
        head = re.match(r"^(\d+): (.*)$", line)
        if head:
            blocks.append((int(head[1]), head[2], []))
        elif blocks and line.strip():
            blocks[-1][2].append(line)
    return blocks


def check_dhcp(frame, lines, made, packets):
    first = lines[0].strip()
    if first.startswith("not for us: "):
        differ(f"frame {frame}", (first[12:], "silence"), (made.get("why"), made["answer"]["kind"]))
        return
    if first == "silence":
        differ(f"frame {frame}", "silence", made["answer"]["kind"])
        return
    kind, size, to = re.match(r"^(\w+), (\d+) bytes, to (\S+)$", first).groups()
    file = re.search(r" file=(\S*)$", lines[2])[1]
    answer = made["answer"]
    differ(f"frame {frame}", (kind.lower(), int(size), to, file),
           (answer["kind"], answer["length"], answer["to"], answer.get("what", "")))
    packet = packets.pop(0)[1]
    differ(f"frame {frame}: its bytes", int(size), len(packet))
    differ(f"frame {frame}: file", file, packet[108:236].split(b"\0")[0].decode())
    siaddr = re.search(r" siaddr=(\S+)", lines[1])[1]
    differ(f"frame {frame}: siaddr", siaddr, ".".join(map(str, packet[20:24])))


def check_golden(golden, replayed, written):
    by_frame = {line["frame"]: line for line in read_lines(replayed)}
    udp, tcp = datagrams(written)
    packets = [each for each in udp if each[0][0] in (67, 4011)]
    blocks = golden_of(golden)
    differ("frames", [block[0] for block in blocks], sorted(by_frame))
    for frame, asked, lines in blocks:
        made = by_frame.get(frame)
        if made is None:
            continue
        answer = made["answer"]
        if asked.startswith("DHCP"):
            check_dhcp(frame, lines, made, packets)
        elif asked.startswith("TFTP"):
            differ(f"frame {frame}", "RRQ " + asked[5:], made["asked"])
            file = re.match(r"^  file (\S+) under tftp$", lines[0])
            if file and answer["kind"] == "error":
                differ(f"frame {frame}", (1, f"file not found: {file[1]}"), (answer["status"], answer["what"]))
            elif file and "what" in answer:
                differ(f"frame {frame}", file[1], answer["what"])
            elif file:  # there is none, and something else is sent instead
                differ(f"frame {frame}", True, answer["kind"] in ("oack", "data"))
            else:
                differ(f"frame {frame}", True, answer["kind"] in ("oack", "data") and "boot guest" in made["verdict"])
        else:
            method, path = re.match(r"^HTTP (\S+) (\S+) \(", asked).groups()
            differ(f"frame {frame}", f"{method} {path}", made["asked"])
            if lines[0].strip() == "200":
                differ(f"frame {frame}", 200, answer["status"])
                body = "\n".join(line[4:] for line in lines[1:])
                sent = b"".join(tcp.values()).decode(errors="replace")
                differ(f"frame {frame}: is written", True, body.split("\n")[0] in sent)
                differ(f"frame {frame}", None, answer.get("error"))
            missing = re.match(r"^  not found: (.*)$", lines[0])
            if missing:
                differ(f"frame {frame}", (404, missing[1], missing[1]),
                       (answer.get("error"), answer.get("what"), made.get("why")))
    differ("packets without a request", [], packets)


def check_live(log, replayed):
    """Each decision that was made live is made again, in order."""
    def key(line):
        return line["machine"], line.get("stage"), line.get("verdict"), line.get("rule"), line.get("error")
    live = [key(line) for line in read_lines(log)]
    again = [key(line) for line in read_lines(replayed) if line.get("verdict")]
    differ("decisions", live, again)
    if len(live) < 10:
        problems.append(f"only {len(live)} decisions were made")


def write_asking(path, wanted):
    """Raw IP, without checksums: nothing reads them."""
    with open(path, "wb") as out:
        out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101))
        for i, each in enumerate(wanted):
            port, name = each.split(":", 1)
            text = f"GET {name} HTTP/1.1\r\nHost: x\r\nUser-Agent: iPXE/1.21\r\n\r\n".encode()
            for flags, data in ((2, b""), (0x18, text)):
                tcp = struct.pack("!HHIIBBHHH", 20000 + i, int(port), 1 if data else 0, 1, 0x50, flags, 1024, 0, 0)
                ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 40 + len(data), 0, 0, 64, 6, 0,
                                 b"\x0a\x00\x00\x05", b"\x0a\x00\x00\x02")
                out.write(struct.pack("<IIII", 1, i, 40 + len(data), 40 + len(data)) + ip + tcp + data)


if sys.argv[1] == "golden":
    check_golden(*sys.argv[2:5])
elif sys.argv[1] == "ask":
    write_asking(sys.argv[2], sys.argv[3:])
else:
    check_live(*sys.argv[2:4])
for problem in problems:
    print("#", problem)
sys.exit(bool(problems))
