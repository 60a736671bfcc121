#!/bin/bash
# Faults: the supervisor killed under load, a full disk, no descriptors left, a clock that jumps, interfaces that come, go and
# change, a bad wire, 200 SIGHUPs. Needs root: namespaces.
# shellcheck disable=SC2317 # functions are called by way of check
set -u
here=$(cd "$(dirname "$0")" && pwd)
if [ "$(id -u)" != 0 ]; then
    echo "skipped - faults: needs root"
    exit 0
fi
# A file system of its own too, for a disk that is full.
if [ -z "${OWN_MOUNTS:-}" ]; then
    OWN_MOUNTS=1 exec unshare --mount -- "$0" "$@"
fi
# shellcheck source=tests/e2e/lib.sh
. "$here/lib.sh"
root=$(cd "$here/../.." && pwd)

metric() { fetch /metrics | sed -n "s/^$1 //p"; }
gone() { ! grep -qv '^State:.Z' <(grep '^State' "/proc/$1/status" 2>/dev/null); }
children() { pgrep -P "$service"; }
workers() {
    local pid fd
    for pid in $(children); do
        for fd in "/proc/$pid/fd"/*; do
            [[ $(readlink "$fd" 2>/dev/null) == *eventpoll* ]] && echo "$pid"
        done
    done | sort -u
}
answers() { fetch "/ipxe?mac=52:54:00:00:00:01&platform=efi&buildarch=x86_64" | grep -q mac=52:54:00:00:00:01; }
policy() {
    cat >"$site/policy.new" <<LUA
profile "p" { kernel = "vmlinuz", args = { "mac={{mac}}" } }
rule "all" { match = { mac = prefix "52:54:00" }, boot = "p" }
LUA
    [ "${1:-good}" = good ] || echo 'rule "broken" {' >>"$site/policy.new"
    mv "$site/policy.new" "$site/policy.lua"
}
end_service() {
    kill -TERM "$service"
    wait "$service" 2>/dev/null
    service=
}

dhcp_enabled=true
make_site
head -c 3000000 /dev/urandom >"$site/assets/large"
head -c 20000000 /dev/urandom >"$site/assets/larger"
head -c 5000 /dev/urandom >"$site/tftp/small"
head -c 400000 /dev/urandom >"$site/tftp/medium"
head -c 60000 /dev/urandom >"$site/tftp/sixty"
policy

echo "# the supervisor is killed under load"
start_service
python3 "$here/mix.py" "$site" 3 >"$site/mix" 2>&1 &
mix=$!
curl -s --limit-rate 8M "$base/assets/larger" -o "$site/got" &
download=$!
sleep 1
old=$(children)
kill -9 "$service"
wait "$service" 2>/dev/null
start_service
check "a new supervisor serves at once" answers
wait "$download"
check "a download in flight at its end is whole" cmp -s "$site/assets/larger" "$site/got"
wait "$mix"
sed 's/^/# /' "$site/mix" | head -n 1
check "what was answered was right" grep -q ', 0 wrong' "$site/mix"
for pid in $old; do
    wait_for "process $pid of the old one ends" 10 gone "$pid"
done

echo "# 200 SIGHUPs under load, every third policy is broken"
fds=$(find "/proc/$service/fd" -mindepth 1 | wc -l)
python3 "$here/mix.py" "$site" 8 >"$site/mix" 2>&1 &
mix=$!
for ((i = 0; i < 200; i++)); do
    [ $((i % 3)) = 1 ] && policy broken || policy
    kill -HUP "$service"
    sleep 0.03
done
policy
wait "$mix"
status=$?
sed 's/^/# /' "$site/mix"
check "nothing was lost, nothing wrong" [ $status = 0 ]
before=$(metric moonboot_generation)
kill -HUP "$service"
wait_for "the next reload takes effect" 20 sh -c "[ \$(curl -sf $base/metrics | sed -n 's/^moonboot_generation //p') -gt $before ]"
wait_for "two workers and their nursery remain" 40 sh -c "[ \$(pgrep -P $service | wc -l) = 3 ]"
check "no descriptor was lost" [ "$(find "/proc/$service/fd" -mindepth 1 | wc -l)" -le $((fds + 1)) ]

echo "# no descriptors are left"
end_service
start_service prlimit --nofile=64:64 setpriv --bounding-set=-sys_resource
worker=$(workers | head -n 1)
check "it may have few" grep -q '^Max open files *64 ' "/proc/$worker/limits"
python3 - "$http_port" <<'PY' &
import socket, sys, time
held = []
for _ in range(150):
    s = socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=2)
    s.sendall(b"GET / HTTP/1.1\r\n")
    held.append(s)
time.sleep(3)
PY
holder=$!
sleep 1
busy() { awk '{ print $14 + $15 }' "/proc/$1/stat"; }
before=$(busy "$worker")
sleep 1
check "a worker without descriptors does not spin" [ $(($(busy "$worker") - before)) -lt 50 ]
check "DHCP is answered meanwhile" python3 "$here/dhcp_client.py" 127.0.0.1 "$dhcp_port" 20
wait "$holder"
wait_for "afterwards it serves" 5 answers
check "no worker ended of it" [ "$(metric moonboot_workers_restarted_total)" = 0 ]
end_service
start_service

echo "# a bad wire"
unshare --net sleep 600 &
far=$!
sed -i 's/127.0.0.1:18080/0.0.0.0:18080/' "$site/site.yaml"
kill -HUP "$service"
wait_for "it listens there" 10 sh -c "ss -Hltn 'sport = :18080' | grep -q '0.0.0.0:18080'"
if [ -c /dev/net/tun ]; then
    sleep 0.2
    python3 "$here/bad_wire.py" "$far" 7 >"$site/wire" 2>&1 &
    wire=$!
    wait_for "the wire is up" 5 grep -q up "$site/wire"
    there() { nsenter -t "$far" -n "$@"; }
    for name in small sixty; do
        rm -f "$site/got"
        there timeout 60 curl -s --tftp-blksize 1400 "tftp://10.9.0.1:$tftp_port/$name" -o "$site/got"
        check "TFTP over a bad wire: $name is whole" cmp -s "$site/tftp/$name" "$site/got"
    done
    rm -f "$site/got"
    there timeout 60 curl -s --max-time 60 "http://10.9.0.1:18080/assets/large" -o "$site/got"
    check "HTTP over a bad wire: it is whole" cmp -s "$site/assets/large" "$site/got"
    for part in 0-999999 1000000-1999999 2000000-; do
        there timeout 60 curl -s --max-time 60 -r "$part" "http://10.9.0.1:18080/assets/large"
    done >"$site/got"
    check "HTTP over a bad wire: parts of it are" cmp -s "$site/assets/large" "$site/got"
    kill "$wire"
else
    skip "a bad wire" "/dev/net/tun is missing"
fi
end_service
kill "$far" 2>/dev/null
write_site

echo "# interfaces that come late, change their address, go down and come back"
sed -i 's/^interfaces: .*/interfaces: [late0]/; s/127.0.0.1:18080/0.0.0.0:18080/' "$site/site.yaml"
start_service
check "an interface that is not there yet is no error" answers
check "an interface that is not there yet is warned of" grep -q 'warn  .*site.yaml:[0-9]*:14: `interfaces`: there is no late0' "$log"
ask() { python3 "$here/dhcp_broadcast.py" "$@" "$dhcp_port"; }
unshare --net sleep 600 &
far=$!
sleep 0.2
ip link add late0 type veth peer name far0
ip link set far0 netns "$far"
ip address add 10.8.0.1/24 dev late0
ip link set late0 up
far_in() { nsenter -t "$far" -n "$@"; }
far_in ip link set lo up
far_in ip address add 10.8.0.9/24 dev far0
far_in ip link set far0 up
far_in ip route add default dev far0
server_is() { [ "$(nsenter -t "$far" -n python3 "$here/dhcp_broadcast.py" 10.8.0.9 "$dhcp_port")" = "$1" ]; }
wait_for "an interface that appears late is served" 10 server_is 10.8.0.1
ip address add 10.8.0.2/24 dev late0
ip address del 10.8.0.1/24 dev late0
ip address show dev late0 | grep -q 10.8.0.2 || ip address add 10.8.0.2/24 dev late0
wait_for "its address changes: machines are told the new one" 10 server_is 10.8.0.2
ip link set late0 down
sleep 0.3
check "down: the others are served" answers
ip link set late0 up
wait_for "up again: it is served" 10 server_is 10.8.0.2
ip link del late0
sleep 0.3
ip link add late0 type veth peer name far0
ip link set far0 netns "$far"
ip address add 10.8.0.3/24 dev late0
ip link set late0 up
far_in ip address add 10.8.0.9/24 dev far0
far_in ip link set far0 up
far_in ip route add default dev far0
wait_for "made anew, with another index and address: it is served" 10 server_is 10.8.0.3
check "no worker ended of it" [ "$(metric moonboot_workers_restarted_total)" = 0 ]
end_service
kill "$far" 2>/dev/null
write_site

echo "# a full disk"
mkdir "$site/disk"
mount -t tmpfs -o size=16k none "$site/disk"
"$BUILD/moonboot" serve -c "$site/site.yaml" 2>>"$site/disk/log" &
service=$!
wait_for "it serves" 20 answers
for i in $(seq 400); do fetch "/ipxe?mac=52:54:00:00:00:01&serial=$i" >/dev/null; done
check "the disk is full" sh -c "df --output=avail '$site/disk' | grep -qE '^ *0$'"
check "it serves on" answers
check "a reload takes effect" sh -c "kill -HUP $service; sleep 1; [ \$(curl -sf $base/metrics | sed -n 's/^moonboot_generation //p') = 2 ]"
: >"$site/disk/log"
for i in 1 2 3; do answers; done
check "when there is room again, it says that lines were lost" grep -q 'lines of this log were lost' "$site/disk/log"
end_service
umount "$site/disk"

echo "# a clock that jumps"
faketime=$(find "$root/build/tools/libfaketime" /usr/lib -name libfaketime.so.1 2>/dev/null | head -n 1)
if [ -n "$faketime" ] && ! grep -q sanitize <<<"$BUILD"; then
    echo +0 >"$site/clock"
    echo 'state: { path: state }' >>"$site/site.yaml"
    cat >"$site/policy.lua" <<'LUA'
profile "p" { kernel = "vmlinuz", args = { "mac={{mac}}", 'seed={{config "seed"}}' }, config = { seed = "grown" } }
rule "all" { match = { mac = prefix "52:54:00" }, boot = "p" }
serve "/put" (function () return state.set("k", "v", { ttl = 3600 }) and "put" end)
serve "/get" (function () return state.get "k" or "none" end)
LUA
    start_service env LD_PRELOAD="$faketime" FAKETIME_TIMESTAMP_FILE="$site/clock" FAKETIME_NO_CACHE=1 FAKETIME_DONT_FAKE_MONOTONIC=1
    supervisor=$(pgrep -f "^$BUILD/moonboot serve -c $site/site.yaml" | head -n 1)
    curl -s --limit-rate 8M "$base/assets/larger" -o "$site/got" &
    download=$!
    for jump in +3650d -3650d +1d; do
        echo "$jump" >"$site/clock"
        sleep 1
        check "the clock jumps by $jump: HTTP is answered" answers
        check "the clock jumps by $jump: DHCP is answered" python3 "$here/dhcp_client.py" 127.0.0.1 "$dhcp_port" 20
    done
    check "its clock did jump" grep -q "^$(date -d '+3650 days' +%Y)" "$log"
    wait "$download"
    check "a download over the jumps is whole" cmp -s "$site/assets/larger" "$site/got"
    clock() { # clock JUMP: from the real time
        echo "$1" >"$site/clock"
        sleep 0.5
    }
    put() { curl -s -o /dev/null --max-time 10 -X POST "$base/put"; }
    told_date() { curl -sI --max-time 10 "$base/healthz" | sed -n 's/^Date: \([A-Za-z]*, .*[0-9]\{4\}\) .*/\1/p'; }
    document() { fetch "/ipxe?mac=52:54:00:00:00:01&platform=efi&buildarch=x86_64" | grep -o 'seed=http[^ ]*' | cut -d= -f2-; }
    code() { curl -s -o /dev/null --max-time 10 -w '%{http_code}' "$1"; }
    clock +0
    url=$(document)
    check "a document by the token of now" [ "$(code "$url")" = 200 ]
    put
    check "what is remembered for an hour" [ "$(fetch /get)" = v ]
    clock +2d
    check "two days later: HTTP's date is another" [ "$(told_date)" = "$(LC_ALL=C date -u -d '+2 days' '+%a, %d %b %Y')" ]
    check "two days later: the token has ended" [ "$(code "$url")" = 403 ]
    check "two days later: a new one is good" [ "$(code "$(document)")" = 200 ]
    check "two days later: what lasted an hour is forgotten" [ "$(fetch /get)" = none ]
    put
    clock -1d
    check "three days back: HTTP's date is another" [ "$(told_date)" = "$(LC_ALL=C date -u -d '-1 day' '+%a, %d %b %Y')" ]
    check "three days back: a new token is good" [ "$(code "$(document)")" = 200 ]
    check "three days back: what was remembered lasts" [ "$(fetch /get)" = v ]
    put
    clock +0
    check "and now again: it has ended, by its own clock" [ "$(fetch /get)" = none ]
    check "and now again: the token of then is good" [ "$(code "$url")" = 200 ]
    check "no worker was thought to stand still" [ "$(metric moonboot_workers_restarted_total)" = 0 ]
    before=$(metric moonboot_generation)
    kill -HUP "$supervisor"
    wait_for "a reload takes effect" 10 sh -c "[ \$(curl -sf $base/metrics | sed -n 's/^moonboot_generation //p') -gt $before ]"
    stop_service
else
    skip "a clock that jumps" "libfaketime is not there (make deps), or this is a build with sanitizers"
fi
finish
