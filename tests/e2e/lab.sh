# shellcheck shell=bash
# The lab: a private network with a plain DHCP server, a boot server and one virtual machine at a
# time, whose firmware is real. Sourced by boot.sh and demo.sh; README.md beside this file tells more.
#
#   10.0.0.1 (namespace "dhcp")  a DHCP server that knows nothing of network boot
#   10.0.0.2 (namespace "boot")  moonboot
#   bridge   (namespace "net")   the switch between them and the machine
#
# Everything runs inside network, mount and process namespaces of its own (lab_enter): the host's
# network is out of reach, and the kernel takes all of it away when the script ends, however it ends.

LAB_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
LAB_DIR=${LAB_DIR:-$LAB_ROOT/build/lab}
LAB_CACHE=$LAB_ROOT/build/lab/cache
LAB_TIMEOUT=${LAB_TIMEOUT:-120} # seconds a boot may take
MOONBOOT=${MOONBOOT:-$LAB_ROOT/${BUILD:-build}/moonboot}

# lab_missing: why the lab cannot run here, or nothing.
lab_missing() {
    local tool file
    [ "$(id -u)" = 0 ] || { echo "needs root (network namespaces)"; return; }
    for tool in qemu-system-x86_64 dnsmasq tcpdump ip ethtool unshare setpriv; do
        command -v "$tool" > /dev/null || { echo "$tool is not installed (make deps)"; return; }
    done
    [ -c /dev/net/tun ] || { echo "/dev/net/tun is missing"; return; }
    for file in /usr/share/OVMF/OVMF_CODE_4M.fd /usr/lib/ipxe/undionly.kpxe \
        /usr/lib/ipxe/qemu/pxe-virtio.rom; do
        [ -e "$file" ] || { echo "$file is missing (make deps)"; return; }
    done
    unshare --net --mount --pid --fork true 2> /dev/null || echo "may not create namespaces"
}

# lab_enter SCRIPT [ARG...]: runs SCRIPT again inside the lab's namespaces, and returns its status.
# The inner run knows itself by LAB_INSIDE. When this shell ends, however it ends, the kernel kills
# unshare, with it the first process of the new process namespace, and so every process in it.
lab_enter() {
    local status=0 pid
    LAB_INSIDE=1 setpriv --pdeathsig KILL unshare --net --mount --pid --fork --kill-child --mount-proc bash "$@" &
    pid=$!
    # shellcheck disable=SC2064 # this pid, now
    trap "kill -KILL $pid; wait $pid 2> /dev/null || true; exit 130" INT TERM HUP
    wait "$pid" || status=$?
    trap - INT TERM HUP
    return "$status"
}

lab_in() { # lab_in NAMESPACE COMMAND...
    local namespace=$1
    shift
    ip netns exec "$namespace" "$@"
}

# lab_spawn NAMESPACE COMMAND...: in the background; LAB_PID is the command's own.
lab_spawn() {
    local namespace=$1
    shift
    (exec ip netns exec "$namespace" "$@") < /dev/null &
    LAB_PID=$!
}

# lab_network: the namespaces and the wires between them. Inside lab_enter only.
lab_network() {
    local name
    mount -t tmpfs none /run # netns names, and what daemons leave under /run, are ours alone
    for name in dhcp boot net pc; do
        ip netns add "$name"
        lab_in "$name" ip link set lo up
    done
    ip -n net link add br0 type bridge stp_state 0 forward_delay 0 mcast_snooping 0
    ip -n net link set br0 up
    for name in dhcp boot pc; do
        ip -n net link add "to-$name" type veth peer name eth0 netns "$name"
        ip -n net link set "to-$name" master br0 up
        # Firmware drops packets whose checksum was left to the network card.
        lab_in "$name" ethtool -K eth0 tx off > /dev/null
        ip -n "$name" link set eth0 up
    done
    ip -n dhcp address add 10.0.0.1/24 dev eth0
    ip -n dhcp address add fd99::1/64 dev eth0 nodad
    ip -n boot address add 10.0.0.2/24 dev eth0
    ip -n net tuntap add dev tap0 mode tap
    ip -n net link set tap0 master br0 up
}

# lab_wait_for SECONDS PATTERN COMMAND...: until a line that COMMAND prints matches.
lab_wait_for() {
    local tenths=$(($1 * 10)) pattern=$2
    shift 2
    until "$@" 2> /dev/null | grep -aE -- "$pattern" > /dev/null; do
        [ "$tenths" -gt 0 ] || return 1
        tenths=$((tenths - 1))
        sleep 0.1
    done
}

lab_stop() { # lab_stop PID...: and wait until it has ended
    local pid
    for pid; do
        kill "$pid" 2> /dev/null || true
        wait "$pid" 2> /dev/null || true
    done
}

# dhcp_start dnsmasq|udhcpd [SIADDR]: a plain DHCP server. dnsmasq names itself as siaddr in every
# answer, udhcpd SIADDR, or leaves it 0 as Kea and ISC's do. Router advertisements come along in both cases: without
# them every iPXE waits 15 s longer.
dhcp_start() {
    local kind=$1 siaddr=${2:-} log=$LAB_DIR/dhcp.log range=()
    DHCP_PIDS=()
    : > "$log"
    case $kind in
    dnsmasq) range=("--dhcp-range=10.0.0.50,10.0.0.99,255.255.255.0,10m" --no-ping) ;;
    udhcpd)
        : > "$LAB_DIR/udhcpd.leases"
        cat > "$LAB_DIR/udhcpd.conf" << END
start 10.0.0.50
end 10.0.0.99
max_leases 50
interface eth0
lease_file $LAB_DIR/udhcpd.leases
pidfile $LAB_DIR/udhcpd.pid
opt subnet 255.255.255.0
opt lease 600
${siaddr:+siaddr $siaddr}
END
        lab_spawn dhcp "$LAB_CACHE/busybox" udhcpd -f "$LAB_DIR/udhcpd.conf" >> "$log" 2>&1
        DHCP_PIDS+=("$LAB_PID")
        lab_wait_for 5 "udhcpd: started" cat "$log" || return 1
        ;;
    esac
    lab_spawn dhcp dnsmasq --keep-in-foreground --conf-file=/dev/null --user=root --port=0 \
        --pid-file --dhcp-leasefile="$LAB_DIR/dnsmasq.leases" --log-facility=- --log-dhcp \
        --enable-ra --dhcp-range=fd99::,ra-only,64 "${range[@]}" >> "$log" 2>&1
    DHCP_PIDS+=("$LAB_PID")
    lab_wait_for 5 "dnsmasq.*: started" cat "$log"
}

dhcp_stop() { lab_stop "${DHCP_PIDS[@]}"; }

# site_write DIR POLICY: DIR/site.yaml, which serves POLICY and the guest's kernel and initrd under
# the names that the quickstart's policy has for them.
site_write() {
    local dir=$1 policy=$2
    mkdir -p "$dir/assets"
    cp "$LAB_CACHE/vmlinuz" "$LAB_CACHE/initrd.img" "$dir/assets/"
    chmod -R a+rX "$dir"
    cat > "$dir/site.yaml" << END
policy: $policy
http: { listen: ["0.0.0.0:8080"], assets: assets }
workers: 2
user: nobody
END
}

# boot_server_start SITE: moonboot by SITE/site.yaml; its log is $BOOT_LOG.
boot_server_start() {
    BOOT_LOG=$LAB_DIR/moonboot.log
    : > "$BOOT_LOG"
    lab_spawn boot "$MOONBOOT" serve -c "$1/site.yaml" >> "$BOOT_LOG" 2>&1
    BOOT_PID=$LAB_PID
    BOOT_MARK=0
    lab_wait_for 10 " ready" cat "$BOOT_LOG"
}

boot_server_mark() { BOOT_MARK=$(wc -l < "$BOOT_LOG"); }

boot_server_said() { tail -n "+$((BOOT_MARK + 1))" "$BOOT_LOG"; } # since the last mark

# boot_server_reload PATTERN: after SIGHUP moonboot is to log a line that matches.
boot_server_reload() {
    boot_server_mark
    kill -HUP "$BOOT_PID"
    lab_wait_for 10 "$1" boot_server_said
}

boot_server_stop() { lab_stop "$BOOT_PID"; }

# capture_start PORT FILE: what passes PORT of the switch, both ways, as pcap.
capture_start() {
    lab_spawn net tcpdump -Z root -U --immediate-mode -n -i "$1" -w "$2" 2> "$2.log"
    CAPTURE_PID=$LAB_PID
    lab_wait_for 5 "listening on" cat "$2.log"
}

capture_stop() { lab_stop "$CAPTURE_PID"; }

# capture_shows FILE FILTER PATTERN: whether a packet that FILTER picks, in words, matches PATTERN.
capture_shows() {
    tcpdump -r "$1" -n -v -A "$2" 2> /dev/null | grep -aE -- "$3" > /dev/null
}
