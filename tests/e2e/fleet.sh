#!/usr/bin/env bash
# examples/fleet as it stands there: three moonboots on one Redis, on one segment and behind a relay. Each
# is lost in turn while machines boot, one of them with firmware of its own; then Redis is. Logs: build/lab/.
set -eu
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/e2e/lab.sh
. "$here/lab.sh"
# shellcheck source=tests/e2e/guest.sh
. "$here/guest.sh"
# shellcheck source=tests/e2e/boots.sh
. "$here/boots.sh"

if [ -z "${LAB_INSIDE:-}" ]; then
    why=$(lab_missing)
    [ -x /usr/bin/redis-check-rdb ] || why="redis-tools are not installed (make deps)"
    if [ -n "$why" ]; then
        echo "skipped: $why"
        echo "0 passed, 0 failed, 1 skipped"
        exit 0
    fi
    [ -x "$MOONBOOT" ] || { echo "$MOONBOOT is not there: make it first" >&2; exit 2; }
    guest_build
    lab_enter "${BASH_SOURCE[0]}" "$@"
    exit
fi

# --- the network: as README.md of the example draws it ----------------------------------------------

# host NAME ADDRESS [BRIDGE [GATEWAY]]: on the switch br0, or that one.
host() {
    ip netns add "$1" 2> /dev/null || true
    lab_in "$1" ip link set lo up
    ip -n net link add "to-$1" type veth peer name eth0 netns "$1"
    ip -n net link set "to-$1" master "${3:-br0}" up
    lab_in "$1" ethtool -K eth0 tx off > /dev/null
    ip -n "$1" link set eth0 up
    [ -z "$2" ] || ip -n "$1" address add "$2" dev eth0
    [ -z "${4:-}" ] || ip -n "$1" route add default via "$4"
}

network() {
    lab_network
    ip -n net link add br1 type bridge stp_state 0 forward_delay 0 mcast_snooping 0
    ip -n net link set br1 up
    host boot3 10.0.0.3/24
    host boot4 10.0.0.4/24
    host redis 10.0.0.5/24
    host relay 10.0.0.6/24
    host far 10.1.0.50/24 br1 10.1.0.1
    ip -n net link add to-far1 type veth peer name eth1 netns relay
    ip -n net link set to-far1 master br1 up
    lab_in relay ethtool -K eth1 tx off > /dev/null
    ip -n relay link set eth1 up
    ip -n relay address add 10.1.0.1/24 dev eth1
    lab_in relay sysctl -qw net.ipv4.ip_forward=1
    for name in boot boot3 boot4 dhcp; do
        ip -n "$name" route add 10.1.0.0/24 via 10.0.0.6
    done
    ip -n pc address add 10.0.0.200/24 dev eth0
}

relay_start() {
    lab_spawn relay dnsmasq --keep-in-foreground --conf-file=/dev/null --user=root --port=0 --pid-file \
        --log-facility=- --dhcp-relay=10.1.0.1,10.0.0.2 --dhcp-relay=10.1.0.1,10.0.0.3 --dhcp-relay=10.1.0.1,10.0.0.4 \
        > "$LAB_DIR/relay.log" 2>&1
    lab_wait_for 5 "started" cat "$LAB_DIR/relay.log"
}

# --- the site ------------------------------------------------------------------------------------

shared=$LAB_DIR/fleet
site_make() {
    local n
    rm -rf "$shared" "$LAB_DIR"/fleet-*
    cp -r "$LAB_ROOT/examples/fleet" "$shared"
    "$shared/setup.sh"
    mkdir -p "$shared/assets/el9" "$shared/assets/rescue"
    cp "$LAB_CACHE/vmlinuz" "$LAB_CACHE/initrd.img" "$shared/assets/el9/"
    ln "$shared"/assets/el9/* "$shared/assets/rescue/"
    for n in 2 3 4; do # a host each: what is theirs alone is the control socket
        cp -rl "$shared" "$LAB_DIR/fleet-$n"
        rm "$LAB_DIR/fleet-$n/site.yaml"
        { cat "$shared/site.yaml"; echo "control: control.sock"; echo "workers: 2"; echo "user: nobody"; } \
            > "$LAB_DIR/fleet-$n/site.yaml"
        chmod a+rX "$LAB_DIR/fleet-$n" && chmod -R a+rX "$LAB_DIR/fleet-$n/assets"
    done
}

redis_start() {
    mkdir -p "$shared/data"
    ln -sf /usr/bin/redis-check-rdb "$shared/redis-server"
    (cd "$shared" && exec ip netns exec redis ./redis-server redis.conf --dir "$shared/data" \
        --aclfile "$shared/users.acl" --enable-debug-command no > "$LAB_DIR/redis.log" 2>&1 < /dev/null) &
    redis=$!
    lab_wait_for 10 "Ready to accept" cat "$LAB_DIR/redis.log"
}

declare -A moonboots
namespace() { [ "$1" = 2 ] && echo boot || echo "boot$1"; }
moonboot_start() { # moonboot_start N: the one at 10.0.0.N
    local log=$LAB_DIR/moonboot-$1.log
    lab_spawn "$(namespace "$1")" "$MOONBOOT" serve -c "$LAB_DIR/fleet-$1/site.yaml" > "$log" 2>&1
    moonboots[$1]=$LAB_PID
    lab_wait_for 15 " ready" cat "$log"
}
ask() { # ask N COMMAND…: of the command line, on that host
    local n=$1 command=$2
    shift 2
    lab_in "$(namespace "$n")" "$MOONBOOT" "$command" -c "$LAB_DIR/fleet-$n/site.yaml" "$@"
}
up() { # up N: both its workers reach Redis
    lab_in pc curl -s --max-time 2 "http://10.0.0.$1:8080/metrics" | grep -q '^moonboot_state_up 2$'
}
all_up() { up 2 && up 3 && up 4; }
wait_all_up() {
    local tries=100
    until all_up; do
        tries=$((tries - 1))
        [ $tries -gt 0 ] || return 1
        sleep 0.1
    done
}

client() { # client NAMESPACE WHAT…
    lab_in "$1" python3 "$here/fleet_client.py" "${@:2}"
}
boots_as() { # boots_as NAMESPACE MAC VERDICT
    local got
    got=$(client "$1" boot "$2")
    [[ $got = "$2 $3 "* ]] || { echo "# $got"; return 1; }
}
# same_offers NAMESPACE MAC N: so many proxy offers, which differ in nothing but who makes them.
same_offers() {
    client "$1" offers "$2" | python3 -c "
import json, sys
offers = json.load(sys.stdin)
servers = [o.pop('server') for o in offers]
assert len(set(servers)) == $3 == len(offers), (servers, offers)
assert [o.pop('id') for o in offers] == servers, offers
assert all(o == offers[0] for o in offers), offers"
}
# decided_by MAC VERDICT N…: each of these says so, whoever a machine would take.
decided_by() {
    local mac=$1 verdict=$2 n got
    shift 2
    for n; do
        got=$(script "$mac" "$n") || return 1
        case $got in
        *"/assets/el9/"*) got=install ;;
        *"/assets/rescue/"*) got=rescue ;;
        *) got=disk ;;
        esac
        [ "$got" = "$verdict" ] || { echo "# $mac by $n: $got"; return 1; }
    done
}
# script MAC N: what that one has it boot.
script() { lab_in pc curl -sf --max-time 3 "http://10.0.0.$2:8080/ipxe?mac=$1"; }
event_url() { # event_url MAC N: as the machine is told by it
    lab_in pc curl -sf --max-time 3 "$(script "$1" "$2" | grep -o 'http://[^ ]*ks\.cfg[^ ]*' | head -1)" |
        grep -o "http://[^']*/event/installed[^']*"
}
post() { # post URL [N]: to whom it names, or to that one
    local url=$1
    [ -z "${2:-}" ] || url=$(sed "s|//10\.0\.0\..:|//10.0.0.$2:|" <<< "$url")
    [ "$(lab_in pc curl -so /dev/null --max-time 3 -w '%{http_code}' -X POST "$url")" = 200 ]
}

mkdir -p "$LAB_DIR"
BOOT_LOG=$LAB_DIR/moonboot-3.log BOOT_MARK=0
network
site_make
dhcp_start dnsmasq
relay_start
check "Redis starts as the example has it" redis_start
for n in 2 3 4; do
    check "moonboot $n starts" moonboot_start $n
done
new=52:54:00:00:00:01 done=52:54:00:00:00:02 far=52:54:00:00:00:03 diskless=52:54:00:d0:00:01
check "before there is a store a worker starts its disk" decided_by $new disk 2 3 4
check "a diskless machine boots" boots_as pc $diskless rescue
check "a person makes the store" ask 3 state create
check "all find it" wait_all_up

# One answer, three times.
check "three offers that differ in who makes them" same_offers pc $new 3
check "and three through the relay" same_offers far $far 3
check "which behind the relay boots as well" boots_as far $far install
url=$(event_url $done 2)
check "what one has told a machine, another takes" post "$url" 4
check "then nobody installs it any more" decided_by $done disk 2 3 4
check "firmware is not offered anything" boots_as pc $done disk
check "taken twice, it is the same" post "$url" 3
check "they have one timeline" [ "$(ask 2 machines $done | grep -cE '  installed ')" = 2 ]

# One after the other is lost, each in another way, while machines boot; one with its own firmware.
rm -f "$LAB_DIR/enough"
client pc storm "$LAB_DIR/enough" $new $done $diskless > "$LAB_DIR/storm-near" &
storms=($!)
client far storm "$LAB_DIR/enough" $far $done > "$LAB_DIR/storm-far" &
storms+=($!)
sleep 1.5
ip -n net link set to-boot down
check "a host is gone: real firmware boots to the installer by another" \
    power_on fleet-firmware bios 52:54:00:00:00:07 "$(random_uuid)" 'inst.ks=http://10\.0\.0\.[34]:8080/config/'
ip -n net link set to-boot up
kill -KILL "${moonboots[3]}"
sleep 2.5
check "moonboot 3, which was killed, starts" moonboot_start 3
lab_stop "${moonboots[4]}"
sleep 2.5
lab_stop "${moonboots[2]}"
sleep 2
check "one alone is enough" boots_as pc $new install
moonboot_start 2
moonboot_start 4
check "all are there again" wait_all_up
touch "$LAB_DIR/enough"
wait "${storms[@]}"
cat "$LAB_DIR"/storm-* > "$LAB_DIR/boots"
count=$(wc -l < "$LAB_DIR/boots")
check "$count boots were begun meanwhile" [ "$count" -ge 10 ]
check_not "none failed" grep ' failed ' "$LAB_DIR/boots"
check_not "none was silently left to its disk" grep -E "($new|$far|$diskless) disk" "$LAB_DIR/boots"
check "none was another's, or wrong" [ "$(cut -d' ' -f1,2 "$LAB_DIR/boots" | sort -u | paste -sd, )" = \
    "$new install,$done disk,$far install,$diskless rescue" ]
check "all three took part" [ "$(cut -d' ' -f3 "$LAB_DIR/boots" | grep -v nobody | sort -u | wc -l)" = 3 ]

# Redis is lost.
ask 2 state export > "$LAB_DIR/saved"
kill -KILL "$redis"
wait "$redis" 2> /dev/null || true
sleep 1
check "without Redis workers start their disks, new ones" decided_by $new disk 2 3 4
check "and those that are installed" decided_by $done disk 2 3 4
check "a diskless machine boots as ever" boots_as pc $diskless rescue
check_not "an event is not taken" post "$url"
check "Redis starts again" redis_start
check "all find it" wait_all_up
check "and know what they knew" decided_by $done disk 2 3 4
check "and who is new" boots_as pc $new install

# It comes back emptied.
kill -TERM "$redis"
wait "$redis" 2> /dev/null || true
rm -rf "$shared/data"
lab_stop "${moonboots[2]}"
check "Redis starts, emptied" redis_start
check "and a moonboot" moonboot_start 2
sleep 1
check "nobody is installed by that" decided_by $done disk 2 3 4
check "nobody at all" decided_by $new disk 2 3 4
check "what was saved is brought back" ask 4 state import < "$LAB_DIR/saved"
check "all find it" wait_all_up
check "who is installed is known" decided_by $done disk 2 3 4
check "and who is not" boots_as pc $new install
lab_stop "${moonboots[@]}"
finish
