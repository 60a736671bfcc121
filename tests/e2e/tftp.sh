#!/bin/bash
# TFTP: the clients that people have against the real service, also over a network that loses,
# doubles and reorders packets. Needs no root.
# shellcheck disable=SC2317,SC2119 # functions are called by way of check; no arguments needed
set -u
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/e2e/lib.sh
. "$here/lib.sh"

server=127.0.0.1
port=$tftp_port # or the relay's
relay=

have() { command -v "$1" >/dev/null; }

# Each fetches NAME into $site/got.
by_curl() { # by_curl NAME [OPTION…]
    local name=$1
    shift
    curl -sS --max-time 300 --path-as-is "$@" "tftp://$server:$port/$name" -o "$site/got"
}
by_tftp() { # by_tftp NAME [MODE]
    timeout 300 tftp -m "${2:-octet}" "$server" "$port" -c get "$1" "$site/got" | tee "$site/said"
    ! grep -qE 'Error|timed out' "$site/said"
}
by_atftp() { # by_atftp NAME [OPTION…], such as "blksize 1468"
    local name=$1 options=() option
    shift
    for option; do options+=(--option "$option"); done
    timeout 300 atftp "${options[@]}" -g -r "$name" -l "$site/got" "$server" "$port"
}
by_patient_atftp() { # atftp gives up when the network doubles an OACK: then it starts again
    local attempt
    for attempt in 1 2 3 4 5 6; do
        by_atftp "$@" 2>"$site/said" && return 0
        grep -q 'unexpected OACK' "$site/said" || return 1
        echo "# attempt $attempt: unexpected OACK"
    done
    return 1
}
by_busybox() { # by_busybox NAME [OPTION…]
    local name=$1
    shift
    timeout 300 busybox tftp -g "$@" -r "$name" -l "$site/got" "$server" "$port"
}

whole() { # whole NAME COMMAND…: what the command fetches is this file
    local name=$1
    shift
    rm -f "$site/got"
    "$@" && cmp "$site/tftp/$name" "$site/got"
}

# refused CODES NAME: the answer to a read request is an ERROR with one of these codes
refused() {
    python3 - "$server" "$port" "$@" <<'PY'
import os, socket, sys
server, port, codes, name = sys.argv[1:]
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(5)
s.sendto(b"\0\1" + os.fsencode(name) + b"\0octet\0", (server, int(port)))
answer = s.recv(2000)
assert answer[:2] == b"\0\5", answer
assert str(answer[3]) in codes.split("|"), answer
assert answer[4:-1] and answer[-1] == 0, answer
PY
}

make_files() {
    local size
    for size in 0 1 511 512 513 1468 100000 1000000; do
        head -c "$size" /dev/urandom >"$site/tftp/$size"
    done
    head -c 104857600 /dev/urandom >"$site/tftp/big"
    mkdir "$site/tftp/dir" "$site/outside"
    echo inside >"$site/tftp/dir/file"
    echo secret >"$site/outside/secret"
    ln -s "$site/outside/secret" "$site/tftp/link-absolute"
    ln -s ../outside/secret "$site/tftp/link-relative"
    ln -s ../outside "$site/tftp/link-directory"
    ln -s dir/file "$site/tftp/link-inside"
    printf 'one\ntwo\rthree\r\n' >"$site/tftp/text"
    # Workers may be somebody else.
    chmod -R a+rX "$site"
    echo 'rule "everyone" { boot = ignore }' >"$site/policy.lua"
}

sizes() { # sizes WHAT COMMAND…: the small files by one client
    local what=$1 size
    shift
    for size in 0 1 511 512 513 1468 1000000; do
        check "$what: $size bytes" whole "$size" "$1" "$size" "${@:2}"
    done
}

clients() {
    sizes "curl" by_curl
    sizes "curl, blksize 1468" by_curl --tftp-blksize 1468
    sizes "curl, no options" by_curl --tftp-no-options
    check "curl: 100 MiB in blocks of 512 (numbers wrap)" whole big by_curl big
    check "curl: 100 MiB in blocks of 8192" whole big by_curl big --tftp-blksize 8192
    if have tftp; then
        sizes "tftp" by_tftp
        check "tftp: 100 MiB" whole big by_tftp big
    else
        skip "tftp" "not installed"
    fi
    if have atftp; then
        sizes "atftp" by_atftp
        for window in 1 4 16 64; do
            sizes "atftp, windowsize $window" by_atftp "blksize 1468" "windowsize $window"
            check "atftp, windowsize $window: 100 MiB" \
                whole big by_atftp big "blksize 1468" "windowsize $window"
        done
    else
        skip "atftp (windows)" "not installed"
    fi
    if have busybox; then
        sizes "busybox" by_busybox
        sizes "busybox, blksize 1468" by_busybox -b 1468
    else
        skip "busybox" "not installed"
    fi
    rm -f "$site/got"
    check "netascii" by_curl 'text;mode=netascii' --tftp-no-options
    check "a directory below" whole dir/file by_curl dir/file
    check "a link within the root" whole dir/file by_curl link-inside
}

quirks() {
    check "backslashes" whole dir/file by_busybox 'dir\file'
    check "a leading slash" whole dir/file by_busybox /dir/file
    check "a leading backslash" whole dir/file by_busybox '\dir\file'
}

refusals() {
    local name
    check "no such file: not found" refused 1 nothing
    check "a directory: not found" refused 1 dir
    # What leads out of the root may be called either, as long as it is refused.
    for name in ../../etc/passwd ../outside/secret dir/../../outside/secret '..\..\etc\passwd' \
        '..\outside\secret' /etc/passwd "$site/outside/secret" /../../etc/passwd \
        link-absolute link-relative link-directory/secret; do
        check "refused: $name" refused "1|2" "$name"
    done
    if have tftp; then
        echo mine >"$site/mine"
        timeout 20 tftp -m octet "$server" "$port" -c put "$site/mine" written >"$site/said" 2>&1
        check "a write: refused as read-only" grep -qi 'read-only' "$site/said"
        check "a write: wrote nothing" [ ! -e "$site/tftp/written" ]
    fi
}

many() { # as many at once as one address may
    local i pids=() pid bad=0
    for i in $(seq 30); do
        curl -sS --max-time 60 --tftp-blksize 1024 "tftp://$server:$port/1000000" \
            -o "$site/got-$i" &
        pids+=($!)
    done
    for pid in "${pids[@]}"; do wait "$pid" || bad=$((bad + 1)); done
    for i in $(seq 30); do cmp -s "$site/tftp/1000000" "$site/got-$i" || bad=$((bad + 1)); done
    rm -f "$site"/got-*
    return "$bad"
}

leave() {
    [ -n "$relay" ] && kill "$relay"
    clean_up
}

over_bad_network() {
    port=$((tftp_port + 1))
    "$here/tftp_relay.py" "$port" "$tftp_port" &
    relay=$!
    sleep 0.5
    check "bad network: curl" whole 100000 by_curl 100000 --tftp-blksize 1468
    check "bad network: curl, no options" whole 513 by_curl 513 --tftp-no-options
    if have tftp; then
        check "bad network: tftp" whole 1468 by_tftp 1468
    fi
    if have atftp; then
        for window in 1 4 16 64; do
            check "bad network: atftp, windowsize $window" \
                whole 100000 by_patient_atftp 100000 "blksize 1468" "windowsize $window"
        done
        check "bad network: atftp, a longer file" \
            whole 1000000 by_patient_atftp 1000000 "blksize 1468" "windowsize 16"
    fi
}

make_site
trap leave EXIT
make_files
start_service
clients
quirks
refusals
check "thirty transfers at once" many
over_bad_network

finish
