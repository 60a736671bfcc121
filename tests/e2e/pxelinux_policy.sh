#!/usr/bin/env bash
# Boots real firmware by an existing tree of PXELINUX configurations (policies/pxelinux): BIOS
# machines by pxelinux.0, UEFI machines by iPXE, from the same files. Logs: build/lab/NAME/.
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
    for file in PXELINUX/pxelinux.0 syslinux/modules/bios/ldlinux.c32; do
        [ -e "/usr/lib/$file" ] || why=${why:-/usr/lib/$file is missing (make deps)}
    done
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

mac=52:54:00:7e:00:01
# PXELINUX asks by no UUID whose seventh byte is below 0x10 or above 0xef, whatever stands there.
uuid=$(random_uuid | sed -E 's/^(.{16})../\142/')
args="console=ttyS0,115200n8 quiet ds=nocloud-net;s=http://10.0.0.2/s/ a=b&c"

# config NAME WORD: a configuration of the tree, whose kernel is told WORD.
config() {
    cat > "$site/tftp/pxelinux.cfg/$1" << END
DEFAULT node
LABEL node
  KERNEL images/vmlinuz
  APPEND $args tree=$2 initrd=images/initrd.img
  IPAPPEND 2
END
}

mkdir -p "$LAB_DIR"
site=$LAB_DIR/site-pxelinux
rm -rf "$site"
mkdir -p "$site/tftp/pxelinux.cfg" "$site/tftp/images"
cp "$LAB_CACHE/vmlinuz" "$LAB_CACHE/initrd.img" "$site/tftp/images/"
cp "$LAB_ROOT/policies/pxelinux/site/policy.lua" "$LAB_ROOT/policies/pxelinux/site/site.yaml" "$site/"
config "01-${mac//:/-}" address
# PXELINUX writes a UUID as it stands in option 97: its first three fields are the other way round.
config "$(echo "$uuid" | sed -E 's/^(..)(..)(..)(..)-(..)(..)-(..)(..)/\4\3\2\1-\6\5-\8\7/')" uuid
config 0A0000 network
chmod -R a+rX "$site"

lab_network
check "moonboot starts" boot_server_start "$site"
dhcp_start dnsmasq

guest_expected() { # how each loader hands the arguments on
    if [ "$1" = bios ]; then
        echo "BOOT_IMAGE=images/vmlinuz $2 initrd=images/initrd.img BOOTIF=01-${booted//:/-}"
    else
        echo "vmlinuz initrd=initrd1 BOOT_IMAGE=images/vmlinuz $2 BOOTIF=01-${booted//:/-}"
    fi
}

# both NAME MAC UUID WORD: a BIOS and a UEFI machine of that name.
both() {
    booted=$2
    boots "pxelinux-tree-$1-bios" bios "$2" "$3" "$args tree=$4"
    check "pxelinux-tree-$1-bios: asked for its configuration itself" \
        capture_shows "$dir/net.pcap" "udp dst port 69" 'RRQ "pxelinux.cfg/'
    boots "pxelinux-tree-$1-uefi" uefi-pxe "$2" "$3" "$args tree=$4"
    decided "$2" "as pxelinux.cfg says"
}

both mac $mac "$(random_uuid)" address
both uuid $mac "$uuid" uuid
both ip "$(random_mac)" "$(random_uuid)" network
dhcp_stop
boot_server_stop
finish
