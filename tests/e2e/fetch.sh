#!/bin/bash
# A fleet that follows a release: three services on one HTTPS server of signed bundles.
# shellcheck disable=SC2317 # functions are called by check
set -u
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/e2e/lib.sh
. "$here/lib.sh"

moonboot=$BUILD/moonboot mac=52:54:00:12:34:56
url=https://127.0.0.1:18500/release.bundle
fleet='1 2 3' server='' lonely=''
pids=()
prints() { # prints TEXT COMMAND…
    local text=$1
    shift
    "$@" 2>&1 | grep -qF -- "$text"
}
release() { # release VERSION TEXT [KEY]: on the server, the signature first
    echo "profile 'p' { kernel = 'k', args = { 'said=$2' } } rule 'all' { boot = 'p' }" >boot/policy.lua
    "$moonboot" bundle --version "$1" --key "${3:-release.key}" -o new.bundle boot >/dev/null
    [ -z "${broken:-}" ] || printf 'x' | dd of=new.bundle bs=1 seek=1500 conv=notrunc 2>/dev/null
    mv new.bundle.minisig www/release.bundle.minisig && mv new.bundle www/release.bundle
}
serve_releases() {
    "$here/release_server.py" 18500 www ca.pem server.pem server.key >>requests 2>server.log &
    server=$!
    wait_for "the server of releases" 10 curl -s --cacert ca.pem --cert client.pem --key client.key "$url" -o /dev/null
}
start() { # start N
    "$moonboot" serve -c "$1/site.yaml" 2>>"$1/log" &
    pids[$1]=$!
}
end() { # end N
    [ -z "${pids[$1]:-}" ] && return
    kill "${pids[$1]}" 2>/dev/null
    wait "${pids[$1]}"
    pids[$1]=
}
served() { # served N TEXT
    curl -sf --max-time 10 "http://127.0.0.1:1808$1/ipxe?mac=$mac" | grep -qF "said=$2"
}
all_serve() { # all_serve TEXT
    local n
    for n in $fleet; do
        served "$n" "$1" || return 1
    done
}
all_say() { # all_say TEXT: in their logs, since they were cleared
    local n
    for n in $fleet; do
        grep -qF -- "$1" "$n/log" || return 1
    done
}
clear() { for n in $fleet; do : >"$n/log"; done; }
ask_all() { # nobody has to wait for the next time
    local n
    for n in $fleet; do
        timeout 30 "$moonboot" reload -c "$n/site.yaml" >/dev/null 2>&1
    done
}
status() { # status N EXPRESSION: of `status --json` as `s`, in Python
    timeout 20 "$moonboot" status --json -c "$1/site.yaml" | python3 -c "import json, sys; s = json.load(sys.stdin); sys.exit(not ($2))"
}
end_all() {
    for n in $fleet; do end "$n"; done
    [ -z "$server$lonely" ] || kill $server $lonely 2>/dev/null
    clean_up
}

make_site
trap end_all EXIT
cd "$site" || exit 1
mkdir www boot
: >"$log"
"$moonboot" keygen -W release >/dev/null && "$moonboot" keygen -W rogue >/dev/null
for name in ca strangers; do
    openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj "/CN=$name" -keyout $name.key -out $name.pem 2>/dev/null
done
for name in server client; do
    openssl req -newkey rsa:2048 -nodes -subj "/CN=$name" -keyout $name.key -out $name.csr 2>/dev/null
    openssl x509 -req -in $name.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 \
        -extfile <(echo "subjectAltName=IP:127.0.0.1") -out $name.pem 2>/dev/null
done
chmod 600 ./*.key
for n in $fleet; do
    mkdir "$n"
    : >"$n/log"
    cat >"$n/site.yaml" <<YAML
policy: $url
policy_keys: [../release.pub]
policy_refresh: { interval_s: 1, max_mb: 1, ca: ../ca.pem, cert: ../client.pem, key: ../client.key }
state: { path: state, max_mb: 16 }
user: nobody
workers: 1
control: control.sock
dhcp: { enabled: false }
tftp: { backend: off }
http: { listen: ["127.0.0.1:1808$n"] }
YAML
done

# --- a first release ---------------------------------------------------------------------------

check "check: nothing has been fetched yet" prints "nothing has been fetched yet" "$moonboot" check -c 1/site.yaml
mkdir lonely
sed 's|18500/release.bundle|18599/nobody|; s|18081|18089|' 1/site.yaml >lonely/site.yaml
"$moonboot" serve -c lonely/site.yaml 2>lonely/log &
lonely=$!
if [ "$(id -u)" = 0 ]; then
    sed 's|^user: .*|user: moonboot-stranger|' lonely/site.yaml >lonely/stranger.yaml
    timeout 60 "$moonboot" serve -c lonely/stranger.yaml 2>lonely/stranger.log &
    stranger=$!
    wait_for "without its user: it says so" 10 grep -q 'there is no user "moonboot-stranger" to fetch it as' lonely/stranger.log
    kill $stranger && wait $stranger
fi
for n in $fleet; do start "$n"; done
wait_for "without a server they try again" 10 all_say "fetching the policy: $url"
check "and serve nothing" sh -c '! curl -s --max-time 2 http://127.0.0.1:18081/healthz'
release 1 one
serve_releases
wait_for "all take the first release" 30 all_serve one
check "check: the one that was fetched" prints "fetched/bundle: ok" "$moonboot" check -c 1/site.yaml
release 2 two
wait_for "all take a new one" 20 all_serve two
wait_for "and ask on, whether it has changed" 10 grep -q '" 304' requests
check "status: version, and when it was fetched" \
    status 1 "s['generation']['bundle']['version'] == 2 and s['fetch']['last_good'] and not s['fetch']['failures']"
check "status: as people read it" prints "fetched     $url: " "$moonboot" status -c 1/site.yaml
metrics() { curl -sf --max-time 10 "http://127.0.0.1:1808$1/metrics"; }
check "metrics: the version" prints "moonboot_policy_version 2" metrics 2
check "metrics: what came of it" prints 'moonboot_policy_fetches_total{result="new"} 2' metrics 2
check "metrics: when" prints moonboot_policy_fetch_success_timestamp_seconds metrics 2
if [ "$(id -u)" = 0 ]; then
    check "what was fetched is the supervisor's" [ "$(stat -c '%U %a' 1/state.policy/fetched/bundle)" = "root 600" ]
fi

# --- what is refused ---------------------------------------------------------------------------

clear && release 1 one
wait_for "an older one is refused by all" 20 all_say "it is version 1, older than 2, which ran"
check "what runs goes on" all_serve two
check "status: why" status 3 "'older than 2' in s['fetch']['problem'] and s['fetch']['failures'] > 0 and s['refused']"
check "metrics: a failure" sh -c 'curl -s http://127.0.0.1:18083/metrics | grep "result=\"failed\"" | grep -qv " 0$"'
clear && release 3 three rogue.key && ask_all
wait_for "by another key" 20 all_say 'which is none of `policy_keys`'
clear && broken=1 release 3 three && ask_all
wait_for "a broken one" 20 all_say "the signature is not of these bytes"
check "what runs goes on" all_serve two
times=$(grep -c 'reload refused' 1/log)
wait_for "it is asked for again" 10 grep -qF "it is still the one that was refused" 1/log
check "but not tried again" [ "$(grep -c 'reload refused' 1/log)" = "$times" ]
clear && head -c 2000000 /dev/zero >www/release.bundle && ask_all
wait_for "one that is too large" 20 all_say "it has more than 1048576 bytes"
clear && echo 500 >www/refuse && ask_all
wait_for "a server in trouble" 20 all_say "the server answered 500"
rm www/refuse && release 3 three && ask_all
wait_for "then the next good one" 20 all_serve three

mkdir 1/state.policy/version.part # which is a file
clear && release 4 four && ask_all
wait_for "its version cannot be remembered" 20 grep -qF "cannot be remembered" 1/log
: >1/log
wait_for "then it is not taken for what serves" 10 grep -qF "it is still the one that was refused" 1/log
check "status: nor is all well" status 1 "s['fetch']['failures'] > 0 and s['generation']['bundle']['version'] == 3"
rmdir 1/state.policy/version.part && ask_all
wait_for "once it can, it is taken" 20 all_serve four

# --- without the server ------------------------------------------------------------------------

kill "$server" && wait "$server" 2>/dev/null
clear && end 1 && start 1
wait_for "the server is away: what ran last is started with" 10 served 1 four
wait_for "and the others go on, and try" 20 grep -qE "fetching the policy: .*(refused|connect)" 2/log
end 2 && printf 'x' | dd of=2/state.policy/fetched/bundle bs=1 seek=1500 conv=notrunc 2>/dev/null && start 2
release 5 five && serve_releases && ask_all
wait_for "it is back: all take the next one, who had a damaged copy, too" 30 all_serve five

# --- another server, certificates --------------------------------------------------------------

clear && sed -i "s|/release.bundle|/moved/other.bundle?token=x|" 1/site.yaml
cp www/release.bundle www/other.bundle && cp www/release.bundle.minisig www/other.bundle.minisig
timeout 30 "$moonboot" reload -c 1/site.yaml >said 2>&1
check "another URL: nothing has come from there yet" grep -q "nothing has been fetched from there yet" said
wait_for "and is loaded when it has" 20 status 1 "'other.bundle' in s['generation']['policy']"
check "redirected, with its query" grep -q 'GET /other.bundle.minisig?token=x' requests
sed -i "s|ca: ../ca.pem|ca: ../strangers.pem|" 3/site.yaml && ask_all
wait_for "a server that cannot be trusted" 20 grep -qiE "fetching the policy: .*certificate" 3/log
sed -i "s|ca: ../strangers.pem, cert: ../client.pem, key: ../client.key|ca: ../ca.pem|" 3/site.yaml && : >3/log && ask_all
wait_for "a server that wants a certificate" 20 grep -q "fetching the policy: " 3/log
sed -i "s|https://|http://|; /policy_keys/d" 3/site.yaml
check "in the clear, without policy_keys" prints "fetched in the clear" "$moonboot" check -c 3/site.yaml

wait "$lonely"
check "where nothing ever came: it does not start" [ $? = 1 ]
check "after it has tried" [ "$(grep -c 'fetching the policy: ' lonely/log)" = 5 ]
lonely=
for n in $fleet; do
    end "$n"
    check "no sanitizer found anything, $n" sh -c "! grep -E 'ERROR: (Address|Leak)Sanitizer|runtime error:' $n/log"
    grep -hE "system call|signal" "$n/log"
done

finish
