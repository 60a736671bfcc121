#!/bin/bash
# More than can be served: too few descriptors, clients that ask without end, a storm of DHCP.
set -u
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/e2e/lib.sh
. "$here/lib.sh"

metric() {
    fetch /metrics | grep -v '^#' | grep -F "$1 " | sed 's/.* //'
}

if [ "$(id -u)" != 0 ]; then
    skip "overload" "not root"
    exit 0
fi
dhcp_enabled=true
make_site
ip address add 10.9.9.9/32 dev lo
sed -i "s/127.0.0.1:$http_port/0.0.0.0:$http_port/" "$site/site.yaml"
echo 'limits: { requests_per_client: 20 }' >>"$site/site.yaml"
cat >"$site/policy.lua" <<'LUA'
profile "p" { kernel = "vmlinuz" }
rule "all" { boot = "p" }
LUA
# As root it would raise the limit, but for this capability.
start_service prlimit --nofile=60:60 setpriv --bounding-set=-sys_resource --inh-caps=-sys_resource

# --- descriptors
python3 - "$http_port" "$site/flooded" <<'PYTHON' &
import socket, sys, time
peers = []
for _ in range(300):
    s = socket.socket()
    s.settimeout(2)
    try:
        s.connect(("127.0.0.1", int(sys.argv[1])))
        peers.append(s)
    except OSError:
        pass
open(sys.argv[2], "w").close()
time.sleep(3)
PYTHON
flood=$!
wait_for "300 connections for 60 descriptors" 20 test -e "$site/flooded"
wait_for "the lack is in the log" 10 grep -q 'cannot accept: Too many open files' "$log"
wait "$flood"
wait_for "afterwards: served" 10 fetch "/ipxe?mac=52:54:00:00:00:01&platform=pcbios"
check "no worker ended over it" [ "$(metric moonboot_workers_restarted_total)" = 0 ]
check "what was turned away is counted" [ "$(metric moonboot_http_connections_refused_total)" -ge 1 ]
stop_service

# --- a client that asks without end
start_service
python3 - "$http_port" >"$site/answers" <<'PYTHON'
import http.client, sys
c = http.client.HTTPConnection("10.9.9.9", int(sys.argv[1]), source_address=("10.9.9.9", 0))
for _ in range(200):
    c.request("GET", "/ipxe?mac=52:54:00:00:00:01&platform=pcbios")
    answer = c.getresponse()
    answer.read()
    print(answer.status, answer.getheader("Retry-After"))
PYTHON
check "a greedy client: what two seconds give is answered" [ "$(grep -c '^200' "$site/answers")" -ge 40 ]
check "a greedy client: then 429, and when to ask again" grep -qx '429 1' "$site/answers"
check "a greedy client: is counted" [ "$(metric 'moonboot_requests_limited_total{protocol="http"}')" -ge 50 ]
check "others are served" fetch "/ipxe?mac=52:54:00:00:00:01&platform=pcbios"
check "health is not limited" [ "$(for _ in $(seq 100); do curl -s -o "$site/got" -w '%{http_code} ' --interface 10.9.9.9 "http://10.9.9.9:$http_port/healthz"; done | tr ' ' '\n' | grep -c 200)" = 100 ]

# --- a storm of DHCP, and a reader that stood still
reader=$("$BUILD/moonboot" status --json -c "$site/site.yaml" |
    python3 -c 'import json, sys; print([w["pid"] for w in json.load(sys.stdin)["workers"] if w["slot"] == 0][0])')
storm() { # storm N: DISCOVERs of N machines
    python3 - "$dhcp_port" "$1" <<'PYTHON'
import socket, struct, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for i in range(int(sys.argv[2])):
    mac = b"\x52\x54\x00" + struct.pack(">I", i)[1:]
    packet = struct.pack(">BBBBIHH", 1, 1, 6, 0, i, 0, 0x8000) + bytes(16) + mac.ljust(16, b"\0") + bytes(192)
    packet += b"\x63\x82\x53\x63" + b"\x35\x01\x01" + b"\x3c\x20PXEClient:Arch:00000:UNDI:002001" + b"\x5d\x02\x00\x00" + b"\xff"
    s.sendto(packet, ("127.0.0.1", int(sys.argv[1])))
PYTHON
}
received() {
    metric 'moonboot_dhcp_packets_total{result="received"}'
}
kill -STOP "$reader"
storm 200
sleep 1.3
kill -CONT "$reader"
wait_for "a storm: what has waited too long is dropped" 10 \
    sh -c "curl -s $base/metrics | grep -E '^moonboot_dhcp_packets_total\{result=\"late\"\} [1-9]'"
before=$(received)
storm 10
new_ones() { [ "$(received)" -ge $((before + 10)) ]; }
wait_for "after it: packets are taken again" 5 new_ones
late=$(metric 'moonboot_dhcp_packets_total{result="late"}')
check "those in time are not dropped" [ "$(metric 'moonboot_dhcp_packets_total{result="late"}')" = "$late" ]

# --- what /metrics says
check "decisions by verdict" [ "$(metric 'moonboot_decisions_by_verdict_total{stage="ipxe",verdict="boot"}')" -ge 40 ]
check "times of replies" [ "$(metric moonboot_reply_seconds_count)" -ge 40 ]
check "memory" [ "$(metric moonboot_policy_memory_bytes)" -gt 100000 ]
finish
