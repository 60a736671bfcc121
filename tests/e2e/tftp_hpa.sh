#!/bin/bash
# TFTP by tftp-hpa: started, watched, restarted, stopped, and exchanged for the built-in server.
set -u
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/e2e/lib.sh
. "$here/lib.sh"

tools=$(cd "$here/../.." && pwd)/build/tools
PATH=$PATH:$tools/tftpd-hpa/usr/sbin
if [ "$(id -u)" != 0 ]; then
    echo "skipped - tftp-hpa: needs root"
    exit 0
elif ! command -v in.tftpd /usr/sbin/in.tftpd >/dev/null; then
    echo "skipped - tftp-hpa: in.tftpd is not there (make deps)"
    exit 0
fi

hpa_site() { # hpa_site [TFTP…]: a site with tftp-hpa, its options changed
    write_site
    sed -i "s,backend: builtin,backend: ${1:-hpa},; ${2:-}" "$site/site.yaml"
}
get() { # get NAME: by TFTP, to $site/got
    rm -f "$site/got"
    curl -s --max-time 3 --path-as-is "tftp://127.0.0.1:$tftp_port/$1" -o "$site/got"
}
gives() { # gives NAME FILE: asked for NAME it sends FILE
    get "$1" && cmp -s "$site/tftp/$2" "$site/got"
}
listener() { pgrep -P "$service" -x in.tftpd; }
gone() { # gone PID: ended; a zombie that its new parent has not yet waited for is gone too
    ! grep -qv "^State:.Z" <(grep "^State" "/proc/$1/status" 2>/dev/null)
}
metric() { fetch /metrics | sed -n "s/^$1 //p"; }
reload() { # reload WANTED: sends SIGHUP, waits for a log line
    local before
    before=$(wc -l <"$log")
    kill -HUP "$service"
    wait_for "$1 (reload)" 15 sh -c "tail -n +$((before + 1)) '$log' | grep -q '$1'"
}
good_policy() {
    echo 'profile "p" { kernel = "vmlinuz" }
rule "all" { boot = "p" }' >"$site/policy.lua"
}

make_site
good_policy
head -c 3000000 /dev/urandom >"$site/tftp/undionly.kpxe"
mkdir "$site/tftp/dir"
echo deep >"$site/tftp/dir/file"
echo signed >"$site/tftp/grubx64.efi"
install -m 660 -g nogroup /dev/null "$site/tftp/own" && echo own >"$site/tftp/own"
chmod 666 "$site/tftp/dir/file"
hpa_site

cp -a "$site/site.yaml" "$site/good.yaml"
sed -i 's, root: tftp,,' "$site/site.yaml"
check "check: tftp-hpa needs a root, and says where" \
    sh -c "'$BUILD/moonboot' check -c '$site/site.yaml' 2>&1 | grep -q 'site.yaml:[0-9]*:18: .backend: hpa. needs .root.'"
cp -a "$site/good.yaml" "$site/site.yaml"
check "check: warns of what is not under the root" \
    sh -c "'$BUILD/moonboot' check -c '$site/site.yaml' 2>&1 | grep -q 'site.yaml:[0-9]*: warning: .root. has no snponly.efi, which'"
mkdir "$site/bin"
printf '#!/bin/sh\necho atftp daemon\n' >"$site/bin/in.tftpd"
chmod 755 "$site/bin/in.tftpd"
check "check: another program of that name is refused" \
    sh -c "PATH='$site/bin:$PATH' '$BUILD/moonboot' check -c '$site/site.yaml' 2>&1 | grep -q 'site.yaml:[0-9]*:18: .*in.tftpd says it is \"atftp daemon\", expected a tftp-hpa'"
if [ ! -e /usr/sbin/in.tftpd ]; then
    check "check: no program is an error with its place" \
        sh -c "PATH=/usr/bin:/bin '$BUILD/moonboot' check -c '$site/site.yaml' 2>&1 | grep -q 'site.yaml:[0-9]*:18: .*there is no in.tftpd on PATH'"
    PATH=/usr/bin:/bin "$BUILD/moonboot" serve -c "$site/site.yaml" >"$site/refused.log" 2>&1
    check "serve: no program, exit code 1" [ $? = 1 ]
    check "serve: no program is an error with its place" grep -q 'site.yaml:[0-9]*:18: .*install it' "$site/refused.log"
fi
echo 'profile "p" { kernel = "vmlinuz",
  dhcp = { loader = "pxelinux" } }
rule "all" { boot = "p" }' >"$site/policy.lua"
check "check: a policy that needs the built-in server is refused, with its line" \
    sh -c "'$BUILD/moonboot' check -c '$site/site.yaml' 2>&1 | grep -q 'policy.lua:2: dhcp.loader: pxelinux .*built-in server'"
good_policy

start_service
wait_for "in.tftpd runs" 5 listener
wait_for "gives a file" 5 gives undionly.kpxe undionly.kpxe
first=$(listener)
check "warns at load of what is not under the root" grep -q 'warn .*has no snponly.efi, which tftp-hpa' "$log"
check "metrics: it is up" [ "$(metric moonboot_tftp_hpa_up)" = 1 ]
check "gives it with a slash" gives /undionly.kpxe undionly.kpxe
check "gives it beneath a machine's directory" gives 52-54-00-12-34-56/undionly.kpxe undionly.kpxe
check "gives what is deeper beneath a machine's directory" gives /52-54-00-aB-34-56/dir/file dir/file
check "takes backslashes and doubled slashes" gives '\\dir\\//file' dir/file
check "gives shim what it asks for" gives "grubx64.efi%ff%01" grubx64.efi
check "reads as the site's user" gives own own
check "what is outside the root does not come" sh -c "! curl -s --max-time 5 --path-as-is tftp://127.0.0.1:$tftp_port/../policy.lua"
check "nothing can be written" sh -c "! curl -s --max-time 5 -T '$site/policy.lua' tftp://127.0.0.1:$tftp_port/dir/file"
check "and nothing was" [ "$(cat "$site/tftp/dir/file")" = deep ]
check "its requests are in our log" grep -q 'in.tftpd: RRQ from 127.0.0.1 filename undionly.kpxe.* pid=' "$log"
check "no socket of ours stands on the port" [ "$(ss -Hlunp "sport = :$tftp_port" | grep -c moonboot)" = 0 ]

reload ready
check "a reload that changes nothing leaves it alone" [ "$(listener)" = "$first" ]

kill -9 "$first"
wait_for "killed, it is started again" 5 sh -c "pgrep -P $service -x in.tftpd"
wait_for "and serves" 5 gives undionly.kpxe undionly.kpxe
check "its end is in the log" grep -q "in.tftpd (pid $first) was ended by signal 9" "$log"
check "metrics: it was restarted" [ "$(metric moonboot_tftp_hpa_restarts_total)" = 1 ]

check "status: its state" sh -c "'$BUILD/moonboot' status -c '$site/site.yaml' | grep -qE '^tftp-hpa +runs, process [0-9]+, restarted 1 times'"

second=$(listener)
echo 'profile "p" { kernel = "vmlinuz", files = { a = "b" } }
rule "all" { boot = "p" }' >"$site/policy.lua"
reload refused
check "a policy that needs the built-in server is refused" grep -q 'policy.lua:1: files: .*built-in server' "$log"
check "and in.tftpd goes on" [ "$(listener)" = "$second" ]
good_policy

mkdir "$site/other"
echo other >"$site/other/only"
hpa_site hpa 's,root: tftp,root: other,'
reload ready
wait_for "another root: it is started anew" 5 sh -c "p=\$(pgrep -P $service -x in.tftpd) && [ \"\$p\" != $second ]"
wait_for "another root: its files" 5 sh -c "curl -s --max-time 3 tftp://127.0.0.1:$tftp_port/only | grep -q other"
check "another root: not the files of the one before" sh -c "! curl -s --max-time 5 tftp://127.0.0.1:$tftp_port/undionly.kpxe"

head -c 40000000 /dev/urandom >"$site/other/big"
curl -s --max-time 60 --tftp-blksize 512 --limit-rate 20M "tftp://127.0.0.1:$tftp_port/big" -o "$site/big" &
transfer=$!
sleep 0.3
hpa_site builtin
reload ready
wait_for "to the built-in server: in.tftpd listens no more" 5 sh -c "! pgrep -P $service -x in.tftpd"
wait_for "to the built-in server: it serves" 5 gives undionly.kpxe undionly.kpxe
check "to the built-in server: our sockets are there" [ "$(ss -Hlunp "sport = :$tftp_port" | grep -c moonboot)" -ge 1 ]
check "to the built-in server: metrics say nothing of tftp-hpa" sh -c "! curl -s $base/metrics | grep -q tftp_hpa"
wait "$transfer"
check "a transfer in flight over the exchange is whole" cmp -s "$site/other/big" "$site/big"
reload ready
check "the built-in server goes on over a reload" gives undionly.kpxe undionly.kpxe

hpa_site
reload ready
wait_for "back to tftp-hpa" 5 listener
wait_for "back to tftp-hpa: it serves" 5 gives undionly.kpxe undionly.kpxe
check "back to tftp-hpa: metrics" [ "$(metric moonboot_tftp_hpa_up)" = 1 ]

hpa_site off
reload ready
wait_for "off: nobody listens" 5 sh -c "[ -z \"\$(ss -Hlun 'sport = :$tftp_port')\" ]"
hpa_site
reload ready
wait_for "on again" 5 gives undionly.kpxe undionly.kpxe

last=$(listener)
kill -TERM "$service"
wait "$service"
check "SIGTERM: exit code 0" [ $? = 0 ]
check "SIGTERM: in.tftpd is gone" gone "$last"
service=

start_service
wait_for "in.tftpd runs again" 5 listener
last=$(listener)
kill -9 "$service"
wait "$service" 2>/dev/null
service=
start_service
wait_for "the supervisor killed: a new one serves at once" 5 gives undionly.kpxe undionly.kpxe
check "the supervisor killed: its in.tftpd is gone" gone "$last"
stop_service

python3 -c "
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(('0.0.0.0', $tftp_port))
sys.stdin.read()" < <(sleep 30) &
holder=$!
wait_for "the port is taken" 5 sh -c "[ -n \"\$(ss -Hlun 'sport = :$tftp_port')\" ]"
timeout 20 "$BUILD/moonboot" serve -c "$site/site.yaml" >"$site/refused.log" 2>&1
check "a taken port: exit code 1" [ $? = 1 ]
check "a taken port: says why" grep -q "TFTP (UDP) port $tftp_port: Address already in use" "$site/refused.log"
kill "$holder"
finish
