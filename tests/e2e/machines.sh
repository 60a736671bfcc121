#!/bin/bash
# What is known of machines: the stages of their boots, who is stuck, events from policy; on the control
# socket and at /api/v1/machines, for 10,000 of them too. `machines.sh redis` keeps it all in Redis.
set -u
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/e2e/lib.sh
. "$here/lib.sh"

dhcp_enabled=true
admin=http://127.0.0.1:18081
make_site
# 10,000 machines are imported one by one: in memory, where a disk takes no time.
memory=$(mktemp -d /dev/shm/moonboot-e2e-XXXXXX)
chmod 755 "$memory"
trap 'rm -rf "$memory"; clean_up' EXIT
if [ "${1:-}" = redis ]; then
    # shellcheck source=tests/e2e/redis_lib.sh
    . "$here/redis_lib.sh"
    redis_available || {
        skip "Redis" "Debian's redis-tools are not installed"
        exit 0
    }
    trap 'stop_redis KILL; rm -rf "$memory"; clean_up' EXIT
    start_redis "$memory/redis"
    echo "state: { backend: redis, url: 'redis://127.0.0.1:$redis_port/1' }" >>"$site/site.yaml"
else
    echo "state: { path: $memory/state }" >>"$site/site.yaml"
fi
mkdir "$site/assets/el9"
head -c 100000 /dev/urandom >"$site/assets/el9/vmlinuz"
cat >"$site/policy.lua" <<'LUA'
profile "el9" {
  kernel = "el9/vmlinuz", args = { "ks={{config 'ks.cfg'}}" },
  config = { ["ks.cfg"] = "curl -X POST '{{event \"installed\"}}'\n" },
}
on("boot:kernel", function(machine, event) log.info("kernel of", machine.mac, event.params.what) end)
on("installed", function(machine) emit("report", machine, { what = "done" }) end)
on("report", function(machine, event) log.info("report of", machine.mac, event.params.what) end)
serve "/stuck" (function()
  local list = {}
  for i, machine in ipairs(machines.stuck(0)) do list[i] = machine.mac .. " " .. machine.at .. "\n" end
  return table.concat(list)
end)
serve "/emit" (function() emit("report", "52:54:00:00:00:01"); return "ok\n" end)
rule "all" { match = { mac = prefix "52:54:00" }, boot = "el9" }
LUA
start_service
moonboot() {
    local command=$1
    shift
    timeout 20 "$BUILD/moonboot" "$command" -c "$site/site.yaml" "$@"
}
mac=52:54:00:00:00:01
knows() { # knows TEXT: what is recorded of the machine has it
    moonboot machine $mac >"$site/out" 2>&1 && grep -qF -- "$1" "$site/out"
}

# --- one boot ---------------------------------------------------------------------------------
check "it is offered a boot" python3 "$here/dhcp_client.py" 127.0.0.1 $dhcp_port 1
wait_for "which is recorded" 5 knows "boot:offered boot el9"
fetch "/ipxe?mac=$mac&arch=efi-x64" >"$site/script"
wait_for "so is its script" 5 knows "boot:script boot el9 from 127.0.0.1"
check "who has not fetched the kernel is stuck" grep -q "^$mac .*boot:script" <(moonboot machines --stuck 0)
check "but not for an hour yet" [ -z "$(moonboot machines --stuck 1h)" ]
fetch /assets/el9/vmlinuz >/dev/null
wait_for "so is its kernel, whichever worker sent it" 5 knows "boot:kernel el9/vmlinuz"
check "the policy is told" grep -q "kernel of $mac el9/vmlinuz" "$log"
check "and can ask who is stuck" [ "$(fetch /stuck)" = "$mac boot:kernel" ]
ks=$(curl -sf "$(grep -o 'http://[^ ]*/ks.cfg' "$site/script" | head -1)")
wait_for "so are its documents" 5 knows "boot:document ks.cfg"
url=$(echo "$ks" | grep -o "http://[^']*")
check "it calls back" curl -sf -X POST "$url"
check "which is recorded with the rest" knows "installed from 127.0.0.1"
check "the policy says more by an event of its own" grep -q "report of $mac done" "$log"
check "which is recorded too" knows "report by the policy"
check "who has called back is not stuck" [ -z "$(moonboot machines --stuck 0)" ]
check "machines: all of them" grep -q "^$mac .*report by the policy" <(moonboot machines)
check "machines MACHINE is the same as machine" [ "$(moonboot machines $mac)" = "$(moonboot machine $mac)" ]
check "in any notation, as JSON" python3 -c "
import json, sys
r = json.loads(sys.argv[1])
names = [e['name'] for e in r['events']]
assert r['id'] == r['mac'] == '$mac' and r['kernel'] == 'el9/vmlinuz' and r['client'] == '127.0.0.1', r
assert names == ['boot:offered', 'boot:script', 'boot:kernel', 'boot:document', 'installed', 'report'], names
assert [e['from'] for e in r['events']] == ['boot'] * 4 + ['machine', 'policy']" "$(moonboot machine --json 525400000001)"
check "nothing is known of others" [ "$(moonboot machine 52:54:00:00:00:77 2>&1; echo $?)" = "moonboot machine: nothing is known of 52:54:00:00:00:77
1" ]
fetch "/ipxe?serial=%ff%fe%1bA" >/dev/null
wait_for "a serial number may be any bytes" 5 moonboot machine serial-hex=fffe1b41
check "the list of them is JSON" python3 -c "
import json, sys
assert json.loads(sys.argv[1])['machines'][-1]['id'] == 'serial-hex=fffe1b41'" "$(moonboot machines --json)"
check "and no control character of theirs reaches a terminal" [ "$(moonboot machine serial-hex=fffe1b41 | grep -c $'\x1b')" = 0 ]
check "a time that is none" grep -q 'found "soon", expected a time' <(moonboot machines --stuck soon 2>&1)
check "emit is not for who only asks" [ "$(curl -so /dev/null -w '%{http_code}' "$base/emit")" = 500 ]
check "but for who posts" curl -sf -X POST "$base/emit"
check "no event that is told has a stage's name" \
    [ "$(moonboot event boot:kernel $mac 2>&1 | grep -c "expected an event's name")" = 1 ]
check "an event that nothing knows is refused, and the nearest is named" [ "$(moonboot event instaled $mac 2>&1; echo $?)" = \
    "moonboot event: $mac: nothing in the policy knows the event \"instaled\" (did you mean \"installed\"?)
1" ]
check "and not recorded" [ "$(moonboot machine $mac | grep -c instaled)" = 0 ]
check "one that something knows is taken in" moonboot event installed $mac
check "that of a policy is not served without http.admin" [ "$(curl -so /dev/null -w '%{http_code}' "$base/api/v1/machines")" = 404 ]

# --- who may ask, and for 10,000 ----------------------------------------------------------------
stop_service
python3 - "$site/many.jsonl" <<'PY'
import json, sys
with open(sys.argv[1], "w") as out:
    for i in range(10000):
        mac = "02:00:00:%02x:%02x:%02x" % (i >> 16, i >> 8 & 255, i & 255)
        events = [{"name": "boot:script", "time": 1795700000, "from": "boot", "client": "10.0.0.9", "what": "boot el9"},
                  {"name": "boot:kernel", "time": 1795700009, "from": "boot", "client": "10.0.0.9", "what": "el9/vmlinuz"}]
        if i % 100:
            events.append({"name": "installed", "time": 1795700999, "from": "machine", "client": "10.0.0.9"})
        record = {"mac": mac, "uuid": "00112233-4455-6677-8899-%012x" % i, "client": "10.0.0.9", "kernel": "el9/vmlinuz",
                  "events": events * 3}
        print(json.dumps({"key": "machine/" + mac, "value": record}), file=out)
PY
moonboot state import <"$site/many.jsonl" >/dev/null
hash=$("$BUILD/moonboot" keygen --bearer "$site/admin" 2>/dev/null)
token=$(cat "$site/admin.token")
sed -i "s|^  assets: assets|&\n  admin: { listen: [\"127.0.0.1:18081\"], token: '$hash' }|" "$site/site.yaml"
start_service
status_of() {
    curl -so /dev/null --max-time 10 -w '%{http_code}' "$@"
}
api() { # api QUERY-OR-ID
    curl -sf --max-time 10 "$admin/api/v1/machines$1"
}
check "strangers may not ask" [ "$(status_of "$base/api/v1/machines")" = 401 ]
check "nor with another token" [ "$(status_of -H "Authorization: Bearer x$token" "$base/api/v1/machines/$mac")" = 401 ]
sleep 1.1 # tokens that are not known yet are looked at once a second
check "who has the token may" [ "$(status_of -H "Authorization: Bearer $token" "$base/api/v1/machines")" = 200 ]
check "and who comes by the address for that" [ "$(status_of "$admin/api/v1/machines/$mac")" = 200 ]
check "where nothing else is served" [ "$(status_of "$admin/stuck")" = 404 ]
check "one machine, with what it did" grep -q '"id":"52:54:00:00:00:01".*"boot:kernel".*"installed"' <(api /$mac)
check "none is 404" [ "$(status_of "$admin/api/v1/machines/02:00:00:77:77:77")" = 404 ]
check "a HEAD is a GET" [ "$(status_of -I "$admin/api/v1/machines")" = 200 ]
check "a POST is not" [ "$(status_of -X POST "$admin/api/v1/machines")" = 405 ]
check "a parameter that there is not" [ "$(status_of "$admin/api/v1/machines?stuk=1")" = 400 ]

python3 "$here/ask_all.py" "$base" 99 400 >"$site/alone"
(while [ ! -e "$site/enough" ]; do moonboot machines --json >"$site/all.json"; done) &
pages=$!
sleep 0.3
python3 "$here/ask_all.py" "$base" 99 400 >"$site/times"
touch "$site/enough"
wait $pages
read -r median p99 <"$site/times"
echo "# while 10,000 machines are listed again and again, decisions take $median ms, p99 $p99 ms (alone: $(cat "$site/alone"))"
check "nobody is held up" [ "${p99%.*}" -lt 100 ]
check "the list has all of them" python3 -c "
import json, sys
ids = [m['id'] for m in json.load(open(sys.argv[1]))['machines']]
assert sum(i.startswith('02:00') for i in ids) == 10000 and ids == sorted(ids), len(ids)" "$site/all.json"
cat >"$site/pages.py" <<'PY'
import json, sys, urllib.request
def pages(query):
    after = ""
    while after is not None:
        page = json.load(urllib.request.urlopen(sys.argv[1] + "/api/v1/machines?" + query + ("&after=" + after if after else "")))
        yield page
        after = page["next"]
seen = [m["id"] for page in pages("limit=100") for m in page["machines"]]
assert sum(i.startswith("02:00") for i in seen) == 10000 and seen == sorted(set(seen)), len(seen)
stuck = [m for page in pages("stuck=60") for m in page["machines"]]
assert sum(m["id"].startswith("02:00") and m["stuck"] == "boot:kernel" for m in stuck) == 100, len(stuck)
PY
check "so have the pages of the API" python3 "$site/pages.py" "$admin"
check "the policy finds the stuck ones too" [ "$(fetch /stuck | grep -c '^02:00')" = 100 ]

# --- an end -------------------------------------------------------------------------------------
for n in 0 1 2 3; do
    curl -so /dev/null --max-time 20 "$base/ipxe?mac=52:54:00:a$n:[10-19]:[10-39]" &
    asks[n]=$!
done
wait "${asks[@]}"
stop_service
start_service
recorded=$(moonboot machines | grep -c '^52:54:00:a')
check "what was seen just before an end is recorded ($recorded of 1200)" [ "$recorded" = 1200 ]

# --- turned off ---------------------------------------------------------------------------------
stop_service
sed -i 's/^\(state: .*\) }/\1, stages: false }/' "$site/site.yaml"
start_service
fetch "/ipxe?mac=52:54:00:00:00:55" >/dev/null
sleep 0.5
check "stages: false records none" [ "$(moonboot machine 52:54:00:00:00:55 >/dev/null 2>&1; echo $?)" = 1 ]
stop_service

# --- no store -----------------------------------------------------------------------------------
sed -i '/^state: /d' "$site/site.yaml"
echo 'rule "all" { boot = disk }' >"$site/policy.lua"
start_service
says_nothing_is_kept() { # says_nothing_is_kept COMMAND…: with exit code 1
    moonboot "$@" >"$site/out" 2>&1
    [ "$? $(cat "$site/out")" = "1 moonboot $1: this site remembers nothing: \`state\` in site.yaml names where it is kept" ]
}
check "without a store: machines" says_nothing_is_kept machines
check "without a store: machines --stuck" says_nothing_is_kept machines --stuck 10m
check "without a store: machines --json" says_nothing_is_kept machines --json
check "without a store: machine" says_nothing_is_kept machine $mac
check "without a store: status" grep -q '^state       none: ' <(moonboot status)
check "without a store: status --json" grep -q '"state_store":null' <(moonboot status --json)
stop_service
finish
