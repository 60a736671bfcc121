#!/usr/bin/env bash
# A BIOS that fetches undionly.kpxe from tftp-hpa, run by moonboot, and boots. See boot.sh.
set -eu
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/e2e/lab.sh
. "$here/lab.sh"
# shellcheck source=tests/e2e/guest.sh
. "$here/guest.sh"
# shellcheck source=tests/e2e/boots.sh
. "$here/boots.sh"

PATH=$PATH:$LAB_ROOT/build/tools/tftpd-hpa/usr/sbin
if [ -z "${LAB_INSIDE:-}" ]; then
    why=$(lab_missing)
    command -v in.tftpd /usr/sbin/in.tftpd > /dev/null || why="in.tftpd is not there (make deps)"
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
site=$LAB_DIR/site-hpa
rm -rf "$site"
site_write "$site" policy.lua
mkdir "$site/tftp"
cp /usr/lib/ipxe/undionly.kpxe /usr/lib/ipxe/snponly.efi "$site/tftp/"
chmod -R a+rX "$site"
echo "tftp: { backend: hpa, root: tftp }" >> "$site/site.yaml"
cat "$here/undionly.lua" "$LAB_ROOT/examples/quickstart/policy.lua" > "$site/policy.lua"

lab_network
if ! boot_server_start "$site"; then
    not_ok "moonboot starts" "$(cat "$BOOT_LOG")"
    finish
    exit
fi
check "in.tftpd has the port" lab_wait_for 5 in.tftpd lab_in boot ss -Hlunp "sport = :69"
check_not "nothing was missing under its root" grep -q "has no" "$BOOT_LOG"

dhcp_start udhcpd
mac=52:54:00:00:00:01
boots hpa-undionly bios "$mac" "$(random_uuid)" \
    "console=ttyS0,115200n8 quiet role=build ds=nocloud-net;s=http://10.0.0.2:8080/assets/build/"
decided "$mac" "the build server"
check "hpa-undionly: fetched iPXE by TFTP" \
    capture_shows "$dir/net.pcap" "udp dst port 69" 'RRQ "undionly.kpxe"'
check "hpa-undionly: the log says that in.tftpd was asked" \
    grep -q 'in.tftpd: RRQ from 10.0.0.[0-9]* filename undionly.kpxe' "$dir/moonboot.log"

dhcp_stop
boot_server_stop
finish
