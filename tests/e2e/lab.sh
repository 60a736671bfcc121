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
MOONBOOT=${MOONBOOT:-$LAB_ROOT/build/moonboot}

# lab_missing: why the lab cannot run here, or nothing.
lab_missing() {
    local tool
    [ "$(id -u)" = 0 ] || { echo "needs root (network namespaces)"; return; }
    for tool in qemu-system-x86_64 dnsmasq tcpdump ip ethtool unshare; do
        command -v "$tool" > /dev/null || { echo "$tool is not installed (make deps)"; return; }
    done
    [ -c /dev/net/tun ] || { echo "/dev/net/tun is missing"; return; }
    [ -f /usr/share/OVMF/OVMF_CODE_4M.fd ] || { echo "ovmf is not installed (make deps)"; return; }
    [ -f /usr/lib/ipxe/undionly.kpxe ] || { echo "ipxe is not installed (make deps)"; return; }
    unshare --net --mount --pid --fork true 2> /dev/null || echo "may not create namespaces"
}

# lab_enter SCRIPT [ARG...]: runs SCRIPT again inside the lab's namespaces, and returns its status.
# The inner run knows itself by LAB_INSIDE. unshare is killed when this shell is told to end, and the
# kernel then ends every process of its process namespace.
lab_enter() {
    local status=0 pid
    LAB_INSIDE=1 unshare --net --mount --pid --fork --kill-child --mount-proc bash "$@" &
    pid=$!
    # shellcheck disable=SC2064 # this pid, now
    trap "kill -KILL $pid 2> /dev/null; exit 130" INT TERM HUP
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
        lab_in "$name" sysctl -qw net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.all.accept_dad=0
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
    ip -n dhcp address add fd99::1/64 dev eth0
    ip -n boot address add 10.0.0.2/24 dev eth0
    ip -n net tuntap add dev tap0 mode tap
    ip -n net link set tap0 master br0 up
}

# lab_wait_for FILE PATTERN SECONDS: until a line of FILE matches.
lab_wait_for() {
    local file=$1 pattern=$2 tenths=$(($3 * 10))
    until grep -qaE -- "$pattern" "$file" 2> /dev/null; do
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

# dhcp_start dnsmasq|udhcpd: a plain DHCP server. dnsmasq names itself as siaddr in every answer,
# udhcpd leaves it 0, as Kea and ISC's do. Router advertisements come along in both cases: without
# them every iPXE waits 15 s longer.
dhcp_start() {
    local kind=$1
    DHCP_PIDS=()
    local range=()
    case $kind in
    dnsmasq) range=(--dhcp-range=10.0.0.50,10.0.0.99,255.255.255.0,10m --no-ping) ;;
    udhcpd)
        cat > "$LAB_DIR/udhcpd.conf" << END
start 10.0.0.50
end 10.0.0.99
interface eth0
lease_file $LAB_DIR/udhcpd.leases
pidfile $LAB_DIR/udhcpd.pid
opt subnet 255.255.255.0
opt lease 600
END
        : > "$LAB_DIR/udhcpd.leases"
        lab_spawn dhcp "$LAB_CACHE/busybox" udhcpd -f "$LAB_DIR/udhcpd.conf" \
            > "$LAB_DIR/udhcpd.log" 2>&1
        DHCP_PIDS+=("$LAB_PID")
        ;;
    esac
    lab_spawn dhcp dnsmasq --keep-in-foreground --conf-file=/dev/null --user=root --port=0 --pid-file \
        --dhcp-leasefile="$LAB_DIR/dnsmasq.leases" --log-facility=- --log-dhcp \
        --enable-ra --dhcp-range=fd99::,ra-only,64 "${range[@]}" > "$LAB_DIR/dnsmasq.log" 2>&1
    DHCP_PIDS+=("$LAB_PID")
    lab_wait_for "$LAB_DIR/dnsmasq.log" "router advertisement on eth0|started" 5
}

dhcp_stop() { lab_stop "${DHCP_PIDS[@]}"; }
