#!/bin/bash
# An inventory that is slow, fails, lies or is gone: no wrong boot, no blocked neighbour; and a rack
# that starts at once asks it once.
set -u
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/e2e/lib.sh
. "$here/lib.sh"

port=18088
dhcp_enabled=true
make_site
echo 'limits: { wait_ms: 2000 }' >>"$site/site.yaml"
cat >"$site/policy.lua" <<LUA
local inventory = http.client { base = "http://127.0.0.1:$port", timeout = 1.5 }
local down = http.client { base = "http://127.0.0.1:1", timeout = 1.5 }
local kept = http.client { base = "http://127.0.0.1:$port", timeout = 10, cache = { ttl = 2, stale_if_error = 60,
  key = function(url) return (url:gsub("/[^/]*$", "")) end } }
local long = http.client { base = "http://127.0.0.1:$port", timeout = 10, cache = { ttl = 60 } }
local tls = { base = "https://127.0.0.1:$((port + 1))", timeout = 1.5 }
local function secure(more)
  local options = {}
  for key, value in pairs(tls) do options[key] = value end
  for key, value in pairs(more) do options[key] = value end
  return http.client(options)
end
local of_kind = { ["0b"] = secure {}, ["0c"] = secure { ca = read "inventory.crt" }, ["0d"] = secure { verify = false },
                  ["0e"] = secure { ca = read "other.crt" } }
profile "compute" { kernel = "el9/vmlinuz" }
profile "wipe" { kernel = "wipe/vmlinuz" }
local parts = { ["01"] = "ok", ["02"] = "slow", ["03"] = "garbage", ["04"] = "500", ["05"] = "half", ["06"] = "down",
                ["07"] = "404", ["08"] = "nonsense", ["09"] = "lag", ["0a"] = "sometimes",
                ["00"] = "dhcp" }
rule "inventory" {
  match = { mac = prefix "52:54" },
  boot = function(machine)
    local part = parts[machine.mac:sub(7, 8)]
    if of_kind[machine.mac:sub(7, 8)] then
      part = "ok"
    elseif not part then
      return disk
    end
    local client = of_kind[machine.mac:sub(7, 8)] or part == "down" and down or part == "dhcp" and long or (part == "lag" or part == "sometimes") and kept or inventory
    local host, err, status = client:get("/%s/%s", part, machine.mac)
    if status == 404 then return nil end
    if not host then return nil, err end
    return { use = host.role, args = { "hostname=" .. host.name } }
  end,
  on_error = deny "on error",
}
rule "unknown to it" { match = { mac = prefix "52:54:07" }, boot = shell }
rule "never" { boot = "wipe" }
LUA
for name in inventory other; do
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj "/CN=$name" -addext subjectAltName=IP:127.0.0.1 \
        -keyout "$site/$name.key" -out "$site/$name.crt" 2>/dev/null
done
python3 "$here/inventory.py" $port 2>/dev/null &
inventory=$!
python3 "$here/inventory.py" $((port + 1)) "$site/inventory.crt" "$site/inventory.key" 2>/dev/null &
secure=$!
trap 'kill $inventory $secure 2>/dev/null; clean_up' EXIT
wait_for "the inventory answers" 10 curl -sf "http://127.0.0.1:$port/ok"

ask() { # ask KIND: what a machine of that kind is sent
    fetch "/ipxe?mac=52:54:$1:00:00:01" >"$site/out"
    ! grep -q wipe "$site/out"
}
asked() { # asked PART: how often the inventory was
    curl -sf "http://127.0.0.1:$port/count" | grep -o "\"$1\": [0-9]*" | grep -o '[0-9]*$'
}
start_service
ask 01
check "an answer boots" grep -q 'el9/vmlinuz.*hostname=n01\|hostname=n01' "$site/out"
for kind in 02 03 04 05 06 08; do
    ask $kind
    check "kind $kind: on_error, and no other rule" grep -q 'denied: on error\|on error' "$site/out"
done
ask 0b
check "a certificate that nobody knows: on_error" grep -q 'on error' "$site/out"
wait_for "and the log says so" 5 grep -qi 'certificate' "$log"
ask 0c
check "one that the policy names is trusted" grep -q 'hostname=n01' "$site/out"
ask 0d
check "with verify = false any is" grep -q 'hostname=n01' "$site/out"
ask 0e
check "but not another's" grep -q 'on error' "$site/out"
ask 07
check "what it does not know is the next rule's" grep -q '^shell' "$site/out"
check "the log says what went wrong" grep -q 'policy.lua:[0-9]*: GET http://127.0.0.1:18088/500/52:54:04:00:00:01: status 500\|status 500' "$log"
check "and that it was slow" grep -q 'timed out' "$log"
fetch /metrics >"$site/metrics"
counted() { # counted HOST RESULT: how many requests ended so
    sed -n "s/^moonboot_http_client_requests_total{host=\"$1\",result=\"$2\"} //p" "$site/metrics"
}
check "the metrics say by server how requests ended: well" [ "$(counted 127.0.0.1:$port 2xx)" -ge 3 ]
check "not known" [ "$(counted 127.0.0.1:$port 4xx)" = 1 ]
check "broken" [ "$(counted 127.0.0.1:$port 5xx)" = 1 ]
check "too late" [ "$(counted 127.0.0.1:$port timeout)" = 1 ]
check "half an answer" [ "$(counted 127.0.0.1:$port failed)" = 1 ]
check "nobody there" [ "$(counted 127.0.0.1:1 failed)" = 1 ]
check "no good certificate" [ "$(counted 127.0.0.1:$((port + 1)) failed)" = 2 ]
check "and how long they took" grep -q '^moonboot_http_client_seconds_count 1[0-9]' "$site/metrics"
check "the metrics say how many waited" grep -qE '^moonboot_decision_waits_total [1-9]' <(fetch /metrics)

# Neighbours of those that are answered late, badly, or not at all.
for kind in "01 hostname= answers" "02 on_error takes_10_s" "03 on_error answers_garbage" "04 on_error answers_500" \
    "05 on_error closes_half-way" "06 on_error is_down"; do
    read -r part text what <<<"$kind"
    python3 "$here/ask_all.py" "$base" "$part" 50 "${text/_/ }" >"$site/asked" &
    asking=$!
    [ "$part" = 02 ] && sleep 0.3
    python3 "$here/ask_all.py" "$base" 99 300 >"$site/times"
    read -r median p99 <"$site/times"
    echo "# while an inventory ${what//_/ } to 50, others take $median ms, p99 $p99 ms"
    check "an inventory that ${what//_/ } holds up no neighbour" [ "${p99%.*}" -lt 100 ]
    wait $asking
    check "and who asked it has what there is for that" grep -q '^50 of 50' "$site/asked"
done

# Firmware cannot wait for as long: it is not answered, and finds the answer when it asks again.
discover() {
    python3 "$here/dhcp_client.py" 127.0.0.1 $dhcp_port 1
}
discover >/dev/null
check "a DISCOVER is decided within 0.4 s" grep -qE 'machine=52:54:00:00:00:01 rule=inventory.* stage=dhcp .*waited_ms=(39[0-9]|[4-9][0-9][0-9]) .*no answer within 0.4 s' "$log"
check "the next one finds the answer" discover
check "of one request" [ "$(asked dhcp)" = 1 ]

# A rack at once.
before=$(asked lag)
check "400 machines at once boot" python3 "$here/ask_all.py" "$base" 09 400 hostname=
check "of one request for all, whichever worker they ask" [ "$(asked lag)" = $((${before:-0} + 1)) ]

# The inventory goes away: what it said will do.
ask 0a
check "it is asked" grep -q 'hostname=n01' "$site/out"
kill $inventory
wait $inventory 2>/dev/null
sleep 2.2
ask 0a
check "gone, and old, what it said still boots" grep -q 'hostname=n01' "$site/out"
ask 01
check "what is not kept is on_error" grep -q 'on error' "$site/out"
stop_service
finish
