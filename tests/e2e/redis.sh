#!/bin/bash
# State on Redis: two services that share it, over its restarts and failures, which never reinstall
# a machine; TLS and who may; and a server that is none.
set -u
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/e2e/lib.sh
. "$here/lib.sh"
# shellcheck source=tests/e2e/redis_lib.sh
. "$here/redis_lib.sh"

redis_available || {
    skip "Redis" "Debian's redis-tools are not installed"
    exit 0
}

dhcp_enabled=true
make_site
other=
end() {
    [ -n "$other" ] && kill "$other" 2>/dev/null && wait "$other" 2>/dev/null
    stop_redis KILL
    clean_up
}
trap end EXIT
data=$site/redis
other_base=http://127.0.0.1:18081
echo "state: { backend: redis, url: 'redis://127.0.0.1:$redis_port/1', timeout_ms: 400 }" >>"$site/site.yaml"
cat >"$site/policy.lua" <<'LUA'
profile "el9" { kernel = "el9/vmlinuz", args = { "done={{event 'installed'}}", "add={{event 'add'}}" } }
on("add", function(machine, event)
  assert(state.update("count", function(n) return (n or 0) + 1 end))
  if event.params.n then
    assert(state.set("add/" .. event.params.n, ("x"):rep(tonumber(event.params.size or 1)),
                     { ttl = tonumber(event.params.ttl) }))
  end
end)
rule "stateless" { match = { mac = "52:54:00:ff:ff:ff" }, boot = deny "stateless" }
rule "by DHCP" {
  match = { mac = "52:54:00:00:00:0a" },
  boot = once { "el9", done_on = "installed" },
  on_error = "el9",
}
rule "by a list in the state" {
  match = function(machine) return state.get("listed/" .. machine.mac) and state.get "listed" end,
  boot = deny "listed",
  on_error = deny "the list is not known",
}
rule "once" {
  boot = once { "el9", done_on = "installed", then_boot = deny "has been installed" },
  on_error = deny "it is not known",
}
serve "/get" (function(request)
  local value, why = state.get(request.query.key)
  return json.encode(value == nil and json.null or value)
end)
serve "/each" (function(request)
  local keys = {}
  for key in state.each(request.query.prefix) do keys[#keys + 1] = key end
  return #keys .. " " .. (keys[1] or "") .. " " .. (keys[#keys] or "")
end)
LUA

script() { # script MAC [BASE]
    curl -sf --max-time 5 "${2:-$base}/ipxe?mac=$1"
}
says() { # says WHAT MAC [BASE]: both workers, whoever answers
    local i
    for i in 1 2 3; do
        script "$2" "${3:-$base}" | grep -q "$1" || return 1
    done
}
event() { # event MAC NAME [BASE]: the URL for it
    script "$1" "${3:-$base}" | grep -o "http://[^ ]*/event/$2[^ ]*" | head -1
}
post() {
    curl -so /dev/null --max-time 5 -w '%{http_code}' -X POST "$1"
}
state() {
    "$BUILD/moonboot" state -c "$site/site.yaml" "$@"
}
counted() { # counted REASON: the metrics have it
    fetch /metrics | grep -q "^moonboot_state_errors_total{reason=\"$1\"} [1-9]"
}
up() { # up N: so many workers can ask
    fetch /metrics | grep -q "^moonboot_state_up $1\$"
}
status_says() {
    "$BUILD/moonboot" status -c "$site/site.yaml" | grep -q "^state  *.*$1"
}
one=52:54:00:00:00:01 two=52:54:00:00:00:02 stateless=52:54:00:ff:ff:ff

# Before Redis is there.
start_service
check "without Redis a machine is not installed" says 'not known' $one
sleep 1.1
check "at once, when it has been away for a second" says 'not known' $one
check "status says so" status_says 'Redis is away'
check "so do the metrics" up 0
check "and count" counted away
check "the command line says why" grep -q 'Connection refused' <(state list 2>&1)
check "and fails" [ "$(state list >/dev/null 2>&1; echo $?)" = 1 ]

start_redis "$data"
wait_for "it is found by itself" 10 says 'vmlinuz' $one
wait_for "by both workers" 10 up 2
check "status knows it" status_says "Redis at 127.0.0.1:$redis_port\$"
check "keys are below the prefix, in the database that was named" \
    [ -z "$(ask_redis -n 1 KEYS "*" | grep -v "^moonboot:")$(ask_redis -n 0 KEYS "*")" ]

# Another service of the same site.
mkdir "$site/b" "$site/b/assets" "$site/b/tftp"
sed "s/18080/18081/; s/16969/16970/; s/enabled: true/enabled: false/; s/policy: policy.lua/policy: ..\/policy.lua/" "$site/site.yaml" >"$site/b/site.yaml"
cp "$site/policy.lua" "$site/b/policy.lua"
sed -i 's/^policy: .*/policy: policy.lua/' "$site/b/site.yaml"
"$BUILD/moonboot" serve -c "$site/b/site.yaml" 2>"$site/b/log" &
other=$!
wait_for "a second service is ready" 20 grep -q ready "$site/b/log"
wait_for "and installs what the first does" 5 says vmlinuz $one "$other_base"
url=$(event $one installed)
check "an event told to one" [ "$(post "$url")" = 200 ]
check "is known to it" says 'has been installed' $one
check "and to the other, at once" says 'has been installed' $one "$other_base"
check "of that machine alone" says vmlinuz $two "$other_base"
check "an operator has it reinstalled, by the other" "$BUILD/moonboot" event -c "$site/b/site.yaml" reinstall $one
check "which both know" says vmlinuz $one
check "machines has both events" [ "$("$BUILD/moonboot" machines -c "$site/site.yaml" $one | grep -cE '  (installed|reinstall) ')" = 2 ]
check "and it is done again" [ "$(post "$url")" = 200 ]

# Many at once lose nothing.
add=$(event $two add)
add_both=("$add" "$(event $two add "$other_base")") # each has a key of its own for tokens
bump() { # bump N: so many additions, by turns, four at a time
    seq "$1" | xargs -P 4 -I{} sh -c "curl -so /dev/null --max-time 5 -X POST '${add_both[0]}' -w '%{http_code}\n'; \
        curl -so /dev/null --max-time 5 -X POST '${add_both[1]}' -w '%{http_code}\n'"
}
taken=$(bump 40 | grep -c 200)
check "two services add one by one" [ "$(state get state/count)" = "$taken" ]
check "all of it" [ "$taken" = 80 ]

# What a policy sees.
check "a key from the command line" state set "state/listed/$two" true
check "is asked for by a match function" says 'vmlinuz' $two
check "with another" state set state/listed true
check "which then decides" says 'denied: listed' $two
check "and goes" state delete state/listed
check "one with an end" state set state/short 1 --ttl 1
check "is there" [ "$(fetch '/get?key=short')" = 1 ]
for n in $(seq 1 600); do printf '{"key":"state/many/%04d","value":%d}\n' "$n" "$n"; done >"$site/many"
check "import" state import <"$site/many"
check "a list of several pages is in order" [ "$(fetch '/each?prefix=many/')" = "600 many/0001 many/0600" ]
check "at the command line too" [ "$(state list state/many/ | wc -l)" = 600 ]
wait_for "what has ended is gone" 5 [ "$(sleep 1; fetch '/get?key=short')" = null ]
check "a large value" [ "$(post "$add&n=large&size=60000")" = 200 ]
check "and one too large" [ "$(post "$add&n=larger&size=70000")" = 500 ]
ask_redis SCRIPT FLUSH >/dev/null
check "Redis may forget scripts" says 'has been installed' $one
state export >"$site/exported"
check "an export has all" [ "$(wc -l <"$site/exported")" -ge 605 ]
quietly=$({ sleep 0.3; state export 2>&1 >&3; echo $?; } 3> >(:))
check "who has read enough of it ends it quietly" [ "$quietly" = 141 ]
mkfifo "$site/lines"
"$BUILD/moonboot" state -c "$site/site.yaml" import <"$site/lines" &
import=$!
exec 9>"$site/lines"
ignores_sigpipe() {
    [ $((0x$(sed -n 's/^SigIgn:[[:space:]]*//p' /proc/$import/status) & 0x1000)) != 0 ]
}
wait_for "an import outlives a Redis that hangs up" 5 ignores_sigpipe
exec 9>&-
check "and ends well" wait $import
sed "s/^state: .*/state: { path: local }/" "$site/site.yaml" >"$site/local.yaml"
check "LMDB imports it" "$BUILD/moonboot" state -c "$site/local.yaml" import <"$site/exported"
check "and has the same" cmp <(sed 's/,"ends":[0-9.]*//' "$site/exported") \
    <("$BUILD/moonboot" state -c "$site/local.yaml" export | sed 's/,"ends":[0-9.]*//')

# A restart under load: nobody is installed anew, nothing that was acknowledged is lost.
before=$(state get state/count)
(while [ ! -e "$site/enough" ]; do script $one; script $one "$other_base"; done) >"$site/answers" 2>/dev/null &
asks=$!
(while [ ! -e "$site/enough" ]; do post "$add"; echo; done) >"$site/taken" &
adds=$!
sleep 0.5
stop_redis KILL
run_redis
sleep 1
stop_redis TERM
sleep 1.5
run_redis
wait_for "it is back after restarts" 10 says 'has been installed' $one
wait_for "for both workers" 10 up 2
touch "$site/enough"
wait $asks $adds
check "nobody was to be installed meanwhile" [ "$(grep -c vmlinuz "$site/answers")" = 0 ]
check "and some were told as ever" grep -q 'has been installed' "$site/answers"
after=$(state get state/count)
acknowledged=$(grep -c 200 "$site/taken")
check "no acknowledged change is lost ($before + $acknowledged <= $after)" [ $((before + acknowledged)) -le "$after" ]

# A reload that names another store means it.
sed -i "s|:$redis_port/1'|:$redis_port/2'|" "$site/site.yaml"
check "another database by a reload" "$BUILD/moonboot" reload -c "$site/site.yaml"
wait_for "is another store, in which nothing is remembered" 5 says vmlinuz $one
sed -i "s|:$redis_port/2'|:$redis_port/1'|" "$site/site.yaml"
check "and back" "$BUILD/moonboot" reload -c "$site/site.yaml"
wait_for "to the first" 5 says 'has been installed' $one
wait_for "for both workers" 10 up 2

# Its failures.
ask_redis CONFIG SET maxmemory 1 >/dev/null
check "a full Redis takes no event" [ "$(post "$add&n=full")" = 500 ]
check "which the log says" grep -q 'Redis is full' "$log"
check "and the metrics" counted full
check "reading goes on" says 'has been installed' $one
check "deleting too" state delete state/many/0001
check "the command line says so" grep -q 'Redis is full' <(state set state/x 1 2>&1)
ask_redis CONFIG SET maxmemory 0 >/dev/null
ask_redis REPLICAOF 127.0.0.1 1 >/dev/null
check "a replica takes no event" [ "$(post "$add&n=replica")" = 500 ]
check "which is counted" counted read_only
check "and can be read" says 'has been installed' $one
ask_redis REPLICAOF NO ONE >/dev/null
ask_redis -n 1 RENAME moonboot:entries moonboot:saved >/dev/null
ask_redis -n 1 SET moonboot:entries x >/dev/null
check "a key of another type is an error" says 'not known' $one
check "which is counted" counted wrong_type
ask_redis -n 1 RENAME moonboot:saved moonboot:entries >/dev/null
check "and ends with it" says 'has been installed' $one

ask_redis CONFIG SET busy-reply-threshold 50 >/dev/null
ask_redis EVAL 'while true do end' 0 >/dev/null &
sleep 0.3
check "a busy one is no reason to install" grep -q 'not known' <(script $one)
check "which is counted" counted busy
ask_redis SCRIPT KILL >/dev/null
wait $!
check "and ends with it" says 'has been installed' $one
# What was refused is a trouble until the same is taken, or the connection is another.
ask_redis CLIENT KILL TYPE normal >/dev/null
wait_for "with new connections it is there for both workers" 10 up 2

kill -STOP "$redis"
began=$(date +%s%N)
check "one that hangs is no reason to install" grep -q 'not known' <(script $one)
took=$((($(date +%s%N) - began) / 1000000))
check "and is waited for no longer than asked ($took ms)" [ $took -lt 1500 ]
began=$(date +%s%N)
check "who needs no state does not notice" says stateless $stateless
took=$((($(date +%s%N) - began) / 1000000))
check "at all ($took ms)" [ $took -lt 500 ]
began=$(date +%s%N)
check "DHCP is answered all the same" python3 "$here/dhcp_client.py" 127.0.0.1 $dhcp_port 1 10
took=$((($(date +%s%N) - began) / 1000000))
check "in time ($took ms)" [ $took -lt 1500 ]
check "it is counted" counted timeout
kill -CONT "$redis"
wait_for "it goes on when Redis does" 10 up 2
check "as ever" says 'has been installed' $one

ask_redis -n 1 HINCRBY moonboot:store version -5 >/dev/null
ask_redis CLIENT KILL TYPE normal >/dev/null
wait_for "one that came back with older data is noticed" 5 grep -q 'Redis has lost changes' "$log"
ask_redis -n 1 HINCRBY moonboot:store version 5 >/dev/null
wait_for "and is gone on with" 10 up 2

# Emptied: that is no store in which nothing has been done.
ask_redis FLUSHALL >/dev/null
check "an emptied Redis reinstalls nobody" says 'not known' $one
check "by no service" says 'not known' $one "$other_base"
check "it is counted" counted no_store
check "the log asks" grep -q 'has it been emptied' "$log"
check "status says so" status_says 'emptied'
check "the command line does not make it by the way" [ "$(state set state/x 1 2>/dev/null; echo $?)" = 1 ]
check "an import does" state import <"$site/exported"
sleep 0.3
check "another store is not trusted by who saw the first" says 'not known' $one
stop_service
start_service
wait_for "but by one that is started" 5 says 'has been installed' $one
stop_service

# With `create: false` a store is made by nobody but a person, and taken as it is.
ask_redis FLUSHALL >/dev/null
sed -i 's/^state: .*/state: { backend: redis, host: localhost, port: '$redis_port', prefix: "{site}:", create: false }/' "$site/site.yaml"
start_service
check "no store is made" says 'not known' $one
check "and that is said" grep -q 'moonboot state create' "$log"
check "until a person does" state create
wait_for "then it serves" 10 says vmlinuz $one
check "again it does nothing" state create
ask_redis FLUSHALL >/dev/null
check "emptied, it reinstalls nobody" says 'not known' $one
check "what was exported comes back" state import <"$site/exported"
wait_for "and is trusted" 10 says 'has been installed' $one
check "keys are under the prefix" [ "$(ask_redis KEYS '*' | grep -vc '^{site}:')" = 0 ]
stop_service
kill "$other"; wait "$other" 2>/dev/null; other=
stop_redis

# TLS, and who may.
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$site/ca.key" -out "$site/ca.pem" -days 2 -subj /CN=ca 2>/dev/null
for name in server client; do
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$site/$name.key" -out "$site/$name.csr" -subj /CN=$name 2>/dev/null
    openssl x509 -req -in "$site/$name.csr" -CA "$site/ca.pem" -CAkey "$site/ca.key" -CAcreateserial -days 2 \
        -extfile <(echo 'subjectAltName=DNS:redis.lab,IP:127.0.0.1') -out "$site/$name.pem" 2>/dev/null
done
chmod 600 "$site"/*.key
printf 'sesame\n' >"$site/password"
printf 'wrong\n' >"$site/wrong"
chmod 600 "$site/password" "$site/wrong"
start_redis "$site/secure" --tls-port 16380 --tls-cert-file "$site/server.pem" --tls-key-file "$site/server.key" \
    --tls-ca-cert-file "$site/ca.pem" --tls-auth-clients yes --unixsocket "$site/secure/socket" --unixsocketperm 777
ask_redis ACL SETUSER moonboot on '>sesame' '~moonboot:*' +eval +evalsha +ping +select +time +hget +hset +hdel \
    +hincrby +zadd +zrem +zrangebylex +zrangebyscore >/dev/null
ask_redis CONFIG SET requirepass sesame >/dev/null
secure() { # secure STATE…: what becomes of a site with that, in its log
    sed -i "s|^state: .*|state: { backend: redis, $1, timeout_ms: 400 }|" "$site/site.yaml"
    start_service
}
tls="tls: { ca: ca.pem, cert: client.pem, key: client.key }"
secure "url: 'rediss://moonboot@127.0.0.1:16380', password_file: password, $tls"
wait_for "by TLS, with a user of its own" 10 says vmlinuz $one
check "who may do what it needs" [ "$(post "$(event $one installed)")" = 200 ]
check "and that lasts" says 'has been installed' $one
check "the command line goes that way too" [ "$(state list once/ | wc -l)" = 1 ]
stop_service
secure "host: 127.0.0.1, port: 16380, password_file: password, tls: { ca: ca.pem, cert: client.pem, key: client.key, name: redis.lab }"
wait_for "by the name of its certificate, with a password alone" 10 says 'has been installed' $one
stop_service
secure "host: 127.0.0.1, port: 16380, password_file: password, tls: { ca: ca.pem, cert: client.pem, key: client.key, name: other.lab }"
wait_for "one of another name is not trusted" 10 grep -q 'not trusted: hostname mismatch' "$log"
stop_service
secure "host: 127.0.0.1, port: 16380, password_file: password, tls: { ca: client.pem }"
wait_for "nor one that another has signed" 10 grep -q 'its certificate is not trusted' "$log"
stop_service
secure "socket: secure/socket, password_file: wrong"
wait_for "a wrong password is said" 10 grep -q 'WRONGPASS' "$log"
check "and installs nobody" says 'not known' $one
check "it is counted" counted denied
stop_service
secure "socket: secure/socket"
wait_for "so is none" 10 grep -q 'NOAUTH' "$log"
stop_service
secure "url: 'unix://$site/secure/socket', password_file: password"
wait_for "by a socket, with the right one" 10 says 'has been installed' $one
check "no log has the password" [ "$(grep -c sesame "$log")" = 0 ]
stop_service
chmod 644 "$site/password"
"$BUILD/moonboot" serve -c "$site/site.yaml" >"$site/out" 2>&1
line=$(grep -n '^state:' "$site/site.yaml" | cut -d: -f1)
refused="site.yaml:$line: .*password_file: password"
check "a password that all may read is refused" grep -q "$refused" "$site/out"
"$BUILD/moonboot" check -c "$site/site.yaml" >"$site/out" 2>&1
check "and moonboot check warns of it" grep -q "$refused.*state-file" "$site/out"
sed -i 's|^state: .*|state: { backend: redis, host: localhost, tls: { ca: none.pem } }|' "$site/site.yaml"
"$BUILD/moonboot" check -c "$site/site.yaml" >"$site/out" 2>&1
check "as of certificates" grep -q "site.yaml:$line: warning: .state.tls.*none.pem" "$site/out"
stop_redis

# A server that is none: each kind is said to be that, counted, and installs nobody.
for kind in silent closes garbage endless list deep types http; do
    python3 "$here/redis_none.py" $kind 16390 &
    none=$!
    secure "url: 'redis://127.0.0.1:16390'"
    check "$kind: nobody is installed" grep -q 'not known' <(script $one)
    check "$kind: who needs no state is served" grep -q stateless <(script $stateless)
    check "$kind: no worker has died of it" grep -q '^moonboot_workers_restarted_total 0' <(fetch /metrics)
    check "$kind: the log says what it is" grep -q 'state: Redis at 127.0.0.1:16390: ' "$log"
    stop_service
    kill $none
    wait $none 2>/dev/null
done
chmod 600 "$site/password"
python3 "$here/redis_none.py" echoes 16390 &
none=$!
secure "url: 'redis://127.0.0.1:16390', password_file: password"
wait_for "one that does not know AUTH is said to be that" 10 grep -q 'it has no AUTH' "$log"
check "and not what it makes of the password" [ "$(grep -c sesame "$log")" = 0 ]
stop_service
kill $none
wait $none 2>/dev/null
finish
