#!/usr/bin/env bash
# Boots real firmware by moonboot, on a network whose DHCP server knows nothing of it, and compares
# the kernel command line of each guest with what examples/quickstart/policy.lua chose.
# README.md beside this file tells the whole story. Logs: build/lab/NAME/.
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

mkdir -p "$LAB_DIR"
site=$LAB_DIR/site
rm -rf "$site"
site_write "$site" policy.lua
cat "$here/undionly.lua" "$LAB_ROOT/examples/quickstart/policy.lua" > "$site/policy.lua"
base_args="console=ttyS0,115200n8 quiet"

lab_network
if ! boot_server_start "$site"; then
    not_ok "moonboot starts" "$(cat "$BOOT_LOG")"
    finish
    exit
fi
ok "moonboot starts"

echo "# the DHCP server is dnsmasq"
dhcp_start dnsmasq

mac=$(random_mac)
boots bios-ipxe-rom bios "$mac" "$(random_uuid)" \
    "$base_args role=old-guest ds=nocloud-net;s=http://10.0.0.2:8080/assets/$mac/"
decided "$mac" "virtual machines with a BIOS"

mac=$(random_mac)
boots uefi-pxe uefi-pxe "$mac" "$(random_uuid)" \
    "$base_args role=guest report=http://10.0.0.2/up?mac=$mac&arch=efi-x64"
decided "$mac" "virtual machines with UEFI"
check "uefi-pxe: fetched iPXE by TFTP" \
    capture_shows "$dir/net.pcap" "udp dst port 69" 'RRQ "snponly.efi"'

mac=02:00:00:00:00:05
check "nobody-firmware: the ROM finds nothing to boot" \
    power_on nobody-firmware bios $mac "$(random_uuid)" "Nothing to boot"
silent nobody-firmware $mac
decided $mac "everyone else"

dhcp_stop
echo "# the DHCP server is udhcpd"
dhcp_start udhcpd

mac=52:54:00:00:00:01
boots bios-undionly bios "$mac" "$(random_uuid)" \
    "$base_args role=build ds=nocloud-net;s=http://10.0.0.2:8080/assets/build/"
decided "$mac" "the build server"
check "bios-undionly: fetched iPXE by TFTP" \
    capture_shows "$dir/net.pcap" "udp dst port 69" 'RRQ "undionly.kpxe"'

mac=$(random_mac)
boots uefi-http uefi-http "$mac" "$(random_uuid)" \
    "$base_args role=guest report=http://10.0.0.2/up?mac=$mac&arch=efi-x64"
decided "$mac" "virtual machines with UEFI"
check "uefi-http: the firmware fetched iPXE by HTTP" \
    capture_shows "$dir/net.pcap" "tcp dst port 8080" "UefiHttpBoot"
check_not "uefi-http: nothing came by TFTP" \
    capture_shows "$dir/net.pcap" "udp dst port 69" .

echo "# the policy is edited: other arguments, and no rule for everyone else"
nonce=$(random_uuid)
uuid=$(random_uuid)
added="role=edited nonce=$nonce uuid=$uuid ds=nocloud-net;s=http://10.0.0.2/s/ a=b&c"
{
    echo "rule \"edited\" { match = { mac = prefix \"52:54:00\" }, boot = \"linux\","
    echo "args = { \"role=edited\", \"nonce=$nonce\", \"uuid={{uuid}}\", \"ds=nocloud-net;s=http://10.0.0.2/s/\", \"a=b&c\" } }"
    grep -v '"everyone else"' "$LAB_ROOT/examples/quickstart/policy.lua"
} > "$site/policy.lua"
check "edited: SIGHUP brings the new policy into service" boot_server_reload " ready"
boots edited bios "$(random_mac)" "$uuid" "$base_args $added"

mac=$(lab_in pc cat /sys/class/net/eth0/address)
dir=$LAB_DIR/nobody-client
rm -rf "$dir"
mkdir -p "$dir"
capture_start to-pc "$dir/net.pcap"
check "nobody-client: a DHCP client takes a lease" \
    lab_in pc "$LAB_CACHE/busybox" udhcpc -f -q -n -i eth0 -s /bin/true \
    -V PXEClient:Arch:00007:UNDI:003016 -x 0x5d:0007 > "$dir/client.log" 2>&1
sleep 1 # moonboot answers in milliseconds, if it does
capture_stop
silent nobody-client "$mac"

echo "# the policy is broken"
echo 'rule "half a rule" { boot = }' >> "$site/policy.lua"
check "broken: SIGHUP refuses it, and the log says where" \
    boot_server_reload "policy\.lua:$(wc -l < "$site/policy.lua"):"
check "broken: the log says that the old one goes on" \
    lab_wait_for 5 "refused.* goes on" boot_server_said
boots broken bios "$(random_mac)" "$uuid" "$base_args $added"

boot_server_stop
dhcp_stop
finish
