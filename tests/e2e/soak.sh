#!/bin/bash
# Mixed load with a reload every second and a kill -9 of a worker every ten: soak.sh [SECONDS], 30 by default.
set -u
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/e2e/lib.sh
. "$here/lib.sh"
seconds=${1:-30}

workers() { # the pids of workers that serve: children with an event loop that hold a listening socket
    local pid fd
    for pid in $(pgrep -P "$service"); do
        for fd in "/proc/$pid/fd"/*; do
            [[ $(readlink "$fd" 2>/dev/null) == *eventpoll* ]] && echo "$pid"
        done
    done | sort -u
}
memory() { # the proportional memory of all processes of the service, in kB
    local pid total=0 own
    for pid in "$service" $(pgrep -P "$service"); do
        own=$(sed -n 's/^Pss: *\([0-9]*\).*/\1/p' "/proc/$pid/smaps_rollup" 2>/dev/null)
        total=$((total + ${own:-0}))
    done
    echo "$total"
}
descriptors() { find "/proc/$service/fd" -mindepth 1 | wc -l; }
settled() { # no worker of an old generation is left
    wait_for "old workers have ended" 40 sh -c "[ \$(pgrep -P $service | wc -l) -le 3 ]" >/dev/null
}
policy() { # policy NUMBER: a good one; of every fourth the text is broken
    cat >"$site/policy.new" <<LUA
profile "p" { kernel = "vmlinuz", args = { "mac={{mac}}", "round=$1" } }
rule "all" { match = { mac = prefix "52:54:00" }, boot = "p" }
LUA
    [ $(($1 % 4)) = 3 ] && echo 'rule "broken" {' >>"$site/policy.new"
    mv "$site/policy.new" "$site/policy.lua"
}

dhcp_enabled=true
make_site
head -c 3000000 /dev/urandom >"$site/assets/large"
head -c 20000000 /dev/urandom >"$site/assets/larger"
head -c 5000 /dev/urandom >"$site/tftp/small"
head -c 400000 /dev/urandom >"$site/tftp/medium"
policy 0
start_service
: >"$site/kills"
python3 "$here/mix.py" "$site" 3 >"$site/warm" 2>&1
check "load before: all is answered" grep -q ' 0 lost .* 0 wrong' "$site/warm"
for round in 1 2 3 4; do # memory is compared after the first reloads
    policy "$round"
    kill -HUP "$service"
    sleep 1
done
settled
before=$(memory) fds=$(descriptors)

python3 "$here/mix.py" "$site" "$seconds" "$site/kills" >"$site/mix" 2>&1 &
mix=$!
for ((round = 5; round < 5 + seconds; round++)); do
    policy "$round"
    kill -HUP "$service"
    sleep 1
    if [ $((round % 10)) = 9 ]; then
        victim=$(workers | shuf -n 1)
        python3 -c 'import time; print(time.monotonic())' >>"$site/kills"
        kill -9 "$victim"
    fi
    [ $((seconds)) -gt 60 ] && [ $((round % 60)) = 0 ] && echo "# $round s: $(memory) kB, $(descriptors) descriptors"
done
wait "$mix"
status=$?
sed 's/^/# /' "$site/mix"
check "no wrong answer, and none lost but in killed workers" [ $status = 0 ]
check "workers were killed" [ "$(wc -l <"$site/kills")" -ge $((seconds / 10)) ]
policy 4
kill -HUP "$service"
sleep 1
settled
after=$(memory)
echo "# memory before: $before kB, after: $after kB; descriptors before: $fds, after: $(descriptors)"
check "the supervisor holds as many descriptors as before" [ "$(descriptors)" -le $((fds + 1)) ]
if grep -q sanitize <<<"$BUILD"; then
    echo "# a sanitizer keeps what was freed"
else
    check "memory has not grown by a quarter" [ "$after" -le $((before + before / 4 + 2048)) ]
fi
check "good reloads took effect" [ "$(fetch /metrics | sed -n 's/^moonboot_generation //p')" -ge $((seconds / 3)) ]
check "bad ones were refused" [ "$(fetch /metrics | sed -n 's/^moonboot_reloads_refused_total //p')" -ge $((seconds / 8)) ]
check "it serves" fetch "/ipxe?mac=52:54:00:00:00:01"
finish
