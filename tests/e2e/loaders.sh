#!/usr/bin/env bash
# Boots real firmware by PXELINUX, lpxelinux.0, GRUB, and shim with Secure Boot, and from its disk.
# loaders.lua says who boots how. Logs: build/lab/NAME/.
#
#   loaders.sh [PATTERN]      only the boots that match
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
    for file in PXELINUX/lpxelinux.0 syslinux/modules/bios/ldlinux.c32 shim/shimx64.efi.signed \
        grub/x86_64-efi-signed/grubnetx64.efi.signed; do
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

pattern=${1:-.}
before='' after='' # what the loader puts around the arguments
value='^([^=]*=)(.*)$' whole='^()(.*)$'
quotes=$value # what it quotes of one with spaces

wanted() { [[ $1 =~ $pattern ]]; }

# What boots.sh compares a guest's command line with.
guest_expected() { echo "$before$2$after"; }

# arguments MAC [FIELD VALUE...]: what loaders.lua has for that machine, as the kernel is to read it:
# those with spaces are quoted, by GRUB as a whole, by the others behind their "=".
arguments() {
    "$MOONBOOT" eval "$here/loaders.lua" --mac "$1" "${@:2}" --json | python3 -c '
import json, re, sys
decided = json.load(sys.stdin)
decided = decided["menu"]["entries"][1] if "menu" in decided else decided
quote = lambda found: found[1] + chr(34) + found[2] + chr(34)
args = [a if " " not in a or chr(34) in a else re.sub(sys.argv[1], quote, a) for a in decided["args"]]
print(*args)' "$quotes"
}

mkdir -p "$LAB_DIR"
site=$LAB_DIR/site
rm -rf "$site"
site_write "$site" policy.lua
cp "$here/loaders.lua" "$site/policy.lua"
mkdir -p "$site/tftp/pxelinux.cfg"
echo "tftp: { root: tftp }" >> "$site/site.yaml"
chmod -R a+rX "$site"

lab_network
if ! boot_server_start "$site"; then
    not_ok "moonboot starts" "$(cat "$BOOT_LOG")"
    finish
    exit
fi
ok "moonboot starts"


# loads NAME FIRMWARE MAC UUID RULE [FIELD VALUE...]: a machine must boot with its arguments, which
# that rule chose.
loads() {
    wanted "$1" || return 0
    boots "$1" "$2" "$3" "$4" "$(arguments "$3" --uuid "$4" "${@:6}")"
    decided "$3" "$5"
}

# documented NAME FIRMWARE MAC UUID: a machine boots with its arguments, one of which says where
# its ten documents are; each of them is what loaders.lua wrote for it.
documented() {
    local name=$1 got seed i text
    wanted "$name" || return 0
    check "$name: boots" power_on "$name" "$2" "$3" "$4"
    got=$(guest_cmdline "$dir/console")
    seed=$(sed -n 's/.* seed=\([^ ]*\).*/\1/p' <<< "$got")
    check "$name: with the arguments that the policy chose" [ "${got% seed=*}" = \
        "$(guest_expected "$2" "$(arguments "$3" | sed 's/ seed=.*//')")" ]
    for i in 1 2 3 4 5 6 7 8 9 10; do
        text="document $i of $3 $4: #;&|\$HOME 'x' \"y\" \\ grün"
        check "$name: document $i is its own" [ "$(lab_in boot curl -sf "$seed$i.txt")" = "$text" ]
    done
}

# asked NAME FILE: the machine of that boot asked TFTP for FILE.
asked() {
    wanted "$1" || return 0
    check "$1: asked for $2" capture_shows "$LAB_DIR/$1/net.pcap" "udp dst port 69" "RRQ \"$2\""
}

# shows NAME FIRMWARE MAC PATTERN WHAT: that machine's console shows it.
shows() {
    wanted "$1" || return 0
    check "$1: $5" power_on "$1" "$2" "$3" "$(random_uuid)" "$4"
}

# disks: one that a BIOS starts, and what is to be on one that EFI starts. Each says so, and halts.
disks() {
    local esp=$LAB_CACHE/esp
    # xor ax, ax; mov ds, ax; mov si, message; next: lodsb; test al, al; jz halt; mov dx, 0x3f8;
    # out dx, al; jmp next; halt: hlt; jmp halt; message:
    {
        printf '\x31\xc0\x8e\xd8\xbe\x15\x7c\xac\x84\xc0\x74\x06\xba\xf8\x03\xee\xeb\xf5\xf4\xeb\xfd'
        printf 'this is the disk\r\n\0'
    } > "$LAB_CACHE/disk.img"
    truncate -s 510 "$LAB_CACHE/disk.img"
    printf '\x55\xaa' >> "$LAB_CACHE/disk.img"
    truncate -s 1M "$LAB_CACHE/disk.img"
    mkdir -p "$esp/EFI/BOOT" "$esp/EFI/debian"
    cp /usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed "$esp/EFI/BOOT/BOOTX64.EFI"
    printf 'echo this is the disk\nhalt\n' > "$esp/EFI/debian/grub.cfg"
}

# config NAME: the site's own PXELINUX configuration of that name.
config() {
    cat > "$site/tftp/pxelinux.cfg/$1" << END
DEFAULT linux
LABEL linux
  LINUX ::assets/vmlinuz
  INITRD ::assets/initrd.img
  APPEND console=ttyS0,115200n8 quiet config=$1
END
}

# tree NAME FILE: a machine boots by the configuration of that name.
tree() {
    wanted "$1" || return 0
    config "$2"
    before="BOOT_IMAGE=::assets/vmlinuz " after=" initrd=::assets/initrd.img"
    boots "$1" bios 52:54:00:00:01:05 "$(random_uuid)" "console=ttyS0,115200n8 quiet config=$2"
    rm "$site/tftp/pxelinux.cfg/$2"
}

echo "# PXELINUX"
dhcp_start udhcpd
before="BOOT_IMAGE=10.0.0.2::assets/vmlinuz " after=" initrd=10.0.0.2::assets/initrd.img"
uuid=$(random_uuid)
loads pxelinux bios 52:54:00:00:01:01 "$uuid" "by PXELINUX"
asked pxelinux "52-54-00-00-01-01/pxelinux.cfg/01-52-54-00-00-01-01\?arch=bios&uuid=$uuid"

loads pxelinux-uuid bios 52:54:00:00:01:03 00112233-4455-6677-8899-aabbccddeeff "by UUID"
asked pxelinux-uuid "pxelinux.cfg/33221100-5544-7766-8899-aabbccddeeff"

loads pxelinux-mac bios 52:54:00:00:01:04 "$(random_uuid)" "by MAC"
asked pxelinux-mac "pxelinux.cfg/01-52-54-00-00-01-04"

tree pxelinux-ip 0A0000
asked pxelinux-ip "pxelinux.cfg/0A0000[0-9A-F]{2}"
tree pxelinux-default default

before="BOOT_IMAGE=http://10.0.0.2:8080/assets/vmlinuz " after=" initrd=http://10.0.0.2:8080/assets/initrd.img"
loads lpxelinux bios 52:54:00:00:01:02 "$(random_uuid)" "by lpxelinux"
if wanted lpxelinux; then
    check "lpxelinux: fetched the kernel by HTTP" \
        capture_shows "$LAB_DIR/lpxelinux/net.pcap" "tcp dst port 8080" "GET /assets/vmlinuz"
    check_not "lpxelinux: fetched no kernel by TFTP" \
        capture_shows "$LAB_DIR/lpxelinux/net.pcap" "udp dst port 69" "vmlinuz"
fi

echo "# iPXE"
before='' after=''
loads ipxe-bios bios 52:54:00:00:03:01 "$(random_uuid)" "by iPXE"
before='vmlinuz initrd=initrd1 '
loads ipxe-uefi uefi-pxe 52:54:00:00:03:02 "$(random_uuid)" "by iPXE"
documented ten-documents uefi-pxe 52:54:00:00:03:0a "$(random_uuid)"
dhcp_stop

echo "# GRUB: the DHCP server names moonboot as the boot server"
dhcp_start udhcpd 10.0.0.2
quotes=$whole
before="BOOT_IMAGE=(tftp,10.0.0.2)/assets/vmlinuz " after=''
loads grub uefi-pxe 52:54:00:00:02:01 "$(random_uuid)" "by GRUB"
GUEST_MORE=(-smbios "type=1,serial=S-1 & co")
loads grub-asks uefi-pxe 52:54:00:00:02:02 "$(random_uuid)" "GRUB by serial number" --serial "S-1 & co" --arch efi-x64
GUEST_MORE=()
loads shim uefi-secure 52:54:00:00:02:03 "$(random_uuid)" "by shim"
asked shim "52-54-00-00-02-03/grubx64.efi"
shows secure-boot uefi-secure 52:54:00:00:03:03 "Access Denied|Security Violation" "that firmware starts nothing unsigned"

echo "# disks"
disks
disk_bios=(-drive "file=$LAB_CACHE/disk.img,format=raw,if=virtio")
disk_uefi=(-drive "file=fat:$LAB_CACHE/esp,format=raw,if=none,id=d0,readonly=on"
    -device "virtio-blk-pci,drive=d0,bootindex=2")
GUEST_MORE=("${disk_bios[@]}")
shows disk-ipxe-bios bios 52:54:00:00:04:01 "this is the disk" "iPXE starts the disk"
shows disk-pxelinux bios 52:54:00:00:04:03 "this is the disk" "PXELINUX starts the disk"
GUEST_MORE=("${disk_uefi[@]}")
shows disk-ipxe-uefi uefi-pxe 52:54:00:00:04:01 "this is the disk" "iPXE leaves, and the firmware starts the disk"
shows disk-grub-uefi uefi-pxe 52:54:00:00:04:02 "this is the disk" "GRUB starts the disk's loader"
GUEST_MORE=()

echo "# menus"
after='' before=''
quotes=$value
loads menu-ipxe bios 52:54:00:00:05:01 "$(random_uuid)" "a menu"
before="BOOT_IMAGE=10.0.0.2::assets/vmlinuz " after=" initrd=10.0.0.2::assets/initrd.img"
loads menu-pxelinux bios 52:54:00:00:05:02 "$(random_uuid)" "a menu"
quotes=$whole before="BOOT_IMAGE=(tftp,10.0.0.2)/assets/vmlinuz " after=''
loads menu-grub uefi-pxe 52:54:00:00:05:03 "$(random_uuid)" "a menu"

boot_server_stop
dhcp_stop
finish
