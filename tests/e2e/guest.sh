# shellcheck shell=bash
# The guest: Debian's cloud kernel and an initramfs that prints its kernel command line and powers
# off. Both are unpacked from Debian's packages under build/lab/cache and never installed.

GUEST_BEGIN="--- kernel command line ---"
GUEST_END="--- end ---"
GUEST_MORE=()

# guest_fetch PACKAGE FILE NAME: FILE (a pattern) of a Debian package, as $LAB_CACHE/NAME.
guest_fetch() {
    local work=$LAB_CACHE/unpack
    rm -rf "$work"
    mkdir -p "$work/root"
    # apt's own user may not be able to write here; root is.
    # shellcheck disable=SC2086 # a pattern
    (cd "$work" && apt-get -q -o APT::Sandbox::User=root download "$1") &&
        dpkg-deb -x "$work"/*.deb "$work/root" &&
        mv "$work"/root/$2 "$LAB_CACHE/$3" &&
        rm -rf "$work"
}

# guest_kernel: the package that holds the newest cloud kernel; the package of that name is empty.
guest_kernel() {
    LC_ALL=C apt-cache depends linux-image-cloud-amd64 2> /dev/null |
        sed -n 's/^ *Depends: *\(linux-image-[^ ]*\)$/\1/p' | head -n 1
}

# guest_build: makes $LAB_CACHE/{vmlinuz,initrd.img,busybox}, fetching what is not there yet. What
# it did is in $LAB_CACHE/build.log, and on standard error when it failed.
guest_build() {
    mkdir -p "$LAB_CACHE"
    [ -f "$LAB_CACHE/vmlinuz" ] || echo "fetching a Debian kernel for the guest (27 MB, once)"
    guest_make > "$LAB_CACHE/build.log" 2>&1 || { cat "$LAB_CACHE/build.log" >&2; return 1; }
}

guest_make() {
    local work=$LAB_CACHE/initramfs
    if [ ! -f "$LAB_CACHE/vmlinuz" ] || [ ! -f "$LAB_CACHE/busybox" ]; then
        apt-get -q update && # an old list names packages that are gone
            guest_fetch busybox-static bin/busybox busybox &&
            guest_fetch "$(guest_kernel)" 'boot/vmlinuz-*' vmlinuz || return 1
    fi
    rm -rf "$work"
    mkdir -p "$work/bin" "$work/proc"
    cp "$LAB_CACHE/busybox" "$work/bin/busybox"
    cat > "$work/init" << END
#!/bin/busybox sh
/bin/busybox mount -t proc proc /proc
echo
echo "$GUEST_BEGIN"
/bin/busybox cat /proc/cmdline
echo "$GUEST_END"
/bin/busybox poweroff -f
END
    chmod 755 "$work/init"
    (cd "$work" && find . | ../busybox cpio -o -H newc -R 0:0 2> /dev/null | gzip -9n) \
        > "$LAB_CACHE/initrd.img"
}

# guest_cmdline CONSOLE: what the guest printed of /proc/cmdline; nothing if it did not come so far.
guest_cmdline() {
    tr -d '\r' < "$1" | sed -n "/^$GUEST_BEGIN\$/,/^$GUEST_END\$/{//d;p}"
}

# guest_expected FIRMWARE ARGS: the command line of a guest that was given ARGS. Under EFI, iPXE puts
# the kernel's name first, as EFI programs have it, and moonboot names the initrd for it.
guest_expected() {
    [ "$1" = bios ] || printf 'vmlinuz initrd=initrd1 '
    echo "$2"
}

# guest_start DIR FIRMWARE MAC UUID: a virtual machine with FIRMWARE
#   bios        SeaBIOS, and iPXE in the network card's ROM
#   uefi-pxe    OVMF, which boots by its own PXE stack (the card has no ROM)
#   uefi-http   OVMF, which boots by its own HTTP stack
#   uefi-secure as uefi-pxe, with Secure Boot on, by Microsoft's keys
# on tap0, for LAB_TIMEOUT seconds at most. Its console goes to DIR/console. Sets GUEST_PID.
# GUEST_MORE are further arguments of QEMU.
# Always by emulation: /dev/kvm may exist in a virtual machine and still fail.
guest_start() {
    local dir=$1 firmware=$2 mac=$3 uuid=$4
    local machine=(-machine pc) rom='' keys=''
    if [ "$firmware" != bios ]; then
        rom=",romfile="
        [ "$firmware" != uefi-secure ] || keys=.ms
        cp "/usr/share/OVMF/OVMF_VARS_4M$keys.fd" "$dir/vars.fd"
        machine=(-machine "q35${keys:+,smm=on}" ${keys:+-global driver=cfi.pflash01,property=secure,value=on}
            -drive "if=pflash,format=raw,readonly=on,file=/usr/share/OVMF/OVMF_CODE_4M$keys.fd"
            -drive "if=pflash,format=raw,file=$dir/vars.fd"
            -fw_cfg "name=opt/org.tianocore/IPv6Support,string=n"
            -fw_cfg "name=opt/org.tianocore/IPv6PXESupport,string=n")
    fi
    [ "$firmware" != uefi-http ] || # leaves HTTP as the only way
        machine+=(-fw_cfg "name=opt/org.tianocore/IPv4PXESupport,string=n")
    : > "$dir/console"
    lab_spawn net timeout --foreground -k 5 "$LAB_TIMEOUT" qemu-system-x86_64 "${machine[@]}" \
        -accel tcg -m 512 -uuid "$uuid" -boot n -no-reboot \
        -nographic -monitor none -serial "file:$dir/console" \
        -netdev tap,id=n0,ifname=tap0,script=no,downscript=no \
        -device "virtio-net-pci,netdev=n0,mac=$mac,bootindex=1$rom" "${GUEST_MORE[@]}" > "$dir/qemu.log" 2>&1
    # shellcheck disable=SC2034 # for the caller
    GUEST_PID=$LAB_PID
}
