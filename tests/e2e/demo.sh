#!/usr/bin/env bash
# Shows moonboot at work: a virtual machine with unmodified firmware boots through
# examples/quickstart/policy.lua, on a private network inside this host whose DHCP server knows
# nothing of network boot. Left, what moonboot decides; right, the machine's console.
#
#   demo.sh [--uefi | --uefi-http | --bios]      exit status 0: the guest got what the policy chose
set -eu
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/e2e/lab.sh
. "$here/lab.sh"
# shellcheck source=tests/e2e/guest.sh
. "$here/guest.sh"

policy=$LAB_ROOT/examples/quickstart/policy.lua
dir=$LAB_DIR/demo
mac=52:54:00:12:34:56 # what QEMU gives a guest
firmware=uefi-pxe

case ${1:-} in
"" | --uefi) ;;
--uefi-http) firmware=uefi-http ;;
--bios) firmware=bios ;;
*)
    sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"
    [ "$1" = --help ] && exit 0
    exit 2
    ;;
esac

step() { echo "* $*"; }

if [ -z "${LAB_INSIDE:-}" ]; then
    why=$(lab_missing)
    [ -z "$why" ] || { echo "the demo cannot run here: $why" >&2; exit 1; }
    [ -x "$MOONBOOT" ] || { echo "$MOONBOOT is not there: make it first" >&2; exit 1; }
    guest_build
    DEMO_COLUMNS=0
    if [ -t 1 ]; then
        DEMO_COLUMNS=$(stty size < /dev/tty 2> /dev/null | cut -d ' ' -f 2) || true
    fi
    export DEMO_COLUMNS=${DEMO_COLUMNS:-0}
    lab_enter "${BASH_SOURCE[0]}" "$@"
    exit
fi

# plain_console: a firmware's console as lines of plain text. Cursor movements end a line, backspaces
# take back, colours go, empty lines too.
plain_console() {
    LC_ALL=C sed -u -E -e 's/\x1b\[[0-9;]*[Hf]/\n/g; s/\x1b\[[0-9;?=]*[@-~]//g; s/\x1b[()*+].//g; s/\x1b.//g' \
        -e ':again; s/[^\x08\n]\x08//; t again' -e 's/\r/\n/g; s/[^\n\x20-\x7e]//g' |
        grep --line-buffered -v '^ *$'
}

# plain_log: moonboot's log without the date, the level, and the machine, of which there is but one.
plain_log() {
    sed -u -E 's/^[0-9-]+T([0-9:]+)[0-9.]*Z +[a-z]+ +/\1 /; s/ machine=[^ ]+//'
}

# wrap WIDTH: takes from $text a $piece of at most WIDTH characters, at a space where there is one.
wrap() {
    local short
    piece=${text:0:$1}
    short=${piece% *}
    if [ "${#text}" -gt "$1" ] && [ "${#short}" -gt $(($1 / 2)) ]; then
        piece=$short
    fi
    text=${text:${#piece}}
    text=${text# }
}

# shown: lines "M text" and "C text", as they come, in two columns where the terminal is wide enough,
# else one under the other with a prefix.
shown() {
    local kind text piece left=$((DEMO_COLUMNS * 2 / 5)) right
    right=$((DEMO_COLUMNS - left - 4))
    [ "$DEMO_COLUMNS" -lt 100 ] || printf '%-*s | %s\n' "$left" "MOONBOOT" "THE MACHINE'S CONSOLE"
    while read -r kind text; do
        if [ "$DEMO_COLUMNS" -lt 100 ]; then
            [ "$kind" = M ] && kind="moonboot" || kind="console "
            printf '%s | %s\n' "$kind" "$text"
            continue
        fi
        while [ -n "$text" ]; do
            if [ "$kind" = M ]; then
                wrap "$left"
                printf '%-*s |\n' "$left" "$piece"
            else
                wrap "$right"
                printf '%*s | %s\n' "$left" "" "$piece"
            fi
        done
    done
}

step "laying a private network: 10.0.0.1 plain DHCP (dnsmasq), 10.0.0.2 moonboot, one machine"
rm -rf "$dir"
mkdir -p "$dir"
LAB_DIR=$dir # every log of the demo goes there
site_write "$dir/site" "$policy"
lab_network
dhcp_start dnsmasq
step "starting moonboot with examples/quickstart/policy.lua"
boot_server_start "$dir/site" || { cat "$BOOT_LOG" >&2; exit 1; }
boot_server_mark
capture_start tap0 "$dir/net.pcap"

uuid=$(cat /proc/sys/kernel/random/uuid)
arch=efi-x64
if [ "$firmware" = bios ]; then arch=bios; fi
step "switching on a machine: $firmware, $mac (firmware is silent for its first seconds)"
guest_start "$dir" "$firmware" "$mac" "$uuid"
{
    tail --pid="$GUEST_PID" -s 0.1 -n "+$((BOOT_MARK + 1))" -f "$BOOT_LOG" | plain_log | sed -u 's/^/M /' &
    tail --pid="$GUEST_PID" -s 0.1 -n +1 -f "$dir/console" | plain_console | sed -u 's/^/C /' &
    wait
} | shown
status=0
wait "$GUEST_PID" || status=$?
capture_stop
boot_server_stop
dhcp_stop

chosen=$("$MOONBOOT" eval "$policy" --mac "$mac" --uuid "$uuid" --arch "$arch" |
    awk '/^[a-z]/ { args = /^args / } args { print substr($0, 10) }' | paste -sd ' ')
got=$(guest_cmdline "$dir/console")
echo
echo "the policy chose:        $chosen"
echo "the guest was given:     ${got:-nothing}"
[ "$status" != 124 ] || echo "It was switched off after $LAB_TIMEOUT s."
if [ "$status" != 0 ] || [ "$got" != "$(guest_expected "$firmware" "$chosen")" ]; then
    echo "They are NOT the same: see the logs in ${dir#"$LAB_ROOT/"}."
    exit 1
fi
if [ "$firmware" = bios ]; then
    echo "They are the same."
else
    echo "They are the same, after the names of kernel and initrd that UEFI wants in front."
fi
echo "Logs and a capture are in ${dir#"$LAB_ROOT/"}."
