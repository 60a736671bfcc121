#!/bin/sh
# Installs what is missing from Debian's packages: deps.sh build|test|lab|bench|valgrind…
# As root it installs, with progress; without root it says what to install, and fails only
# when something that a build needs is missing.
set -eu

packages() { # packages SET: what it needs
    case $1 in
    build) echo gcc make pkg-config libc6-dev libpcap-dev libluajit-5.1-dev libevent-dev libssl-dev \
        libyaml-dev libsodium-dev libseccomp-dev libedit-dev liblmdb-dev libhiredis-dev libcurl4-openssl-dev lua-cjson lua-cjson-dev ;;
    test) echo clang clang-format clang-tidy libclang-rt-dev libcmocka-dev libpcap-dev luajit \
        lua-check shellcheck zsh curl wrk tftp-hpa atftp libwrap0 busybox-static iproute2 procps python3 \
        python3-jsonschema ca-certificates redis-tools cloud-init ignition minisign systemd git ;;
    lab) echo qemu-system-x86 ipxe-qemu ovmf ipxe dnsmasq-base iproute2 ethtool tcpdump util-linux \
        pxelinux syslinux-common grub-efi-amd64-bin grub-efi-amd64-signed shim-signed ;;
    valgrind) echo valgrind ;;
    bench) echo wrk dnsmasq-base ipxe iproute2 curl python3 ;; # run.py unpacks the peers
    *)
        echo "usage: deps.sh build|test|lab|bench|valgrind…" >&2
        exit 2
        ;;
    esac
}

# Programs of packages whose installation would start a service, or push another package out, for
# the tests alone: unpacked under build/tools and never installed. PACKAGE and PROGRAM.
unpacked() { # unpacked SET
    case $1 in
    test)
        echo "tftpd-hpa usr/sbin/in.tftpd"
        echo "prometheus usr/bin/promtool"
        echo "libfaketime usr/lib/$(uname -m)-linux-gnu/faketime/libfaketime.so.1"
        ;;
    esac
}

installed() {
    case $1 in
    libclang-rt-dev) # named after clang's version, and a part of clang elsewhere
        ! command -v clang >/dev/null || [ -n "$(find /usr/lib/llvm* -name 'libclang_rt.fuzzer-*' 2>/dev/null)" ] ;;
    *) [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ] ;;
    esac
}

real_name() {
    case $1 in
    libclang-rt-dev) apt-cache search --names-only '^libclang-rt-[0-9]+-dev$' | sort -V | sed -n '1s/ .*//p' ;;
    *) echo "$1" ;;
    esac
}

if ! command -v dpkg-query >/dev/null; then
    echo "deps: no Debian here; see README.md for what to install" >&2
    exit 0
fi
tools=$(cd "$(dirname "$0")/.." && pwd)/build/tools

unpack() { # unpack PACKAGE PROGRAM: what is not there yet
    [ ! -e "$tools/$1/$2" ] || return 0
    if [ "$(id -u)" != 0 ]; then
        echo "deps: not unpacked: $1" >&2
        return 0
    fi
    echo "deps: unpacking $1" >&2
    rm -rf "${tools:?}/$1"
    mkdir -p "$tools/$1/deb"
    (cd "$tools/$1/deb" && { apt-get download -q -o APT::Sandbox::User=root "$1" ||
        { apt-get update -q && apt-get download -q -o APT::Sandbox::User=root "$1"; }; } >&2)
    dpkg-deb --fsys-tarfile "$tools/$1"/deb/*.deb | tar -x -C "$tools/$1" "./$2"
    rm -rf "$tools/$1/deb"
}

for set in "$@"; do
    unpacked "$set" | while read -r package program; do
        unpack "$package" "$program"
    done
done
missing=
for set in "$@"; do
    for package in $(packages "$set"); do
        installed "$package" || missing="$missing $package"
    done
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" != 0 ]; then
    echo "deps: not installed:$missing" >&2
    echo "deps: as root: apt-get install$missing" >&2
    for package in $missing; do
        case " $(packages build) " in *" $package "*) exit 1 ;; esac
    done
    exit 0
fi
echo "deps: installing$missing" >&2
case " $missing " in
*" cloud-init "*) # for its schema: this host is not to be configured by it
    mkdir -p /etc/cloud
    touch /etc/cloud/cloud-init.disabled
    ;;
esac
export DEBIAN_FRONTEND=noninteractive
apt-get update -q >&2
names=
for package in $missing; do
    names="$names $(real_name "$package")"
done
# shellcheck disable=SC2086 # a list of names
apt-get install -q -y --no-install-recommends $names >&2
