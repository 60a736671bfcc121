#!/usr/bin/env bash
# Boots real firmware that other DHCP servers send to moonboot: each site of examples/dhcp-servers
# with its server as Debian packages it, as it stands there. Logs: build/lab/NAME/.
#
#   dhcp_servers.sh [PATTERN]      only the servers that match: isc-dhcpd kea dnsmasq relay
set -eu
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/e2e/lab.sh
. "$here/lab.sh"
# shellcheck source=tests/e2e/guest.sh
. "$here/guest.sh"
# shellcheck source=tests/e2e/boots.sh
. "$here/boots.sh"

servers=$LAB_CACHE/servers # Debian's packages, unpacked; never installed, so that no daemon starts
examples=$LAB_ROOT/examples/dhcp-servers

# servers_fetch: the servers, with all that is not installed of what they need.
servers_fetch() {
    local packages=$LAB_CACHE/packages file
    local fetch=(apt-get -q -y --no-install-recommends -o APT::Sandbox::User=root
        -o "Dir::Cache::archives=$packages" --reinstall --download-only
        install isc-dhcp-server isc-dhcp-relay kea-dhcp4-server)
    rm -rf "$packages" "$servers"
    mkdir -p "$packages/partial"
    "${fetch[@]}" || { apt-get -q update && "${fetch[@]}"; } || return 1
    for file in "$packages"/*.deb; do
        dpkg-deb -x "$file" "$servers.part" || return 1
    done
    rm -rf "$packages"
    mv "$servers.part" "$servers"
}

servers_build() {
    local log=$LAB_CACHE/servers.log
    [ ! -d "$servers" ] || return 0
    echo "fetching Debian's DHCP servers (once)"
    servers_fetch > "$log" 2>&1 || { cat "$log" >&2; return 1; }
}

if [ -z "${LAB_INSIDE:-}" ]; then
    why=$(lab_missing)
    if [ -n "$why" ]; then
        echo "skipped: $why"
        echo "0 passed, 0 failed, 1 skipped"
        exit 0
    fi
    [ -x "$MOONBOOT" ] || { echo "$MOONBOOT is not there: make it first" >&2; exit 2; }
    guest_build
    servers_build
    lab_enter "${BASH_SOURCE[0]}" "$@"
    exit
fi

pattern=${1:-.}
pids=()
libraries=$(printf '%s:' "$servers"/usr/lib/*-linux-gnu "$servers"/lib/*-linux-gnu)

# server NAMESPACE PATTERN COMMAND...: in the background, until a line of its log matches.
server() {
    local namespace=$1 started=$2 log
    shift 2
    log=$LAB_DIR/${1##*/}.log
    lab_spawn "$namespace" env LD_LIBRARY_PATH="$libraries" "$@" > "$log" 2>&1
    pids+=("$LAB_PID")
    lab_wait_for 10 "$started" cat "$log" || { not_ok "$1 starts" "$(cat "$log")"; return 1; }
}

isc_dhcpd() { # isc_dhcpd CONF
    mkdir -p /var/lib/dhcp
    : > /var/lib/dhcp/dhcpd.leases
    server dhcp "Server starting service" "$servers/usr/sbin/dhcpd" -4 -f -d -cf "$1" eth0
}

kea() { # kea CONF
    mkdir -p /var/lib/kea /run/kea /run/lock/kea
    # It does not start without the program that cleans its leases, which is not where it is installed.
    export KEA_LFC_EXECUTABLE=$servers/usr/sbin/kea-lfc
    server dhcp DHCP4_STARTED "$servers/usr/sbin/kea-dhcp4" -c "$1"
}

dnsmasq_as() { # dnsmasq_as NAMESPACE CONF
    mkdir -p /var/lib/misc
    server "$1" "started" /usr/sbin/dnsmasq --keep-in-foreground --user=root --log-facility=- --conf-file="$2"
}

# advertise: router advertisements alone, without which every iPXE waits 15 s longer.
advertise() {
    server "$1" started /usr/sbin/dnsmasq --keep-in-foreground --conf-file=/dev/null --user=root --port=0 \
        --pid-file --log-facility=- --interface="$2" --bind-interfaces --enable-ra --dhcp-range="$3",ra-only,64
}

# site NAME: moonboot by that example, with the guest's kernel and initrd as its assets.
site() {
    local dir=$LAB_DIR/site-$1
    rm -rf "$dir"
    cp -r "$examples/$1" "$dir"
    mkdir -p "$dir/assets"
    cp "$LAB_CACHE/vmlinuz" "$LAB_CACHE/initrd.img" "$dir/assets/"
    chmod -R a+rX "$dir"
    check "$1: moonboot starts" boot_server_start "$dir"
}

leave() { # what `site` and the servers' functions began
    boot_server_stop
    lab_stop "${pids[@]}"
    pids=()
}

# without_proxy: the last machine heard no DHCP from moonboot.
without_proxy() {
    check_not "${dir##*/}: moonboot spoke no DHCP" \
        capture_shows "$dir/net.pcap" "src host 10.0.0.2 and (udp src port 67 or udp src port 4011)" .
}

# sends_here NAME: that server sends a BIOS and a UEFI machine to moonboot.
sends_here() {
    local mac
    mac=$(random_mac)
    boots "$1-bios" bios "$mac" "$(random_uuid)" "console=ttyS0,115200n8 quiet firmware=pcbios"
    decided "$mac" "virtual machines"
    without_proxy
    mac=$(random_mac)
    boots "$1-uefi" uefi-pxe "$mac" "$(random_uuid)" "console=ttyS0,115200n8 quiet firmware=efi"
    decided "$mac" "virtual machines"
    without_proxy
    check "${dir##*/}: fetched iPXE by TFTP" \
        capture_shows "$dir/net.pcap" "udp dst port 69 and dst host 10.0.0.2" 'RRQ "snponly.efi"'
    mac=$(random_mac)
    boots "$1-uefi-http" uefi-http "$mac" "$(random_uuid)" "console=ttyS0,115200n8 quiet firmware=efi"
    decided "$mac" "virtual machines"
    check_not "${dir##*/}: nothing came by TFTP" capture_shows "$dir/net.pcap" "udp dst port 69" .
}

mkdir -p "$LAB_DIR"
lab_network
mount -t tmpfs none /var/lib # the servers' leases are ours alone
echo "# moonboot is sent to"

for name in isc-dhcpd kea dnsmasq; do
    [[ $name =~ $pattern ]] || continue
    advertise dhcp eth0 fd99::
    case $name in
    isc-dhcpd) isc_dhcpd "$examples/isc-dhcpd/dhcpd.conf" ;;
    kea) kea "$examples/kea/kea-dhcp4.conf" ;;
    dnsmasq) dnsmasq_as dhcp "$examples/dnsmasq/dnsmasq.conf" ;;
    esac
    site $name
    sends_here $name
    leave
done

if [[ relay =~ $pattern ]]; then
    echo "# moonboot is behind a relay"
    # A second segment: the machine moves to it, and the relay stands between the two.
    ip netns add relay
    ip -n net link add br1 type bridge stp_state 0 forward_delay 0 mcast_snooping 0
    ip -n net link set br1 up
    for n in 0 1; do
        ip -n net link add "to-relay$n" type veth peer name "eth$n" netns relay
        ip -n net link set "to-relay$n" master "br$n" up
        lab_in relay ethtool -K "eth$n" tx off > /dev/null
        ip -n relay link set "eth$n" up
    done
    ip -n relay link set lo up
    ip -n relay address add 10.0.0.3/24 dev eth0
    ip -n relay address add 10.1.0.1/24 dev eth1
    ip -n relay address add fd98::1/64 dev eth1 nodad
    lab_in relay sysctl -q net.ipv4.ip_forward=1
    for name in dhcp boot; do
        ip -n "$name" route add 10.1.0.0/24 via 10.0.0.3
    done
    ip -n net link set tap0 master br1

    site relay
    isc_dhcpd "$examples/relay/dhcpd.conf"
    advertise relay eth1 fd98::
    for kind in dhcrelay dnsmasq; do
        case $kind in
        dhcrelay) server relay "Sending on" "$servers/usr/sbin/dhcrelay" -4 -d -id eth1 -iu eth0 10.0.0.1 10.0.0.2 ;;
        dnsmasq) dnsmasq_as relay "$examples/relay/dnsmasq.conf" ;;
        esac
        mac=$(random_mac)
        boots "relay-$kind-bios" bios "$mac" "$(random_uuid)" \
            "console=ttyS0,115200n8 quiet segment=second relay=10.1.0.1"
        decided "$mac" "the second segment"
        mac=$(random_mac)
        boots "relay-$kind-uefi" uefi-pxe "$mac" "$(random_uuid)" \
            "console=ttyS0,115200n8 quiet segment=second relay=10.1.0.1"
        decided "$mac" "the second segment"
        check_not "relay-$kind-uefi: the DHCP server named no boot file" \
            capture_shows "$dir/net.pcap" "udp src port 67" "Server-IP 10.0.0.1"
        lab_stop "${pids[-1]}" # the relay
        unset "pids[-1]"
    done
    leave
fi
finish
