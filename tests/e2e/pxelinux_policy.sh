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
uuid=$(random_uuid)
args="console=ttyS0,115200n8 quiet ds=nocloud-net;s=http://10.0.0.2/s/ a=b&c"

# config NAME WORD: a configuration of the tree, whose kernel is told WORD.
config() {
    cat > "$site/tftp/pxelinux.cfg/$1" << END
DEFAULT node
LABEL node
  KERNEL images/vmlinuz
  APPEND $args tree=$2 initrd=images/initrd.img
  IPAPPEND 2
