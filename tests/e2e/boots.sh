# shellcheck shell=bash
# What scripts that boot machines in the lab have in common: checks, boots, and a count of them.
# Sourced after lab.sh and guest.sh.

passed=0
failed=0

ok() {
    passed=$((passed + 1))
    echo "ok - $1"
}

not_ok() { # not_ok WHAT DETAIL...
    failed=$((failed + 1))
    echo "not ok - $1"
    shift
    printf '#   %s\n' "$@"
}

check() { # check WHAT COMMAND...
    local what=$1
    shift
    if "$@"; then ok "$what"; else not_ok "$what" "$*"; fi
}

check_not() { # check_not WHAT COMMAND...
    local what=$1
    shift
    if "$@"; then not_ok "$what" "$*"; else ok "$what"; fi
}

random_uuid() { cat /proc/sys/kernel/random/uuid; }
random_mac() { printf '52:54:00:d%x:%02x:%02x' $((RANDOM % 16)) $((RANDOM % 256)) $((RANDOM % 256)); }

# power_on NAME FIRMWARE MAC UUID [PATTERN]: a machine, until it powers itself off, or until its
# console shows PATTERN. Leaves console, net.pcap and its part of moonboot.log in $dir.
power_on() {
    local name=$1 firmware=$2 mac=$3 uuid=$4 pattern=${5:-} status=0
    dir=$LAB_DIR/$name
    rm -rf "$dir"
    mkdir -p "$dir"
    capture_start tap0 "$dir/net.pcap"
    boot_server_mark
    guest_start "$dir" "$firmware" "$mac" "$uuid"
    if [ -n "$pattern" ]; then
        lab_wait_for "$LAB_TIMEOUT" "$pattern" cat "$dir/console" || status=1
        lab_stop "$GUEST_PID"
    else
        wait "$GUEST_PID" || status=$?
    fi
    capture_stop
    boot_server_said > "$dir/moonboot.log"
    return "$status"
}

# boots NAME FIRMWARE MAC UUID ARGS: the machine must come up with exactly ARGS.
boots() {
    local name=$1 firmware=$2 mac=$3 uuid=$4 args what got
    args=$(guest_expected "$firmware" "$5")
    what="$name: boots with the arguments that the policy chose"
    if ! power_on "$name" "$firmware" "$mac" "$uuid"; then
        not_ok "$what" "it did not power off within $LAB_TIMEOUT s: see $dir" "$(tail -n 1 "$dir/console")"
        return
    fi
    got=$(guest_cmdline "$dir/console")
    if [ "$got" = "$args" ]; then
        ok "$what"
    else
        not_ok "$what" "expected: $args" "got:      $got" "logs:     $dir"
    fi
}

# silent NAME MAC: moonboot sent that machine nothing, though it asked; the DHCP server gave it a
# lease. (What the guest before it left open may still be hanging up: that goes to another address.)
silent() {
    local capture=$LAB_DIR/$1/net.pcap
    check "$1: asked to boot from the network" \
        capture_shows "$capture" "ether src $2 and udp dst port 67" "PXEClient"
    check_not "$1: heard nothing from moonboot" \
        capture_shows "$capture" "(ether dst $2 or ether broadcast) and ip src host 10.0.0.2" .
    check "$1: got its address from the DHCP server" \
        capture_shows "$capture" "ip src host 10.0.0.1 and udp src port 67" "DHCP-Message.*: ACK"
}

# decided MAC RULE: moonboot logged that decision for the last machine.
decided() {
    check "${dir##*/}: the log says \"$2\" decided" \
        grep -qF "machine=$1 rule=\"$2\"" "$dir/moonboot.log"
}

# finish: the count, as the last line; the exit status.
finish() {
    echo "$passed passed, $failed failed, 0 skipped"
    [ "$failed" = 0 ]
}
