#!/usr/bin/env bash
# A machine is installed once, for real: a small installer, booted from the network, writes a disk
# that boots, says so by its event and restarts; from then on the machine starts its disk, until an
# operator has it reinstalled.
set -eu
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/e2e/lab.sh
. "$here/lab.sh"
# shellcheck source=tests/e2e/guest.sh
. "$here/guest.sh"
# shellcheck source=tests/e2e/boots.sh
. "$here/boots.sh"

INSTALLER=$LAB_CACHE/installer # vmlinuz, its modules, and what is made of them

# In the order in which they can be loaded.
MODULES="net/core/failover drivers/net/net_failover drivers/virtio/virtio_ring drivers/virtio/virtio
    drivers/virtio/virtio_pci_legacy_dev drivers/virtio/virtio_pci_modern_dev drivers/virtio/virtio_pci
    drivers/net/virtio_net drivers/block/virtio_blk"

# installer_fetch: a kernel with the modules that belong to it.
installer_fetch() {
    local module work=$LAB_CACHE/unpack
    [ ! -d "$INSTALLER/modules" ] || return 0
    rm -rf "$work"
    mkdir -p "$work/root" "$INSTALLER/fetched"
    apt-get -q update
    (cd "$work" && apt-get -q -o APT::Sandbox::User=root download "$(guest_kernel)")
    dpkg-deb -x "$work"/*.deb "$work/root"
    cp "$work"/root/boot/vmlinuz-* "$INSTALLER/vmlinuz"
    for module in $MODULES; do
        cp "$work"/root/lib/modules/*/kernel/"$module.ko" "$INSTALLER/fetched/"
    done
    mv "$INSTALLER/fetched" "$INSTALLER/modules"
    rm -rf "$work"
}

# installer_make: the installer's initramfs. It is told by its arguments what to write to the disk,
# and where to say that it has.
installer_make() {
    local work=$INSTALLER/initramfs module
    rm -rf "$work"
    mkdir -p "$work/bin" "$work/proc" "$work/sys" "$work/dev" "$work/m"
    cp "$LAB_CACHE/busybox" "$work/bin/busybox"
    cp "$INSTALLER"/modules/*.ko "$work/m/"
    {
        cat << 'END'
#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
END
        for module in $MODULES; do
            echo "insmod /m/${module##*/}.ko"
        done
        cat << 'END'
set -f
for word in $(cat /proc/cmdline); do
    case $word in
    image=*) image=${word#image=} ;;
    done=*) done=${word#done=} ;;
    esac
done
ip link set eth0 up
udhcpc -q -n -t 10 -i eth0 -s /lease > /dev/null || echo "--- no lease ---"
if wget -q -O - "$image" | dd of=/dev/vda bs=64k 2> /dev/null && sync &&
    wget -q -O /dev/null --post-data "how=well" "$done"; then
    echo "--- installed ---"
else
    echo "--- not installed ---"
fi
reboot -f
END
    } > "$work/init"
    cat > "$work/lease" << 'END'
#!/bin/busybox sh
[ "$1" != bound ] || /bin/busybox ip addr add "$ip/$mask" dev "$interface"
END
    chmod 755 "$work/init" "$work/lease"
    (cd "$work" && find . | ../../busybox cpio -o -H newc -R 0:0 2> /dev/null | gzip -1n) > "$INSTALLER/initrd.img"
}

# disk_image FILE: a disk whose boot sector says so on the serial line, and halts.
disk_image() {
    {
        # cli; ds = 0; si = text; for each byte: wait for the line to be free, send it; hlt
        printf '\xfa\x31\xc0\x8e\xd8\xbe\x22\x7c\xac\x84\xc0\x74\x12\x88\xc3\xba\xfd\x03\xec\xa8\x20\x74\xfb'
        printf '\x88\xd8\xba\xf8\x03\xee\xeb\xe9\xf4\xeb\xfd\r\n--- booted from disk ---\r\n\0'
    } > "$1"
    truncate -s 510 "$1"
    printf '\x55\xaa' >> "$1"
    truncate -s 1M "$1"
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
    installer_fetch > "$LAB_CACHE/installer.log" 2>&1 || { cat "$LAB_CACHE/installer.log" >&2; exit 1; }
    installer_make
    lab_enter "${BASH_SOURCE[0]}" "$@"
    exit
fi

mkdir -p "$LAB_DIR"
site=$LAB_DIR/install-site
rm -rf "$site"
site_write "$site" policy.lua
cp "$INSTALLER/vmlinuz" "$INSTALLER/initrd.img" "$site/assets/"
disk_image "$site/assets/disk.img"
chmod -R a+rX "$site"
printf 'state: { path: state }\ncontrol: control.sock\n' >> "$site/site.yaml"
cat > "$site/policy.lua" << 'END'
local install_once = require "moonboot.install_once"
profile "install" {
  kernel = "vmlinuz", initrd = "initrd.img",
  args = { "console=ttyS0,115200n8", "quiet", "image={{assets 'disk.img'}}", "done={{event 'installed'}}" },
}
on("installed", function(machine, event) log.info("installed", machine.mac, event.body) end)
rule "workers" { boot = install_once { install = "install" }, on_error = deny "not now" }
END

lab_network
if ! boot_server_start "$site"; then
    not_ok "moonboot starts" "$(cat "$BOOT_LOG")"
    finish
    exit
fi
ok "moonboot starts"
dhcp_start dnsmasq

mac=$(random_mac)
uuid=$(random_uuid)
blank=$LAB_DIR/blank.img
rm -f "$blank"
truncate -s 16M "$blank"
GUEST_MORE=(-drive "if=none,id=d0,format=raw,file=$blank" -device "virtio-blk-pci,drive=d0,bootindex=2")

says() { # says NAME FIRMWARE TEXT: the machine, switched on, says so on its console
    power_on "$1" "$2" "$mac" "$uuid" "--- [a-z ]* ---" && grep -q -e "--- $3 ---" "$dir/console"
}
event() { # event NAME
    "$MOONBOOT" event -c "$site/site.yaml" "$1" "$mac"
}
check "a new machine is installed" says install-1 bios installed
check "its disk has what it was told to write" cmp -n 1048576 "$blank" "$site/assets/disk.img"
check "the policy was told of it" grep -q "installed $mac how=well" "$BOOT_LOG"
check "from then on it starts its disk" says install-2 bios "booted from disk"
check "because it is done" grep -q "machine=$mac rule=workers verdict=disk" "$dir/moonboot.log"
check "each time" says install-3 bios "booted from disk"
check "an operator has it reinstalled" event reinstall
check "and it is installed anew" says install-4 bios installed
check "once" says install-5 bios "booted from disk"
check "all of it is on record" [ "$("$MOONBOOT" machines -c "$site/site.yaml" "$mac" | grep -cE ' (installed|reinstall)')" = 3 ]
boot_server_stop
finish
