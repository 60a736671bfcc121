#!/bin/bash
# The service as processes: reload, refusal, replacement, limits, stopping. Needs no root;
# as root it also looks at what workers may do.
set -u
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/e2e/lib.sh
. "$here/lib.sh"

mac=52:54:00:12:34:56

args_now() { # the kernel arguments that the service gives this machine
    fetch "/ipxe?mac=$mac&platform=pcbios&buildarch=x86_64" | grep -o 'marker=[^ ]*' | head -n 1
}
generation() {
    fetch /metrics | sed -n 's/^moonboot_generation //p'
}
metric() {
    fetch /metrics | sed -n "s/^$1 //p"
}
policy() { # policy MARKER: a good policy
    cat >"$site/policy.lua" <<LUA
profile "p" { kernel = "vmlinuz", args = { "marker=$1" } }
rule "hang" { match = { mac = "52:54:00:00:00:01" }, boot = function () while true do end end }
rule "hang in pcall" {
  match = { mac = "52:54:00:00:00:02" },
  boot = function () while true do pcall(function () while true do end end) end end,
  on_error = "p",
}
rule "grow" {
  match = { mac = "52:54:00:00:00:03" },
  boot = function () local t = {} while true do t[#t + 1] = ("x"):rep(1000000) .. #t end end,
  on_error = deny "no memory",
}
rule "throw" { match = { mac = "52:54:00:00:00:04" }, boot = function () error { 1 } end }
rule "all" { boot = "p" }
LUA
}
reload() { # reload WANTED: sends SIGHUP, waits for a log line
    local before
    before=$(wc -l <"$log")
    kill -HUP "$service"
    wait_for "$1 (reload)" 10 sh -c "tail -n +$((before + 1)) '$log' | grep -q '$1'"
}
workers() { # the pids of workers: children with an event loop, which the nursery has not
    local pid fd
    for pid in $(pgrep -P "$service"); do
        for fd in "/proc/$pid/fd"/*; do
            [[ $(readlink "$fd" 2>/dev/null) == *eventpoll* ]] && echo "$pid"
        done
    done | sort -u
}

gone() { # gone PID: ended; a zombie that its new parent has not yet waited for is gone too
    ! grep -qv '^State:.Z' <(grep '^State' "/proc/$1/status" 2>/dev/null)
}

make_site
policy one
start_service
check "serves by its policy" [ "$(args_now)" = marker=one ]
check "is ready" fetch /readyz
check "shows its first generation" [ "$(generation)" = 1 ]

policy two
reload ready
check "SIGHUP: the new policy decides" [ "$(args_now)" = marker=two ]
check "SIGHUP: the generation is counted" [ "$(generation)" = 2 ]

echo 'rule "broken" { mtach = { mac = "x" }, boot = "q" }' >>"$site/policy.lua"
reload "refused"
check "a bad policy is refused, with file and line" grep -qE 'policy\.lua:[0-9]+: .*mtach' "$log"
check "a bad policy: the good one goes on" [ "$(args_now)" = marker=two ]
check "a bad policy: metrics show it" [ "$(metric moonboot_last_reload_refused)" = 1 ]
check "a bad policy: /readyz is ready and says so" sh -c "curl -sf $base/readyz | grep -q refused"

victim=$(workers | head -n 1)
kill -9 "$victim"
wait_for "the killed worker is replaced" 5 sh -c "grep -q 'pid $victim) was ended by signal 9' '$log'"
sleep 1
check "its replacement has the good policy, not the file's" [ "$(args_now)" = marker=two ]
check "as many workers as before" [ "$(workers | wc -l)" = 2 ]

echo 'policy: [' >"$site/site.yaml"
reload "refused"
check "a bad site.yaml is refused, with line and column" grep -qE 'site\.yaml:[0-9]+:[0-9]+: ' "$log"
check "a bad site.yaml: the good one goes on" [ "$(args_now)" = marker=two ]
write_site

policy three
reload ready
check "a good one is taken after bad ones" [ "$(args_now)" = marker=three ]
check "a good one: no longer refused" [ "$(metric moonboot_last_reload_refused)" = 0 ]

head -c 30000000 /dev/urandom >"$site/assets/big"
curl -s --limit-rate 15M "$base/assets/big" -o "$site/got" &
transfer=$!
sleep 0.5
policy four
reload ready
check "during a transfer: the new policy decides" [ "$(args_now)" = marker=four ]
wait "$transfer"
check "a transfer in flight over a reload is whole" cmp -s "$site/assets/big" "$site/got"

check "an endless loop costs one answer" \
    sh -c "curl -sf '$base/ipxe?mac=52:54:00:00:00:01' | grep -q '^#!ipxe'"
check "an endless loop in pcall: the rule's on_error" \
    sh -c "curl -sf '$base/ipxe?mac=52:54:00:00:00:02' | grep -q marker=four"
check "endless growth: the rule's on_error" \
    sh -c "curl -sf '$base/ipxe?mac=52:54:00:00:00:03' | grep -q 'no memory'"
check "a thrown table costs one answer" \
    sh -c "curl -sf '$base/ipxe?mac=52:54:00:00:00:04' | grep -q '^#!ipxe'"
check "all of them are in the log with file and line" \
    sh -c "grep -c 'error=.*policy.lua:[0-9]' '$log' | grep -qE '^([4-9]|[0-9]{2,})'"
check "deadlines are counted" [ "$(metric moonboot_decision_deadlines_total)" -ge 2 ]
check "and the next machine is served" [ "$(args_now)" = marker=four ]

stopped=$(workers | head -n 1)
kill -STOP "$stopped"
wait_for "a worker that stands still is replaced" 8 grep -q "pid $stopped) has stood still" "$log"
sleep 1
for _ in 1 2 3 4; do check "after it: answers" [ "$(args_now)" = marker=four ]; done

nursery=$(comm -23 <(pgrep -P "$service" | sort) <(workers | sort) | head -n 1)
before=$(generation)
kill -9 "$nursery"
wait_for "a lost nursery is made anew" 10 \
    sh -c "curl -sf $base/metrics | grep -q '^moonboot_generation $((before + 1))'"
check "after it: answers" [ "$(args_now)" = marker=four ]

nursery=$(comm -23 <(pgrep -P "$service" | sort) <(workers | sort) | head -n 1)
before=$(generation)
echo 'rule "broken" {' >"$site/policy.lua"
kill -9 "$nursery"
wait_for "a lost nursery, and a bad policy: refused" 10 sh -c "tail -n 5 '$log' | grep -q refused"
check "the old workers go on" [ "$(args_now)" = marker=four ]
policy four
wait_for "the policy mended: taken without a signal" 20 \
    sh -c "curl -sf $base/metrics | grep -q '^moonboot_generation [0-9]' && [ \$(curl -sf $base/metrics | sed -n 's/^moonboot_generation //p') -gt $before ]"
kill -9 "$(workers | head -n 1)"
wait_for "and dead workers are replaced again" 10 sh -c "[ \$(curl -sf $base/metrics | sed -n 's/^moonboot_workers //p') = 2 ]"

for round in 1 2 3 4 5 6 7 8 9 10; do # as fast as they come, good and bad
    kill -HUP "$service"
    [ $((round % 3)) = 0 ] && echo 'rule "broken" {' >"$site/policy.lua" || policy four
done
policy four
reload ready
serves_four() { # a reload that read a half-written file may still be under way
    [ "$(args_now)" = marker=four ]
}
wait_for "a storm of SIGHUPs: serves" 10 serves_four
settled() {
    [ "$(workers | wc -l)" = 2 ]
}
wait_for "a storm of SIGHUPs: as many workers as before" 10 settled

if [ "$(id -u)" = 0 ]; then
    worker=$(workers | head -n 1)
    check "workers are not root" sh -c "! grep -qE '^Uid:.*\b0\b' /proc/$worker/status"
    check "workers have no capability" grep -qE '^CapEff:\s0+$' "/proc/$worker/status"
    check "workers cannot gain any" grep -qE '^NoNewPrivs:\s1$' "/proc/$worker/status"
    sed -i '/^user:/d' "$site/site.yaml"
    chmod 600 "$site/policy.lua"
    chmod 700 "$site/assets"
    reload ready
    check "a policy that only root may read is loaded" [ "$(args_now)" = marker=four ]
    check "workers still are not root" sh -c "! grep -qE '^Uid:.*\b0\b' /proc/$(workers | head -n 1)/status"
    check "workers still have no capability" grep -qE '^CapPrm:\s0+$' "/proc/$(workers | head -n 1)/status"
    check "a directory that workers cannot enter is warned of" grep -q 'assets. names cannot be entered' "$log"
    sed -i '$ a user: nonesuch' "$site/site.yaml"
    reload refused
    check "a user that does not exist is refused" grep -q 'there is no user "nonesuch"' "$log"
    write_site
    chmod 755 "$site/assets"
    chmod 644 "$site/policy.lua"
else
    skip "what workers may do" "not root"
fi

started=$(pgrep -P "$service" | wc -l)
check "there were processes to end" [ "$started" -ge 3 ]
children=$(pgrep -P "$service")
kill -TERM "$service"
wait "$service"
check "SIGTERM: exit code 0" [ $? = 0 ]
for pid in $children; do
    check "SIGTERM: no process stays" gone "$pid"
done
service=

policy five
start_service
children=$(pgrep -P "$service")
kill -9 "$service"
wait "$service" 2>/dev/null
sleep 1
for pid in $children; do
    check "the supervisor killed: no process stays" gone "$pid"
done
service=

mkfifo "$site/unread"
exec 9<>"$site/unread"
"$BUILD/moonboot" serve -c "$site/site.yaml" 2>"$site/unread" 9>&- &
service=$!
wait_for "a log that nobody reads: serves" 20 fetch /readyz
for _ in $(seq 1200); do fetch "/ipxe?mac=$mac" >/dev/null; done
check "a log that nobody reads: serves on when the pipe is full" fetch /healthz
kill -TERM "$service"
wait "$service"
check "a log that nobody reads: SIGTERM, exit code 0" [ $? = 0 ]
service=
exec 9>&-

# Starts that must fail, each with a reason.
refuses() { # refuses WHAT TEXT: the service ends with 1 and says so
    timeout 150 "$BUILD/moonboot" serve -c "$site/site.yaml" >"$site/refused.log" 2>&1
    check "$1: exit code 1" [ $? = 1 ]
    check "$1: says why" grep -q "$2" "$site/refused.log"
}
rm "$site/policy.lua"
refuses "no policy file" "policy.lua:1: cannot be read: No such file"
echo 'while true do end' >"$site/policy.lua"
refuses "a policy that never ends loading" "CPU time"
printf 'rule "a" { boot = ignore }\nrule "b" { boot = ' >"$site/policy.lua"
refuses "a syntax error" "policy.lua:2:"
policy six
sed -i 's,assets: assets,assets: /nonexistent,' "$site/site.yaml"
refuses "a directory that is not there" 'assets: /nonexistent`: No such file'
write_site
start_service
refuses "ports in use" "HTTP (TCP) port $http_port: Address already in use"
check "ports in use: all are named" grep -q "TFTP (UDP) port $tftp_port: Address" "$site/refused.log"
stop_service

finish
