#!/bin/bash
# HTTPS beside HTTP: versions and ciphers, files, clients' certificates, certificates that change.
# shellcheck disable=SC2317,SC2119,SC2120 # functions are called by check
set -u
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/e2e/lib.sh
. "$here/lib.sh"

tls_port=18443
secure=https://127.0.0.1:$tls_port
ask="/ipxe?mac=52:54:00:12:34:56&platform=efi&buildarch=x86_64"

https() { # https PATH [CURL…]
    local path=$1
    shift
    curl -sf --max-time 20 --cacert ca.pem "$@" "$secure$path"
}
authority() { # authority NAME: NAME.pem and NAME.key
    openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj "/CN=$1" -keyout "$1.key" -out "$1.pem" 2>/dev/null
}
certificate() { # certificate AUTHORITY NAME SUBJECT [EXTENSION]
    openssl req -newkey rsa:2048 -nodes -subj "$3" -keyout "$2.key" -out "$2.csr" 2>/dev/null &&
        openssl x509 -req -in "$2.csr" -CA "$1.pem" -CAkey "$1.key" -CAcreateserial -days 30 \
            -extfile <(echo "${4:-basicConstraints=CA:FALSE}") -out "$2.pem" 2>/dev/null
    chmod 600 "$2.key"
}
reload() { # reload WANTED: sends SIGHUP, waits for a log line
    local before
    before=$(wc -l <"$log")
    kill -HUP "$service"
    wait_for "$1 (reload)" 10 sh -c "tail -n +$((before + 1)) '$log' | grep -q '$1'"
}
shake() { # shake OPTION…: a handshake alone
    openssl s_client -connect "127.0.0.1:$tls_port" -CAfile ca.pem -verify_return_error "$@" </dev/null >shaken 2>&1
}
presented() { # the subject of the certificate that is presented
    shake && openssl x509 -noout -subject <shaken
}
prints() { # prints TEXT COMMAND…
    local text=$1
    shift
    "$@" 2>&1 | grep -qF -- "$text"
}
at_once() {
    local i good=0
    for i in 1 2 3 4 5 6 7 8; do
        https /assets/1048577.bin -o "at_once.$i" &
        pids[i]=$!
    done
    for i in 1 2 3 4 5 6 7 8; do
        wait "${pids[i]}" && cmp -s "at_once.$i" assets/1048577.bin && good=$((good + 1))
    done
    [ "$good" = 8 ]
}
fails() { ! "$@"; }

make_site
cd "$site" || exit 1
authority ca
authority clients
authority strangers
certificate ca server "/CN=boot.lab" "subjectAltName=IP:127.0.0.1,DNS:boot.lab"
certificate ca next "/CN=next.lab" "subjectAltName=IP:127.0.0.1"
certificate clients node "/O=lab/CN=node1"
certificate strangers stranger "/CN=node1"
cat >policy.lua <<'LUA'
profile "p" {
  kernel = "vmlinuz", args = { "doc={{config 'doc'}}", "by={{tls or 'nothing'}}" },
  config = { doc = "secret of {{tls_name or 'nobody'}}\n" },
}
rule "shown" { match = { tls_name = "node1", tls_subject = suffix "O=lab" }, boot = "p", args = { "proved={{tls_fingerprint}}" } }
rule "https" { match = { tls = present }, boot = "p", args = { "unproved" } }
rule "all" { boot = "p", args = { "clear" } }
LUA
for size in 0 1 131072 131073 1048577; do head -c "$size" /dev/urandom >"assets/$size.bin"; done
head -c 60M /dev/urandom >assets/60M.bin
"$BUILD/moonboot" keygen -W sign >/dev/null
openssl rand -hex 32 >tokens.key
chmod 600 tokens.key
cat >>site.yaml <<YAML
  tls: { listen: ["127.0.0.1:$tls_port"], cert: server.pem, key: server.key, client_ca: clients.pem }
signing: { key: sign.key }
tokens: { key: tokens.key }
log: { level: debug }
YAML
ulimit -c unlimited 2>/dev/null # not to be taken for what the service does
start_service
exec 8<>"/dev/tcp/127.0.0.1/$tls_port" # says nothing
silent=$SECONDS

check "HTTPS answers" https /healthz
check "HTTP answers beside it" fetch /healthz
check "URLs are https when asked over it" prints "$secure/assets/vmlinuz" https "$ask"
check "by the name that the client came by" prints "https://boot.lab:$tls_port/assets/vmlinuz" \
    curl -sf --cacert ca.pem --resolve "boot.lab:$tls_port:127.0.0.1" "https://boot.lab:$tls_port$ask"
check "URLs are http when asked over that" prints "$base/assets/vmlinuz" fetch "$ask"
check "another name than the certificate's: the client refuses" \
    fails curl -sf --cacert ca.pem --resolve "x.lab:$tls_port:127.0.0.1" "https://x.lab:$tls_port/healthz"
check "TLS 1.3" prints "by=TLSv1.3" https "$ask" --tlsv1.3
check "TLS 1.2" prints "by=TLSv1.2" https "$ask" --tls-max 1.2
check "no TLS 1.1" fails shake -tls1_1 -cipher DEFAULT@SECLEVEL=0
for cipher in ECDHE-RSA-AES256-GCM-SHA384 ECDHE-RSA-AES128-GCM-SHA256 ECDHE-RSA-AES128-SHA256 \
    DHE-RSA-AES256-SHA256 AES128-GCM-SHA256 AES256-SHA256 AES128-SHA256 AES256-SHA AES128-SHA; do
    check "$cipher, as iPXE and EDK2 have" shake -tls1_2 -cipher "$cipher"
done
for cipher in NULL aNULL 3DES RC4 MD5; do
    check "no $cipher" fails shake -tls1_2 -cipher "$cipher:@SECLEVEL=0"
done
# One request after the other, while the answers before them are still on their way.
pipelined() {
    timeout 60 python3 - "$tls_port" "$service" <<'PYTHON'
import os, select, socket, ssl, sys, time
context = ssl.create_default_context(cafile="ca.pem")
context.check_hostname = False
request = b"GET /assets/piped HTTP/1.1\r\nHost: x\r\n\r\n"
size, times = os.path.getsize("assets/piped"), 20
for _ in range(40):
    peer = context.wrap_socket(socket.create_connection(("127.0.0.1", int(sys.argv[1]))))
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    peer.setblocking(False)
    sent = got = 0
    while got < times * size:
        try:
            if sent < times:
                peer.send(request)
                sent += 1
            got += len(peer.recv(262144))
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            if sent == times:
                select.select([peer], [], [], 5)
    peer.close()
time.sleep(0.5)
held = [link for pid in open(f"/proc/{sys.argv[2]}/task/{sys.argv[2]}/children").read().split()
        for link in (os.readlink(entry.path) for entry in os.scandir(f"/proc/{pid}/fd") if os.path.islink(entry.path))
        if "/assets/piped" in link]
sys.exit(f"{len(held)} files are still open" if held else 0)
PYTHON
}
head -c 100000 /dev/urandom >assets/piped
check "requests one behind the other leave no file open" pipelined
check "a session is taken up again" sh -c \
    "openssl s_client -connect 127.0.0.1:$tls_port -CAfile ca.pem -tls1_2 -sess_out session </dev/null >/dev/null 2>&1
     openssl s_client -connect 127.0.0.1:$tls_port -CAfile ca.pem -tls1_2 -sess_in session </dev/null 2>&1 | grep -q '^Reused'"

for size in 0 1 131072 131073 1048577 60M; do
    check "$size bytes arrive" cmp -s <(https "/assets/$size.bin") "assets/$size.bin"
done
check "HEAD: the length" prints "Content-Length: 131073" https /assets/131073.bin -I
check "a range" cmp -s <(https /assets/60M.bin -r 131000-400000) <(tail -c +131001 assets/60M.bin | head -c 269001)
check "the end" cmp -s <(https /assets/60M.bin -r -7) <(tail -c 7 assets/60M.bin)
check "many requests on one connection" cmp -s \
    <(curl -sf --cacert ca.pem "$secure/assets/131073.bin" "$secure/assets/1.bin" "$secure/assets/1048577.bin") \
    <(cat assets/131073.bin assets/1.bin assets/1048577.bin)
check "at once" at_once
cp assets/60M.bin assets/shrinks.bin
https /assets/shrinks.bin --limit-rate 5M >got &
slow=$!
sleep 0.7
truncate -s 1000 assets/shrinks.bin
check "a file that becomes shorter ends its connection" fails wait "$slow"
check "a page and its signature" sh -c "curl -sf --cacert ca.pem '$secure$ask' >page && curl -sf --cacert ca.pem '${secure}/ipxe.minisig?${ask#*\?}' >page.minisig && '$BUILD/moonboot' verify -q -p sign.pub page"
check "HTTP on the port of HTTPS comes to nothing" fails curl -s --max-time 5 "http://127.0.0.1:$tls_port/healthz"
check "HTTPS on the port of HTTP comes to nothing" fails curl -s --max-time 5 "https://127.0.0.1:$http_port/healthz"

fingerprint=$(openssl x509 -in node.pem -noout -fingerprint -sha256 | cut -d = -f 2 | tr -d : | tr A-F a-f)
check "without a client certificate: what the policy says" prints "unproved" https "$ask"
check "with one: what the policy says" prints "proved=$fingerprint" https "$ask" --cert node.pem --key node.key
check "with one, TLS 1.2" prints "proved=$fingerprint" https "$ask" --cert node.pem --key node.key --tls-max 1.2
check "with one of another authority: no connection" fails https "$ask" --cert stranger.pem --key stranger.key
check "a query does not prove anything" prints "unproved" https "$ask&tls_name=node1&tls_subject=O=lab"
check "nor in the clear" prints "clear" fetch "$ask&tls=TLSv1.3&tls_name=node1"
doc=$(https "$ask" --cert node.pem --key node.key | grep -o 'doc=[^ ]*' | sed "s|doc=$secure||")
check "a document by its certificate" prints "secret of node1" https "$doc" --cert node.pem --key node.key
check "the same URL without it" prints "secret of nobody" https "$doc"

metrics_at() { # metrics_at WANTED URL [CURL…]: the status of /metrics
    local wanted=$1 url=$2
    shift 2
    [ "$(curl -s --max-time 20 --cacert ca.pem -o /dev/null -w '%{http_code}' "$@" "$url/metrics")" = "$wanted" ]
}
check "/metrics is for everybody where nothing else is said" metrics_at 200 "$base"

processes() { pgrep -P "$service"; echo "$service"; }
if [ "$(id -u)" = 0 ]; then
    # shellcheck disable=SC2046 # a list
    check "our keys are in no memory that dumps have" python3 "$here/secrets_in_memory.py" "$site" $(processes)
else
    skip "our keys in memory" "not root"
fi
check "and no process leaves a dump" [ "$(for p in $(processes); do sed -n 's/^Max core file size *\([0-9]*\) .*/\1/p' "/proc/$p/limits"; done | sort -u)" = 0 ]

wait_for "who says nothing is sent away" 20 sh -c "! timeout 0.01 cat <&8; curl -s $base/metrics | grep -qE '^moonboot_http_timeouts_total [1-9]'"
check "after 10 s" [ $((SECONDS - silent)) -le 30 ]
exec 8>&-

check "presents its certificate" prints boot.lab presented
cp next.pem server.pem && cp next.key server.key
reload ready
check "SIGHUP: the next certificate" prints next.lab presented
echo nonsense >server.pem
reload refused
check "a malformed certificate is refused" grep -q 'site.yaml:[0-9]*:[0-9]*: `http.tls`: .*server.pem: ' "$log"
check "the one before goes on" prints next.lab presented
rm server.pem
reload refused
check "a missing certificate is refused for what it is" grep -q '`http.tls`: .*server.pem: No such file or directory' "$log"
cp node.pem server.pem
reload refused
check "a key of another certificate is refused" grep -q "server.key: it is not the key of the certificate" "$log"
cp next.pem server.pem && chmod 644 server.key
reload refused
check "a key that everyone can read is refused" grep -q "server.key: everyone on this host can read" "$log"
check "what serves goes on" https /healthz
chmod 600 server.key

# --- who may see /metrics ------------------------------------------------------------------------

hash=$("$BUILD/moonboot" keygen --bearer admin)
token=$(cat admin.token)
check "keygen --bearer: an argon2id hash" grep -qE '^\$argon2id\$v=19\$m=8192,t=2,p=1\$' <<<"$hash"
check "keygen --bearer: the token is its owner's" [ "$(stat -c %a admin.token)" = 600 ]
sed -i "s|^  tls: |  admin: { listen: [\"127.0.0.1:18090\"], client_cert: true, token: '$hash' }\n&|" site.yaml
reload ready
admin=http://127.0.0.1:18090
check "admin: /metrics on its own address" metrics_at 200 "$admin"
check "admin: nothing else there" [ "$(curl -s -o /dev/null -w '%{http_code}' "$admin$ask")" = 404 ]
check "admin: health is" curl -sf "$admin/healthz"
check "admin: with a client certificate" metrics_at 200 "$secure" --cert node.pem --key node.key
check "admin: without one" metrics_at 401 "$secure"
check "admin: in the clear" metrics_at 401 "$base"
check "admin: and is asked for a token" prints "WWW-Authenticate: Bearer" curl -si "$base/metrics"
check "admin: machines are served as before" fetch "$ask"
check "admin: health is for everybody" fetch /readyz
knows() { # until each worker knows the token: a wrong one makes it wait a second
    metrics_at 200 "$base" -H "Authorization: Bearer $token"
}
wait_for "admin: the token" 5 knows
sleep 1.1
check "admin: a wrong token" metrics_at 401 "$base" -H "Authorization: Bearer ${token}x"
sleep 1.1
check "admin: no token" metrics_at 401 "$base" -H "Authorization: Bearer "
check "admin: another scheme" metrics_at 401 "$base" -H "Authorization: Basic $token"
for _ in 1 2 3 4 5 6 7 8; do metrics_at 429 "$base" -H "Authorization: Bearer guess$RANDOM" && guessed=1; done
check "admin: guesses are slowed down" [ "${guessed:-0}" = 1 ]
wait_for "admin: and keep nobody out" 5 knows
check "admin: the token is in no log" sh -c "! grep -qF '$token' '$log'"
sed -i "s|token: '[^']*'|token: '\$argon2id\$v=19\$m=1048576,t=4,p=1\$AAAA\$AAAA'|" site.yaml
reload refused
check "admin: a hash that would hold machines up is refused" grep -q 'is a hash that takes too long' "$log"
sed -i "s|token: '[^']*'|token: secret|" site.yaml
reload refused
check "admin: a token in the clear is refused" grep -q 'is no argon2id hash' "$log"
sed -i "/^  admin: /d" site.yaml

sed -i "s/^  listen: .*/  listen: []/" site.yaml
reload ready
check "HTTPS alone" prints "$secure/assets/vmlinuz" https "$ask"
check "HTTPS alone: no HTTP" fails fetch /healthz

# Without addresses of its own it has those of HTTP.
stop_service
write_site
sed -i 's|^http:$|http: { listen: ["127.0.0.1:'$http_port'"], assets: assets, tls: { cert: next.pem, key: next.key } }|; /^  listen:/d; /^  assets:/d' site.yaml
chmod 600 next.key
start_service
check "tls without listen: http.listen speaks it" prints "https://127.0.0.1:$http_port/assets/vmlinuz" \
    curl -sk --max-time 10 "https://127.0.0.1:$http_port$ask"
check "and HTTP no more" fails curl -s --max-time 5 "$base/healthz"

finish
