#!/bin/bash
# The control socket: status, reload, top; what reaches a worker; what a bad peer can do.
set -u
here=$(cd "$(dirname "$0")" && pwd)
# A /run of its own, where it may have one: a service on the default socket.
if [ "$(id -u)" = 0 ] && [ -z "${OWN_MOUNTS:-}" ] && unshare --mount true 2>/dev/null; then
    OWN_MOUNTS=1 exec unshare --mount -- "$0" "$@"
fi
# shellcheck source=tests/e2e/lib.sh
. "$here/lib.sh"

moonboot() { # moonboot COMMAND…: on this site; output in $site/out and $site/err
    timeout 120 "$BUILD/moonboot" "$@" -c "$site/site.yaml" >"$site/out" 2>"$site/err"
}
status() { # status PATH…: a value of `status --json`
    timeout 20 "$BUILD/moonboot" status --json -c "$site/site.yaml" | python3 -c '
import json, sys
value = json.load(sys.stdin)
for key in sys.argv[1:]:
    value = value[int(key) if key.lstrip("-").isdigit() else key]
print(json.dumps(value) if isinstance(value, (dict, list)) else value)' "$@"
}
worker_now() { # the process of a worker of the generation in force
    timeout 20 "$BUILD/moonboot" status --json -c "$site/site.yaml" | python3 -c '
import json, sys
status = json.load(sys.stdin)
print([w["pid"] for w in status["workers"]
       if w["state"] == "serving" and w["generation"] == status["generation"]["number"]][-1])'
}
ask() { # ask LINE: one command, as any program would send it
    python3 -c '
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.settimeout(20)
s.connect(sys.argv[1])
s.sendall(sys.argv[2].encode() + b"\n")
print(s.makefile().read(), end="")' "$site/control.sock" "$1"
}
policy() {
    echo "profile \"p\" { kernel = \"$1\" } rule \"all\" { boot = \"p\" }" >"$site/policy.lua"
}

make_site
policy one
start_service

check "the socket is its owner's alone" [ "$(stat -c %a "$site/control.sock")" = 600 ]
check "status" moonboot status
check "status shows the generation" grep -q '^generation  1, loaded .* at the start$' "$site/out"
check "status --json: the service's process" [ "$(status pid)" = "$service" ]
check "status --json: lua/cli/README.md has its keys" python3 -c '
import json, subprocess, sys
status = json.loads(subprocess.check_output(sys.argv[2:]))
page = open(sys.argv[1]).read()
page = page[page.index("## status, reload, top"):page.index("## state")]
keys = set(status) | {key for part in ("generation", "workers", "sockets")
                      for one in (status[part] if isinstance(status[part], list) else [status[part]]) for key in one}
missing = [key for key in keys if f"`{key}`" not in page]
assert not missing and len(keys) > 20, missing' "$here/../../lua/cli/README.md" "$BUILD/moonboot" status --json -c "$site/site.yaml"
check "status --json: nothing was refused" [ "$(status refused)" = None ]
check "status --json: the hash is that of the log" grep -q "($(status generation hash))" "$log"
check "status --json: both workers serve" [ "$(status workers | grep -o '"state": "serving"' | wc -l)" = 2 ]
check "status --json: the sockets" [ "$(status sockets 1 port)" = "$http_port" ]

policy two
before=$(status generation hash)
check "reload: exit code 0" moonboot reload
check "reload: says what serves" grep -qx 'generation 2 serves' "$site/out"
check "reload: the policy decides" sh -c "curl -sf '$base/ipxe?mac=52:54:00:00:00:01&platform=pcbios' | grep -q two"
check "reload: by whom" [ "$(status generation by kind)" = control ]
check "reload: by which user" [ "$(status generation by uid)" = "$(id -u)" ]
check "reload: another hash" [ "$(status generation hash)" != "$before" ]

kill -HUP "$service"
wait_for "SIGHUP: a third generation" 10 sh -c "'$BUILD/moonboot' status -c '$site/site.yaml' | grep -q '^generation  3, .* by SIGHUP from process $$ '"

printf 'rule "broken" { mtach = {} }\nprofle "x" {}\n' >"$site/policy.lua"
moonboot reload
check "a bad policy: exit code 1" [ $? = 1 ]
check "a bad policy: every error, with file and line" [ "$(grep -c 'policy.lua:[12]: ' "$site/err")" -ge 2 ]
check "a bad policy: says what goes on" grep -qx 'refused: generation 3 goes on serving' "$site/err"
check "status keeps the errors of the refusal" sh -c "'$BUILD/moonboot' status -c '$site/site.yaml' | grep -q '^ *.*policy.lua:2: .*profle'"
policy four
cp "$site/site.yaml" "$site/good.yaml"
echo 'nonsense: 1' >>"$site/site.yaml"
moonboot reload
check "a bad site.yaml: the socket is found all the same" [ $? = 1 ]
check "a bad site.yaml: its error" grep -q 'site.yaml:.*unknown key `nonsense`' "$site/err"
cp "$site/good.yaml" "$site/site.yaml"
sed -i 's/^workers: 2/workers: 1/' "$site/site.yaml"
check "what takes effect at a restart: loaded" moonboot reload
check "and warned of" grep -qx "warning: $site/site.yaml: \`workers\` takes effect at a restart; 2 go on" "$site/err"
check "and in the log" grep -q 'warn .*`workers` takes effect at a restart; 2 go on' "$log"
check "and in status" sh -c "'$BUILD/moonboot' status -c '$site/site.yaml' | grep -q '^warnings .*takes effect at a restart'"
cp "$site/good.yaml" "$site/site.yaml"
check "a good one again" moonboot reload
check "without a warning" [ ! -s "$site/err" ]
check "the refusal is still known" [ "$(status refused by kind)" = control ]

cat >"$site/policy.lua" <<'LUA'
local n = 0
profile "p" { kernel = "five" }
rule "first" { match = { arch = "efi-arm64" }, boot = function(m) return m.serial.x.y end }
rule "second" { boot = function() n = n + 1 return n == 1 and "p" or ignore end }
LUA
check "a policy that throws at once is loaded" moonboot reload
check "and warned of, with file and line" grep -q '^warning: .*policy.lua:3: .*efi-arm64' "$site/err"
check "and in status" sh -c "'$BUILD/moonboot' status -c '$site/site.yaml' | grep -q '^warnings .*policy.lua:3: '"
check "the trial has left no trace in the policy" sh -c "curl -sf '$base/ipxe?mac=52:54:00:00:00:01&platform=pcbios' | grep -q five"
check "nor is it counted" [ "$(fetch /metrics | sed -n 's/^moonboot_decision_errors_total //p')" = 0 ]

sed -i 's/^interfaces: .*/interfaces: [lo, l0]/; s/enabled: false/enabled: true/' "$site/site.yaml"
check "an interface that is not there is no error" moonboot reload
check "but warned of" grep -q '^warning: .*site.yaml:2:18: `interfaces`: there is no l0: ' "$site/err"
check "in the log" grep -q 'warn  .*there is no l0' "$log"
check "and in status" sh -c "'$BUILD/moonboot' status -c '$site/site.yaml' | grep -q '^warnings .*there is no l0'"
sed -i 's/^  listen: \(.*\)\]/  listen: \1, "127.0.0.1:'"$http_port"'"]/' "$site/site.yaml"
moonboot reload
check "an address twice is refused for what it is" grep -q 'site.yaml:.*`http.listen`: 127.0.0.1:.* is there already, in `http.listen`' "$site/err"
cp "$site/good.yaml" "$site/site.yaml"

policy six
echo 'watch: true' >>"$site/site.yaml"
moonboot reload
before=$(status generation number)
policy seven
wait_for "watch: a changed policy is loaded" 10 sh -c "curl -sf '$base/ipxe?mac=52:54:00:00:00:01&platform=pcbios' | grep -q seven"
check "watch: by whom" sh -c "'$BUILD/moonboot' status -c '$site/site.yaml' | grep -q 'as $site/policy.lua has changed'"
sleep 1
check "watch: once" [ "$(status generation number)" = $((before + 1)) ]
echo 'rule "broken" {' >"$site/policy.new" && mv "$site/policy.new" "$site/policy.lua"
wait_for "watch: a bad one is refused" 10 sh -c "'$BUILD/moonboot' status -c '$site/site.yaml' | grep -q '^refused .* as .*policy.lua has changed'"
policy eight
wait_for "watch: and mended" 10 sh -c "curl -sf '$base/ipxe?mac=52:54:00:00:00:01&platform=pcbios' | grep -q eight"
while sleep 0.1; do echo >"$site/busy"; done &
busy=$!
sed -i 's/eight/nine/' "$site/policy.lua"
wait_for "watch: in a directory where something is written all the time" 10 sh -c "curl -sf '$base/ipxe?mac=52:54:00:00:00:01&platform=pcbios' | grep -q nine"
kill "$busy"
cp "$site/good.yaml" "$site/site.yaml"
wait_for "watch: site.yaml too" 10 sh -c "'$BUILD/moonboot' status -c '$site/site.yaml' | grep -q 'as $site/site.yaml has changed'"

pids=()
for _ in 1 2 3 4 5; do
    moonboot reload &
    pids+=($!)
done
wait "${pids[@]}"
check "reloads at once: all end, and serve" [ "$(status state)" = serving ]

check "top --once" moonboot top --once
check "top shows rates" grep -q '^decisions .*/s' "$site/out"
check "top fits into 80 columns" [ "$(awk 'length > 80' "$site/out" | wc -l)" = 0 ]

check "a worker answers what the supervisor does not know" sh -c "echo '$(ask worker)' | grep -q '\"slot\":'"
check "by turns" [ "$(for _ in 1 2 3 4; do ask worker; done | sort -u | wc -l)" = 2 ]
check "no such command" sh -c "echo '$(ask "nonsense x")' | grep -q 'there is no command'"

# Peers that only connect, and one that floods.
python3 - "$site/control.sock" <<'PYTHON' &
import socket, sys, time
peers = []
for _ in range(40):
    s = socket.socket(socket.AF_UNIX)
    s.connect(sys.argv[1])
    peers.append(s)
peers[0].sendall(b"x" * 5000)
time.sleep(60)
PYTHON
silent=$!
sleep 0.5
check "silent peers: machines are served" fetch /readyz
check "silent peers: who asks is answered in the end" [ "$(status state)" = serving ]
kill "$silent"

victim=$(worker_now)
kill -9 "$victim"
wait_for "a killed worker is counted" 10 sh -c "'$BUILD/moonboot' status -c '$site/site.yaml' --json | grep -q '\"restarts\":1'"

if [ "$(id -u)" = 0 ]; then
    sed -i '$ a control_group: nogroup' "$site/site.yaml"
    check "a group may be let in" moonboot reload
    check "a group: mode 0660" [ "$(stat -c %a-%G "$site/control.sock")" = 660-nogroup ]
    cp "$site/good.yaml" "$site/site.yaml"
else
    skip "control_group" "not root"
fi

# What a worker holds: no socket of another, no directory of policies, nothing of the supervisor's.
worker=$(worker_now)
open_files=$(for fd in "/proc/$worker/fd"/*; do readlink "$fd"; done)
check "workers hold no directory but what they serve" \
    [ "$(grep -c "^$site" <<<"$open_files")" -le 4 ]
check "workers do not hold the policy's directory" sh -c "! grep -qx '$site' <<'X'
$open_files
X"
of_the_network=0
for inode in $(sed -n 's/^socket:\[\(.*\)\]$/\1/p' <<<"$open_files"); do
    cat "/proc/$worker/net/tcp" "/proc/$worker/net/udp" | awk '{ print $10 }' | grep -qx "$inode" &&
        of_the_network=$((of_the_network + 1))
done
check "workers hold one HTTP and one TFTP socket" [ "$of_the_network" = 2 ]

check "workers leave no core" grep -qE '^Max core file size +0 +0 ' "/proc/$worker/limits"
if [ "$BUILD" = "${BUILD%-sanitize}" ]; then
    check "workers are confined" grep -qE '^Seccomp:.2$' "/proc/$worker/status"
    kill -SYS "$worker"
    wait_for "a worker that is ended so is replaced" 10 grep -q "pid $worker) was ended by signal 31" "$log"
else
    check "with AddressSanitizer: workers are not confined" grep -qE '^Seccomp:.0$' "/proc/$worker/status"
fi
echo 'sandbox: off' >>"$site/site.yaml"
check "sandbox: off" moonboot reload
check "sandbox: off: they are not confined" grep -qE '^Seccomp:.0$' "/proc/$(worker_now)/status"
cp "$site/good.yaml" "$site/site.yaml"

kill -9 "$service"
wait "$service" 2>/dev/null
check "the supervisor killed: its socket is left" [ -S "$site/control.sock" ]
moonboot status
check "no service: exit code 1" [ $? = 1 ]
check "no service: says so" grep -q 'is the service running' "$site/err"
start_service
check "a stale socket is taken over" moonboot status
timeout 20 "$BUILD/moonboot" serve -c "$site/site.yaml" >"$site/second" 2>&1
check "a second service does not take it" grep -q 'another service answers there\|already in use' "$site/second"
check "the first still has it" moonboot status
stop_service
check "SIGTERM: no socket stays" [ ! -e "$site/control.sock" ]

# --- where a site names none --------------------------------------------------------------------
default_site() { # default_site [LINE]: without `control`
    sed '/^control:/d' "$site/good.yaml" >"$site/site.yaml"
    [ $# = 0 ] || echo "$1" >>"$site/site.yaml"
}
as() { # as GROUP COMMAND…: user nobody's, in that group alone
    local group=$1
    shift
    timeout 120 setpriv --reuid=nobody --regid="$group" --clear-groups "$BUILD/moonboot" "$@" >"$site/out" 2>"$site/err"
}
fails() { # fails COMMAND…: with exit code 1
    "$@"
    [ $? = 1 ]
}
nope() { # nope COMMAND…: of a site that there is not
    fails timeout 20 "$BUILD/moonboot" "$@" -c "$site/nope.yaml" >"$site/out" 2>"$site/err"
}
cp "$site/good.yaml" "$site/site.yaml"
policy ten
if [ -n "${OWN_MOUNTS:-}" ] && mount -t tmpfs -o mode=755 none /run; then
    default_site 'control_group: nogroup'
    start_service
    check "root: the default socket" [ "$(stat -c %a-%G /run/moonboot.sock)" = 660-nogroup ]
    check "its group: status" as nogroup status -c "$site/site.yaml"
    check "its group: reload" as nogroup reload -c "$site/site.yaml"
    check "its group: whoever asks, without a site too" as nogroup status
    check "another group: refused" fails as daemon status
    check "another group: says who may" \
        grep -qx 'moonboot status: /run/moonboot.sock: Permission denied: root, its owner and members of `control_group` may use it' "$site/err"
    before=$(status generation number)
    check "a site that there is not: reload" nope reload
    check "a site that there is not: says so" grep -qx "moonboot reload: $site/nope.yaml: No such file or directory" "$site/err"
    check "a site that there is not: reload reaches nobody" [ "$(status generation number)" = "$before" ]
    check "a site that there is not: event" nope event reinstall 52:54:00:00:00:01
    check "a site that there is not: status" nope status
    check "a directory is no site" fails timeout 20 "$BUILD/moonboot" status -c "$site"
    echo 'nonsense: [' >>"$site/site.yaml"
    check "a broken site has the default socket" timeout 20 "$BUILD/moonboot" status -c "$site/site.yaml"
    stop_service
    default_site
    moonboot status
    check "no service there: says so" grep -qx 'moonboot status: /run/moonboot.sock: No such file or directory: is the service running?' "$site/err"
    mkdir -m 755 /run/moonboot
    chown nobody:nogroup /run/moonboot
    start_service setpriv --reuid=nobody --regid=nogroup --clear-groups env RUNTIME_DIRECTORY=/run/moonboot:/run/other
    check "a service manager's directory: its socket" [ -S /run/moonboot/control.sock ]
    check "a service manager's directory: status" moonboot status
    check "a service manager's directory: nothing is amiss" sh -c "! grep -q 'control socket' '$log'"
    stop_service
    start_service setpriv --reuid=nobody --regid=nogroup --clear-groups
    check "no socket: said" grep -q 'info .*there is no control socket .*`control` in .*site.yaml names one' "$log"
    kill -HUP "$service"
    wait_for "no socket: a reload" 10 grep -q 'ready: generation 2' "$log"
    check "no socket: said once" [ "$(grep -c 'no control socket' "$log")" = 1 ]
    stop_service
    mount -o remount,ro /run
    mount -t tmpfs -o mode=755 none /run/moonboot
    start_service env RUNTIME_DIRECTORY=/run/moonboot
    check "root, where /run cannot be written: status" moonboot status
    stop_service
else
    skip "the default socket" "no /run of its own"
fi
finish
