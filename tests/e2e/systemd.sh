#!/bin/bash
# What a service manager is told and hands over, and the units themselves.
set -u
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/e2e/lib.sh
. "$here/lib.sh"
units=$here/../../examples/systemd

told() { # told PATTERN: the service manager was
    grep -qE -- "$1" "$site/told"
}
count() { grep -cE -- "$1" "$site/told"; }
owner() { # owner PORT PROTOCOL: how many sockets stand there
    ss -Hln"$2" "sport = :$1" | wc -l
}

dhcp_enabled=true
make_site
sed -i 's/listen: .*/listen: ["127.0.0.1:18080"]/' "$site/site.yaml"
echo 'profile "p" { kernel = "k", args = { "one" } }
rule "all" { match = { mac = prefix "52:54:00" }, boot = "p" }' >"$site/policy.lua"
head -c 100000 /dev/urandom >"$site/tftp/file"

start_service python3 "$here/systemd.py" "$site/told"
wait_for "it is told READY" 5 told '^READY=1 STATUS=Generation 1 serves, 2 workers'
check "READY is the first that is told, the watchdog apart" sh -c "grep -v WATCHDOG '$site/told' | head -n 1 | grep -q ^READY=1"
check "no second socket is on the HTTP port" [ "$(owner 18080 t)" = 1 ]
check "no second socket is on the TFTP port" [ "$(owner 16969 u)" = 1 ]
check "no second socket is on the DHCP port" [ "$(owner 16767 u)" = 1 ]
check "no second socket is on port 4011's" [ "$(owner 16711 u)" = 1 ]
check "a socket of an unknown name is warned of" grep -q 'warn .*socket "odd" was handed over' "$log"
control() { timeout 10 "$BUILD/moonboot" status --json -c "$site/site.yaml"; }
given=$(stat -c %i "$site/control.sock")
own() { [ "$(stat -c '%i %a' "$site/control.sock")" = "$given 640" ]; }
check "the control socket is served by its socket" control
check "whose name and mode are the service manager's" own
check "HTTP is served by its socket" fetch "/ipxe?mac=52:54:00:00:00:01"
check "TFTP is served by its socket" \
    sh -c "curl -s --max-time 10 tftp://127.0.0.1:16969/file | cmp - '$site/tftp/file'"
check "DHCP is served by its socket" python3 "$here/dhcp_client.py" 127.0.0.1 16767 50
wait_for "the watchdog is fed" 5 told '^WATCHDOG=1$'

kill -HUP "$service"
wait_for "a reload is told" 5 told '^RELOADING=1 MONOTONIC_USEC=[0-9]+ '
wait_for "and its end" 10 told '^READY=1 STATUS=Generation 2 serves'
check "after a reload: the control socket" control
check "after a reload: it is the same" own
check "after a reload: HTTP" fetch "/ipxe?mac=52:54:00:00:00:01"
check "after a reload: TFTP" \
    sh -c "curl -s --max-time 10 tftp://127.0.0.1:16969/file | cmp - '$site/tftp/file'"
check "after a reload: DHCP" python3 "$here/dhcp_client.py" 127.0.0.1 16767 50

echo 'rule "broken" {' >>"$site/policy.lua"
kill -HUP "$service"
wait_for "a refused reload is told as READY too" 10 told '^READY=1 STATUS=Generation 2 serves; the last reload was refused'
sleep 1
beats=$(count WATCHDOG)
sleep 1
check "the watchdog is fed while nothing happens" [ "$(count WATCHDOG)" -gt "$beats" ]
kill -TERM "$service"
wait "$service"
check "exit code 0" [ $? = 0 ]
check "the stop is told" told '^STOPPING=1 '
check "the control socket's name is left alone" own
service=

sed -i '$ d' "$site/policy.lua"
: >"$site/told"
sed -i 's/port: 16767/port: 16768/; s/control.sock/other.sock/' "$site/site.yaml"
start_service python3 "$here/systemd.py" "$site/told"
check "a control socket at another path is warned of" grep -q 'none of the sockets "control" that were handed over listens at .*other.sock' "$log"
check "and that path is served" timeout 10 "$BUILD/moonboot" status --json -c "$site/site.yaml"
check "a socket on another port than site.yaml's is warned of" \
    grep -q 'none of the sockets "dhcp" that were handed over is at 0.0.0.0:16768' "$log"
check "and that port is bound" [ "$(owner 16768 u)" = 1 ]
stop_service
write_site
sed -i '/^control:/d' "$site/site.yaml"
user=()
[ "$(id -u)" != 0 ] || user=("$(command -v setpriv)" --reuid=nobody --regid=nogroup --clear-groups)
start_service python3 "$here/systemd.py" "$site/told" "${user[@]}" /usr/bin/env RUNTIME_DIRECTORY="$site"
given=$(stat -c %i "$site/control.sock")
check "without \`control\` its socket is that of the runtime directory" timeout 10 "$BUILD/moonboot" status --socket "$site/control.sock"
check "which is the service manager's" own
stop_service
write_site
NO_SOCKETS=1 start_service python3 "$here/systemd.py" "$site/told"
check "without sockets all are bound" python3 "$here/dhcp_client.py" 127.0.0.1 16767 50
stop_service

if command -v systemd-analyze >/dev/null; then
    exposure=$(systemd-analyze security --offline=true "$units/moonboot.service" 2>&1 | sed -n 's/.*exposure level for moonboot.service: \([0-9.]*\).*/\1/p')
    echo "# exposure $exposure"
    check "the unit's exposure is at most 2.0" awk "BEGIN { exit !($exposure + 0 > 0 && $exposure + 0 <= 2.0) }"
    mkdir -p "$site/units/moonboot.service.d"
    sed "s,/usr/local/bin/moonboot,$BUILD/moonboot,; s,^Documentation=.*,," "$units/moonboot.service" >"$site/units/moonboot.service"
    cp "$units"/*.socket "$site/units/"
    for drop_in in '' unprivileged tftp-hpa; do
        rm -f "$site/units/moonboot.service.d"/*
        [ -z "$drop_in" ] || cp "$units/$drop_in.conf" "$site/units/moonboot.service.d/"
        SYSTEMD_UNIT_PATH=$site/units: systemd-analyze verify --man=no "$site/units/moonboot.service" "$site/units"/*.socket >"$site/verified" 2>&1
        status=$?
        grep -v "not found\|Failed to \(open\|create\|connect\|initialize\)" "$site/verified"
        check "systemd understands the units${drop_in:+, with $drop_in.conf}" \
            sh -c "[ $status = 0 ] && ! grep -E 'Unknown|Invalid|moonboot.*ignoring' '$site/verified'"
    done
    check "the control socket is where the service would bind it" \
        sh -c "grep -qx RuntimeDirectory=moonboot '$units/moonboot.service' && grep -qx ListenStream=/run/moonboot/control.sock '$units/moonboot-control.socket'"
    check "systemd-sysusers understands its file" systemd-sysusers --dry-run "$units/moonboot.sysusers"
else
    skip "the units" "systemd-analyze is not there"
fi

make -s -C "$here/../.." install DESTDIR="$site/root" PREFIX=/opt/moonboot >/dev/null 2>&1
installed=$site/root/opt/moonboot/lib
check "make install: the unit is in place" grep -q '^ExecStart=/opt/moonboot/bin/moonboot serve' "$installed/systemd/system/moonboot.service"
check "make install: the sockets are" [ "$(find "$installed/systemd/system" -name 'moonboot-*.socket' | wc -l)" = 5 ]
check "make install: sysusers and tmpfiles are" [ -s "$installed/sysusers.d/moonboot.conf" -a -s "$installed/tmpfiles.d/moonboot.conf" ]
make -s -C "$here/../.." uninstall DESTDIR="$site/root" PREFIX=/opt/moonboot >/dev/null 2>&1
check "make uninstall leaves no file" [ -z "$(find "$site/root" -type f)" ]
finish
