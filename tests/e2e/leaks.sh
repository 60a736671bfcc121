#!/bin/bash
# No secret anywhere: a site with every kind of them is served under load, with errors, reloads, a
# policy that prints what it knows, and processes that are made to dump core; then all that it has
# said and left is searched for each of them.
# shellcheck disable=SC2317,SC2119,SC2016 # functions are called by check; a policy's text
set -u
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/e2e/lib.sh
. "$here/lib.sh"

if [ "$(id -u)" != 0 ]; then
    skip "no secret anywhere" "not root"
    finish
fi
moonboot=$BUILD/moonboot tls_port=18443
processes() { pgrep -P "$service"; echo "$service"; }
seal() { printf %s "$2" | "$moonboot" seal -p "$site/seal.pub" --name "$1"; }

make_site
cd "$site" || exit 1
said=$site/said # all that anybody is told, but machines of what is theirs
mkdir "$said"
log=$said/log

"$moonboot" keygen -q --seal seal
"$moonboot" keygen -q -W sign
openssl rand -hex 32 >tokens.key
chmod 600 tokens.key
hash=$("$moonboot" keygen --bearer admin)
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=boot.lab \
    -addext subjectAltName=IP:127.0.0.1 -keyout server.key -out server.pem 2>/dev/null
cat >values.txt <<'TXT'
hunter2-in-the-policy
in-an-inventory/with&signs
"quoted" and \slashed\
the-password-of-the-cmdb
TXT
{ read -r one && read -r two && read -r three && read -r four; } <values.txt

cat >policy.lua <<LUA
local one, three = sealed "$(seal one "$one")", sealed "$(seal three "$three")"
local cmdb = http.client { base = "http://127.0.0.1:1", timeout = 0.2,
                           headers = { Authorization = "Bearer " .. sealed "$(seal four "$four")" } }
print("loading", one, three)
profile "p" {
  kernel = "vmlinuz", args = { "pw=" .. one, "doc={{config 'doc'}}" }, vars = { three = three },
  config = { doc = "{{three}} {{json(three)}} {{url(three)}}\n", bad = "{{error('bad: ' .. three)}}" },
}
rule "hosts" { boot = inventory "hosts.yaml" }
rule "throws" { match = { serial = "1" }, boot = function() error("thrown: " .. one .. three) end }
rule "answers badly" { match = { serial = "2" }, boot = function() return { use = one, args = { three } } end }
rule "asks" { match = { serial = "3" }, boot = function(m) return nil, select(2, cmdb:get("/%s?key=" .. one, m.mac)) end }
rule "logs" { match = { serial = "4" }, boot = function() log.error(one, json.encode { three }) return disk end }
rule "a table" { match = { serial = "5" }, boot = function() error { one } end }
rule "too long" { match = { serial = "6" }, boot = function() return { use = "p", args = { (one .. three):rep(2000) } } end }
rule("named " .. one) { match = { serial = "7" }, boot = "p" }
rule "a bad field" { match = { serial = "8" }, boot = function(m) return m[one] end }
rule "hangs" { match = { serial = "9" }, boot = function() local s = one while true do s = one .. three end end }
serve "/page" (function() error("page: " .. three) end)
on("done", function() error("event: " .. three) end)
LUA
echo "52:54:00:00:00:01: { boot: p, vars: { two: !sealed $(seal two "$two") }, args: [!sealed $(seal two "$two")] }" >hosts.yaml
cp policy.lua good.lua

cat >>site.yaml <<YAML
  tls: { listen: ["127.0.0.1:$tls_port"], cert: server.pem, key: server.key }
  admin: { token: "$hash" }
signing: { key: sign.key }
tokens: { key: tokens.key }
secrets: { key: seal.key }
state: { path: state }
log: { level: debug, decisions: said/decisions }
YAML

ask_everything() { # what is told here is no machine's: it is searched
    local serial at
    for serial in 1 2 3 4 5 6 8 9; do
        for at in "/ipxe?serial=$serial" "/grub?serial=$serial" "/config/bad?serial=$serial"; do
            curl -sk --max-time 10 "$base$at&mac=52:54:00:00:00:09&platform=efi&buildarch=x86_64"
            curl -sk --max-time 10 "https://127.0.0.1:$tls_port$at&mac=52:54:00:00:00:09&platform=efi"
        done
    done
    for at in /page /nothing /metrics /healthz /readyz /config/doc /event/done /v1/boot/52:54:00:00:00:09 '/%00' '/ipxe?mac=x'; do
        curl -s --max-time 10 "$base$at"
    done
    curl -s --max-time 10 -X POST "$base/event/done?token=x"
    curl -s --max-time 10 -H "Authorization: Bearer $(cat admin.token)" "$base/metrics"
    curl -s --max-time 10 -H "Authorization: Bearer wrong" "$base/metrics"
}
commands() {
    local command
    for command in "status" "status --json" "machines" "machines --json" "reload" "event done 52:54:00:00:00:01"; do
        # shellcheck disable=SC2086 # words
        "$moonboot" $command -c site.yaml
    done
    "$moonboot" check -c site.yaml
    "$moonboot" check --format json policy.lua
    "$moonboot" explain policy.lua --mac 52:54:00:00:00:01
    "$moonboot" eval policy.lua --mac 52:54:00:00:00:01 --render ipxe,grub,config/doc --json
    "$moonboot" eval policy.lua --mac 52:54:00:00:00:09 --serial 1
    echo "mac=52:54:00:00:00:01" | "$moonboot" repl policy.lua
}

exercise() {
    local i machines=()
    # Machines, who are told what is theirs: that is not searched.
    for i in 1 2 3 4; do
        (for _ in $(seq 25); do
            curl -s --max-time 10 "$base/ipxe?mac=52:54:00:00:00:01&platform=efi&buildarch=x86_64"
            curl -s --max-time 10 "$base/ipxe?mac=52:54:00:00:00:0$i&serial=7&platform=efi&buildarch=x86_64"
        done >>theirs) &
        machines+=($!)
    done
    ask_everything >>"$said/answers" 2>&1
    commands >>"$said/commands" 2>&1
    echo "error(one .. ' and ' .. three) profile(three) { kernal = one }" >>policy.lua
    "$moonboot" reload -c site.yaml >>"$said/commands" 2>&1
    kill -HUP "$service"
    cp good.lua policy.lua
    "$moonboot" reload -c site.yaml >>"$said/commands" 2>&1
    wait "${machines[@]}"
}
searched() { # searched PATH…
    python3 "$here/secrets_in_memory.py" "$site" --files "$@"
}
# As if somebody lifted the limit again after each time that the service sets it.
cat >lift.c <<'C'
#define _GNU_SOURCE
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
int setrlimit(__rlimit_resource_t resource, const struct rlimit *limit)
{
    return resource == RLIMIT_CORE ? 0 : (int)syscall(SYS_prlimit64, 0, resource, limit, NULL);
}
int setrlimit64(__rlimit_resource_t resource, const struct rlimit64 *limit)
{
    return resource == RLIMIT_CORE ? 0 : (int)syscall(SYS_prlimit64, 0, resource, limit, NULL);
}
C
gcc -shared -fPIC -o lift.so lift.c
lifted() { [ "$(sed -n 's/^Max core file size *\([a-z0-9]*\) .*/\1/p' "/proc/$1/limits")" = unlimited ]; }
dump() { # dump PID: makes it dump core; sets $dumps
    dumps=$(readlink "/proc/$1/cwd")
    lifted "$1" && kill -ABRT "$1"
}
dumps_of_all() { # a worker, which is replaced, and the supervisor
    local worker
    worker=$(pgrep -P "$service" | tail -n 1)
    check "a worker is made to dump" dump "$worker"
    wait_for "it ends" 10 sh -c "! kill -0 $worker"
    sleep 0.2
    check "the supervisor is made to dump" dump "$service"
    wait_for "it ends, too" 10 sh -c "! kill -0 $service" || kill -KILL "$service"
    wait "$service" 2>/dev/null
    service=
    sleep 0.3
    find "$site" "$dumps" -maxdepth 1 -name 'core*' -size +0 >cores
}

ulimit -c unlimited
start_service env LD_PRELOAD="$site/lift.so"
exercise
check "machines were told what is theirs" grep -qF "pw=$one" theirs
check "and of an inventory" grep -qF "$two" theirs
wait_for "the generations before have ended" 20 sh -c "[ \"\$(pgrep -cP $service)\" = 3 ]" # a nursery, two workers
# shellcheck disable=SC2046 # a list
check "our keys are in no memory that dumps have" python3 "$here/secrets_in_memory.py" "$site" $(processes)
check "a dump would have no kind of memory" [ "$(for p in $(processes); do cat "/proc/$p/coredump_filter"; done | sort -u)" = 00000000 ]
dumps_of_all
check "as root: nobody leaves a dump" [ ! -s cores ]
check "the failures were logged" grep -q "thrown: ••••••" "$said/log"
check "and are in the decision log" grep -q '"rule":"throws".*thrown: ••••••' "$said/decisions"
check "metrics were given to the admin" grep -q moonboot_decisions_total "$said/answers"
check "no secret in logs, answers, commands, decisions" searched "$said"
searched "$said" | tail -n 5 | sed 's/^/# /'
check "no secret is remembered" searched state
check "the search finds what is there" sh -c "! python3 '$here/secrets_in_memory.py' '$site' --files theirs"

# By a user who may be looked into: what is dumped has nothing of it.
chown -R nobody "$site"
rm -rf state
start_service setpriv --reuid=nobody --clear-groups env LD_PRELOAD="$site/lift.so"
ask_everything >>"$said/answers" 2>&1
dumps_of_all
if grep -q '^|' /proc/sys/kernel/core_pattern; then
    echo "ok - dumps go to a program of this host's"
else
    check "as another user: there are dumps" [ -s cores ]
fi
while read -r core; do
    check "no secret in a dump of $(stat -c %s "$core") bytes" searched "$core"
done <cores
check "nor in what was said" searched "$said"
cat "$said/log" >>"$site/log-of-all" # for finish
log=$site/log-of-all

finish
