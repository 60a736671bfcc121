#!/bin/bash
# The decision log of a running service: its lines against their schema, rotation, a full disk.
set -u
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/e2e/lib.sh
. "$here/lib.sh"

dhcp_enabled=true
make_site
lines=$site/decisions.jsonl
echo "log: { decisions: decisions.jsonl }" >>"$site/site.yaml"
cat >"$site/policy.lua" <<'LUA'
profile "p" { kernel = "vmlinuz", config = { ["user-data"] = "{{serial or mac}}" }, files = { ["x.cfg"] = false } }
rule "by name" { match = { stage = "tftp", interface = "lo" }, boot = "p" }
rule "broken" { match = { serial = "B" }, boot = function() error "oops" end, on_error = disk }
rule "not ours" { match = { vlan = 13 }, boot = deny "no {{mac}}" }
rule "away" { match = { serial = "C" }, boot = chain "http://u:pw@x/?token=geheim" }
rule "all" { match = { mac = prefix "52:54:00" }, boot = "p" }
serve "/own/:name" (function(request) return request.params.name end)
LUA
metric() {
    fetch /metrics | sed -n "s/^moonboot_decision_log_lines_total{result=\"$1\"} //p"
}
count() { # count FILE: its lines
    wc -l <"$1"
}
valid() { # valid FILE: every line is as the schema says
    python3 - "$here/../../core/decision_log.schema.json" "$1" <<'PY'
import json, sys
import jsonschema
schema = json.load(open(sys.argv[1]))
jsonschema.Draft7Validator.check_schema(schema)
check = jsonschema.Draft7Validator(schema)
lines = open(sys.argv[2], encoding="utf-8").read().split("\n")
assert lines.pop() == "" and lines
bad = 0
for n, line in enumerate(lines, 1):
    for error in check.iter_errors(json.loads(line)):
        print(f"line {n}: {error.message}: {line}")
        bad += 1
sys.exit(bad > 0)
PY
}
stages() { # those that occur
    python3 -c 'import json, sys; print(*sorted({json.loads(l)["stage"] for l in open(sys.argv[1])}))' "$lines"
}
mac=52:54:00:00:00:01
machine="mac=$mac&serial=S1&platform=efi&buildarch=x86_64&uuid=4c4c4544-0052-3510-8051-b4c04f4e3732"

start_service
python3 "$here/dhcp_client.py" 127.0.0.1 $dhcp_port 2 >/dev/null
fetch "/ipxe?$machine&row=b&x=%ff%00&circuit_id-hex=00ff&token=geheim" >/dev/null
fetch "/ipxe?mac=zz" >/dev/null
fetch "/ipxe?serial=B" >/dev/null
fetch "/ipxe?serial=C" >/dev/null
fetch "/ipxe?mac=$mac&vlan=13" >/dev/null
fetch "/grub?$machine" >/dev/null
fetch "/config/user-data?$machine" >/dev/null
fetch "/pxelinux.cfg/01-52-54-00-00-00-01" >/dev/null
fetch "/v1/boot/$mac" >/dev/null
fetch "/own/x?$machine" >/dev/null
curl -s "tftp://127.0.0.1:$tftp_port/x.cfg" >/dev/null
curl -s -G --data-urlencode "serial=a\"b\\c$(printf '\x01\x7f')é" "$base/ipxe" >/dev/null
label=$(head -c 900 /dev/zero | tr '\0' x)
for i in $(seq 20); do echo "data=label$i=$label"; done | curl -s -G -K - "$base/ipxe" >/dev/null
check "lines are as their schema says" valid "$lines"
valid "$lines" | sed 's/^/# /'
check "stages: $(stages)" [ "$(stages)" = "config dhcp grub ipxe pixiecore pxelinux serve tftp" ]
check "secrets are masked, here and in the log" sh -c "! grep -q 'geheim\|:pw@' '$lines' '$log'"
check "and seen to be" grep -q '"token":"•••"' "$lines"
check "an error with file and line" grep -q '"error":"[^"]*policy.lua:3: oops"' "$lines"
check "all lines are counted" [ "$(metric written)" = "$(count "$lines")" ]
check "none is lost" [ "$(metric lost)" = 0 ]
check "only its owner and group may read it" [ "$(stat -c %a "$lines")" = 640 ]

before=$(count "$lines")
for _ in 1 2 3 4; do
    for _ in $(seq 50); do echo "url=$base/ipxe?mac=$mac"; done | curl -s -K - >/dev/null &
    pids="${pids:-} $!"
done
# shellcheck disable=SC2086 # a list
wait $pids
check "two workers, four clients: each line whole" valid "$lines"
check "and none missing" [ "$(count "$lines")" = $((before + 200)) ]

mv "$lines" "$lines.0"
kill -USR1 "$service"
wait_for "SIGUSR1: it is opened anew" 10 grep -q 'decision log of generation 1 is opened anew' "$log"
before=$(count "$lines.0")
for _ in $(seq 20); do echo "url=$base/ipxe?mac=$mac"; done | curl -s -K - >/dev/null
wait_for "SIGUSR1: all workers write to it" 5 sh -c "[ \$(wc -l <'$lines') = 20 ]"
check "SIGUSR1: and none to the old file" [ "$(count "$lines.0")" = "$before" ]
old=$before
workers() { # the pids of workers: children with an event loop
    local pid fd
    for pid in $(pgrep -P "$service"); do
        for fd in "/proc/$pid/fd"/*; do
            [[ $(readlink "$fd" 2>/dev/null) == *eventpoll* ]] && echo "$pid"
        done
    done | sort -u
}
for pid in $(workers); do kill -9 "$pid"; done
wait_for "all workers are replaced" 10 sh -c "curl -sf $base/metrics | grep -q '^moonboot_workers_restarted_total 2'"
before=$(count "$lines")
fetch "/ipxe?mac=$mac" >/dev/null
fetch "/ipxe?mac=$mac" >/dev/null
wait_for "and write there too" 5 sh -c "[ \$(wc -l <'$lines') = $((before + 2)) ]"
check "not to the old file" [ "$(count "$lines.0")" = "$old" ]
mv "$lines" "$lines.1"
mkdir "$lines"
kill -USR1 "$service"
wait_for "SIGUSR1: what cannot be opened leaves things as they are" 10 grep -q 'decision log goes on in the old file' "$log"
before=$(count "$lines.1")
fetch "/ipxe?mac=$mac" >/dev/null
check "and is written on" [ "$(count "$lines.1")" = $((before + 1)) ]
rmdir "$lines"
kill -HUP "$service"
wait_for "SIGHUP: it is opened anew" 10 test -f "$lines"
wait_for "by generation 2" 10 sh -c "curl -sf $base/metrics | grep -q '^moonboot_generation 2'"
fetch "/ipxe?mac=$mac" >/dev/null
check "and written to" grep -q '"generation":2' "$lines"

sed -i "s|^log:.*|log: { decisions: nonesuch/x }|" "$site/site.yaml"
kill -HUP "$service"
wait_for "a file that cannot be made is refused" 10 grep -q 'decisions: nonesuch/x.*No such file' "$log"
fetch "/ipxe?mac=$mac" >/dev/null
check "and the old one goes on" [ "$(count "$lines")" = 2 ]

if [ "$(id -u)" = 0 ] && mkdir "$site/small" && mount -t tmpfs -o size=64k,mode=755 tmpfs "$site/small" 2>/dev/null; then
    sed -i "s|^log:.*|log: { decisions: small/decisions }|" "$site/site.yaml"
    kill -HUP "$service"
    wait_for "a small disk" 10 test -f "$site/small/decisions"
    wait_for "is taken" 10 sh -c "curl -sf $base/metrics | grep -q '^moonboot_generation 3'"
    for _ in $(seq 400); do echo "url=$base/ipxe?mac=$mac"; done | curl -sf -K - >"$site/answers"
    check "a full disk: every machine is answered" [ "$(grep -c '^#!ipxe' "$site/answers")" = 400 ]
    check "a full disk: what is lost is counted" [ "$(metric lost)" -gt 0 ]
    : >"$site/small/decisions"
    fetch "/ipxe?mac=$mac" >/dev/null
    fetch "/ipxe?mac=$mac" >/dev/null
    fetch "/ipxe?mac=$mac" >/dev/null
    check "room again: lines again" grep -q "^{.*\"machine\":\"$mac\".*}$" "$site/small/decisions"
    stop_service
    umount "$site/small"
else
    skip "a full disk" "not root, or no tmpfs"
fi
finish
