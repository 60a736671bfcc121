#!/bin/bash
# The documents of examples/, for ordinary and for hostile machines, handed to the programs that
# read such documents.
set -u
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/e2e/lib.sh
. "$here/lib.sh"

examples=$here/../../examples
work=$(mktemp -d /tmp/moonboot-documents-XXXXXX)
log=/dev/null
trap 'rm -rf "$work"' EXIT

# Python with PyYAML: Debian's own has it, when cloud-init is installed.
python=/usr/bin/python3
[ -x $python ] || python=python3

# render EXAMPLE NAME FIELDS…: prints the name of the file with that document
render() {
    local example=$1 name=$2
    shift 2
    "$BUILD/moonboot" eval "$examples/$example/policy.lua" --json --render "config/$name" "$@" >"$work/eval.json" \
        || return 1
    "$python" "$here/documents.py" extract "config/$name" <"$work/eval.json" >"$work/document" && echo "$work/document"
}

# document WHAT EXAMPLE NAME MACHINE CHECK…: renders for that machine (an array's name), and has
# CHECK look at the file
document() {
    local what=$1 example=$2 name=$3 file
    local -n machine=$4
    shift 4
    if file=$(render "$example" "$name" "${machine[@]}"); then
        check "$what" "$@" "$file"
    else
        check "$what" false
    fi
}

# with PROGRAM WHAT …: as document, when there is that program
with() {
    local program=$1
    shift
    if command -v "$program" >/dev/null; then
        document "$@"
    else
        skip "$1" "$program is not installed"
    fi
}

# shellcheck disable=SC2034 # named below
{
    guest=(--mac 52:54:00:12:34:56 --uuid 4C4C4544-0052-3510-8051-B4C04F4E3732 --arch efi-x64 --serial R5QNN72
        --product "Standard PC" --hostname node7 --gateway 10.0.0.1)
    bare=(--mac 52:54:00:12:34:56 --arch bios)
    controller=(--mac 52:54:00:00:00:10 --arch efi-x64)
    web=("${guest[@]}" --label role=web)
    hypervisor=("${guest[@]}" --label role=hypervisor)
    bytes=$(printf '\001\033\177\302\205\303\251\377 "quoted" \\ $(x) `x` ${x} {{x}} # : - %%s ~=&<>'\''')
    hostile=(--mac 52:54:00:12:34:56 --arch efi-x64 --label "role=web" --label "$bytes=$bytes" --asset "$bytes"
        --serial "$bytes"$'\n'"x: [y" --product "$bytes"$'\n'"- z" --manufacturer "$bytes" --hostname "$bytes")
    odd=(--mac 52:54:00:12:34:56 --arch efi-x64 --serial "it's \"a\" \$(reboot) \`x\` # {{x}} é" --product "'; reboot; '")
}

for machine in guest bare controller hostile; do
    with ignition-validate "Ignition: a document for $machine" coreos node.ign "$machine" ignition-validate
    document "Ignition: its structure for $machine" coreos node.ign "$machine" "$python" "$here/documents.py" ignition
done

schema() {
    cloud-init schema -c "$1"
}
for machine in guest bare web hostile; do
    with cloud-init "cloud-init: user-data for $machine" cloud-init nocloud/user-data "$machine" schema
    with cloud-init "cloud-init: vendor-data for $machine" cloud-init nocloud/vendor-data "$machine" schema
    with cloud-init "cloud-init: meta-data for $machine" cloud-init nocloud/meta-data "$machine" \
        "$python" "$here/documents.py" meta-data
done

for machine in guest bare hypervisor hostile; do
    with cloud-init "autoinstall: answers for $machine" ubuntu-autoinstall autoinstall/user-data "$machine" \
        "$python" "$here/documents.py" autoinstall
    with cloud-init "autoinstall: meta-data for $machine" ubuntu-autoinstall autoinstall/meta-data "$machine" \
        "$python" "$here/documents.py" meta-data
done

for machine in guest bare odd; do
    with debconf-set-selections "preseed: answers for $machine" debian-preseed preseed.cfg "$machine" \
        debconf-set-selections --checkonly
    document "preseed: its script for $machine" debian-preseed late.sh "$machine" sh -n
    document "kickstart: its structure for $machine" kickstart ks.cfg "$machine" "$python" "$here/documents.py" kickstart
    if command -v ksvalidator >/dev/null; then # Debian has no package of it
        document "kickstart: for $machine" kickstart ks.cfg "$machine" ksvalidator -v RHEL9
    fi
done

# What has a line break cannot be said in these two.
render debian-preseed preseed.cfg "${hostile[@]}" >/dev/null 2>&1
check "preseed: refused for hostile" [ $? -ne 0 ]
render kickstart ks.cfg "${hostile[@]}" >/dev/null 2>&1
check "kickstart: refused for hostile" [ $? -ne 0 ]

finish
