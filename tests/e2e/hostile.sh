#!/bin/bash
# 1,000 hostile packets: a good client is answered within a second throughout, and no worker ends.
set -u
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/e2e/lib.sh
. "$here/lib.sh"

dhcp_enabled=true
make_site
head -c 1000 /dev/urandom >"$site/tftp/small"
cat >"$site/policy.lua" <<'LUA'
profile "p" { kernel = "vmlinuz", args = { "mac={{mac}}" } }
rule "all" { match = { mac = prefix "52:54:00" }, boot = "p" }
LUA
start_service
for seed in 1 2; do
    python3 "$here/hostile.py" "$site" "$seed" >"$site/said" 2>&1
    status=$?
    sed 's/^/# /' "$site/said"
    check "seed $seed: good clients are answered within a second" [ "$status" = 0 ]
done
check "no worker ended" [ "$(fetch /metrics | sed -n 's/^moonboot_workers_restarted_total //p')" = 0 ]
check "malformed packets were counted" [ "$(fetch /metrics | sed -n 's/^moonboot_dhcp_packets_total{result="malformed"} //p')" -gt 50 ]
wait_for "no connection is left open" 40 sh -c "[ \"\$(curl -s $base/metrics | sed -n 's/^moonboot_http_connections_open //p')\" -le 1 ]"
finish
