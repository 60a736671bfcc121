#!/bin/bash
# examples/monitoring: what promtool says of it, and whether all that it names is in /metrics.
set -u
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/e2e/lib.sh
. "$here/lib.sh"
root=$(cd "$here/../.." && pwd)
examples=$root/examples/monitoring
PATH=$PATH:$root/build/tools/tftpd-hpa/usr/sbin:$root/build/tools/prometheus/usr/bin

make_site
cat >"$site/policy.lua" <<'LUA'
local nobody = http.client { base = "http://127.0.0.1:1" }
rule "all" { boot = function() return nobody:get "/" end, on_error = ignore }
LUA
if [ "$(id -u)" = 0 ] && command -v in.tftpd >/dev/null; then
    sed -i 's/backend: builtin/backend: hpa/' "$site/site.yaml" # it has metrics of its own
    hpa=yes
fi
start_service
fetch "/ipxe?mac=52:54:00:00:00:01" >/dev/null # what nothing has happened of is not shown
fetch /metrics >"$site/metrics"
check "/metrics is there" [ -s "$site/metrics" ]
grep -ohE 'moonboot_[a-z0-9_]+' "$examples"/*.yml "$examples/dashboard.json" | sort -u >"$site/named"
check "metrics are named" [ "$(wc -l <"$site/named")" -gt 20 ]
while read -r name; do
    case ${hpa:-}$name in
    moonboot_tftp_hpa_*)
        skip "$name is in /metrics" "tftp-hpa does not run here"
        continue
        ;;
    esac
    check "$name is in /metrics" grep -qE "^$name(_bucket|_sum|_count)?[{ ]" "$site/metrics"
done <"$site/named"
check "the dashboard is JSON" python3 -m json.tool "$examples/dashboard.json"
if command -v promtool >/dev/null; then
    check "promtool: the metrics are well made" sh -c "! promtool check metrics <'$site/metrics' 2>&1 | grep -v 'use base unit'"
    check "promtool: the scrape configuration" promtool check config --syntax-only "$examples/prometheus.yml"
    check "promtool: the alerts" promtool check rules "$examples/alerts.yml"
    check "promtool: the alerts' tests" promtool test rules "$examples/alerts_test.yml"
    python3 - "$examples/dashboard.json" >"$site/rules.yml" <<'PY'
import json, sys

print("groups:\n  - name: dashboard\n    rules:")
for panel in json.load(open(sys.argv[1], encoding="utf-8"))["panels"]:
    for target in panel["targets"]:
        expr = target["expr"].replace("$__rate_interval", "1m")
        print("      - record: a:b\n        labels: {id: '%d%s'}\n        expr: %s" % (panel["id"], target["refId"], json.dumps(expr)))
PY
    check "promtool: the dashboard's expressions" promtool check rules "$site/rules.yml"
else
    skip "what promtool says" "it is not there (make deps)"
fi
finish
