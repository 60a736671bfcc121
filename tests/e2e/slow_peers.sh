#!/bin/bash
# Peers that connect and say nothing, never finish a handshake, send or take a byte a second: each is
# let go in bounded time and counted, and a good client is answered at once all the while. More
# connections than one address may have, more decisions than may wait.
set -u
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/e2e/lib.sh
. "$here/lib.sh"

metric() {
    fetch /metrics | grep -v '^#' | grep -F "$1 " | sed 's/.* //'
}

if [ "$(id -u)" != 0 ]; then
    skip "slow peers" "not root"
    exit 0
fi
make_site
for i in 1 2 3 4 5 6 7 9; do ip address add 10.9.9.$i/32 dev lo; done
head -c 30000000 /dev/zero >"$site/assets/large"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=x \
    -keyout "$site/tls.key" -out "$site/tls.pem" 2>/dev/null
sed -i "s/127.0.0.1:$http_port\"]/0.0.0.0:$http_port\"]\n  tls: { listen: [\"0.0.0.0:18443\"], cert: tls.pem, key: tls.key }/" "$site/site.yaml"
echo 'limits: { connections_per_client: 150, waiting: 20, wait_ms: 6000 }' >>"$site/site.yaml"
cat >"$site/policy.lua" <<'LUA'
profile "p" { kernel = "vmlinuz" }
rule "slow" { match = { mac = prefix "52:54:01" }, boot = function () sleep(2.5) return "p" end }
rule "all" { boot = "p" }
LUA
start_service
echo "# slow peers"
timeout 90 python3 "$here/slow_peers.py" "$http_port" 18443 "$site/control.sock" >"$site/peers" 2>"$site/errors"
sed 's/^/# /' "$site/peers" "$site/errors"
within() { # within NAME SECONDS: all of that kind were let go by then
    awk -v name="$1" -v max="$2" '$1 == name { found = $3 == 0 && $4 <= max } END { exit !found }' "$site/peers"
}
check "who connects and says nothing is let go in 10 s" within silent 17
check "so is who does not finish a handshake" within half-tls 17
check "so is who sends a head byte by byte" within loris 17
check "so is who sends a body byte by byte" within bodies 17
check "who takes a byte a second of a large file is let go in 30 s" within readers 42
check "who says nothing on the control socket is let go in 2 s each" within commands 17
check "they are counted" [ "$(metric moonboot_http_timeouts_total)" -ge 390 ]
check "a good client is always answered" sh -c "awk '\$1 == \"good\" { exit !(\$2 > 100 && \$3 == 0) }' '$site/peers'"
check "and within a second" sh -c "awk '\$1 == \"good\" { exit !(\$4 < 1000) }' '$site/peers'"
check "the control socket answers afterwards" timeout 10 "$BUILD/moonboot" status -c "$site/site.yaml"

echo "# one address with too many connections"
python3 - "$http_port" >"$site/crowd" <<'PYTHON'
import socket, sys
held, turned_away = [], 0
for _ in range(600):
    s = socket.create_connection(("10.9.9.9", int(sys.argv[1])), source_address=("10.9.9.7", 0), timeout=5)
    held.append(s)
for s in held:
    s.settimeout(0.3)
    try:
        answer = s.recv(4096)
    except TimeoutError:
        break
    turned_away += b" 503 " in answer and b"Retry-After: " in answer
for s in held:
    s.settimeout(0)
    try:
        answer = s.recv(4096)
        turned_away += b" 503 " in answer and b"Retry-After: " in answer
    except BlockingIOError:
        pass
print(turned_away)
s = socket.create_connection(("10.9.9.9", int(sys.argv[1])), source_address=("10.9.9.1", 0), timeout=5)
s.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
print(s.recv(100).split()[1].decode())
PYTHON
check "of 600, 150 in each of two workers: the others are told to come again" [ "$(sed -n 1p "$site/crowd")" = 300 ]
check "another address is served" [ "$(sed -n 2p "$site/crowd")" = 200 ]
check "they are counted" [ "$(metric moonboot_http_connections_crowded_total)" = 300 ]

echo "# too many decisions that wait"
python3 - "$http_port" "$site/asked" >"$site/answers" <<'PYTHON' &
import socket, sys
asked = [socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=10) for _ in range(120)]
for i, s in enumerate(asked):
    s.sendall(b"GET /ipxe?mac=52:54:01:00:00:%02x HTTP/1.1\r\nHost: x\r\n\r\n" % i)
open(sys.argv[2], "w").close()
for s in asked:
    head = s.recv(4096).decode().split("\r\n\r\n")[0].split("\r\n")
    print(head[0].split()[1], *(line.split()[1] for line in head if line.startswith("Retry-After:")))
PYTHON
asking=$!
wait_for "120 machines ask at once" 10 test -e "$site/asked"
sleep 0.6 # for the gauges to be set
status=$("$BUILD/moonboot" status --json -c "$site/site.yaml")
others=$(for _ in 1 2 3 4 5; do fetch "/ipxe?mac=52:54:00:00:00:01"; done | grep -c ^kernel)
wait "$asking"
check "all are answered" [ "$(wc -l <"$site/answers")" = 120 ]
given=$(grep -c '^200' "$site/answers")
check "20 in each of two workers get their answer" [ "$given" = 40 ]
check "the others are told to come again" [ "$(grep -c '^503 5' "$site/answers")" = $((120 - given)) ]
check "they are counted" [ "$(metric 'moonboot_decisions_refused_total{protocol="http"}')" = $((120 - given)) ]
check "status shows how many wait" python3 -c '
import json, sys
status = json.loads(sys.argv[1])
assert sum(w["waiting"] for w in status["workers"]) == 40
assert status["counters"]["moonboot_decisions_refused_total{protocol=\"http\"}"] == 80' "$status"
check "who need not wait is answered meanwhile" [ "$others" = 5 ]
check "it is in the log" grep -q 'decisions wait (`limits.waiting`): more are refused' "$log"
check "no worker ended of it" [ "$(metric moonboot_workers_restarted_total)" = 0 ]
finish
