#!/bin/bash
# 10,000 DISCOVERs and 10,000 scripts: each answered, and memory does not grow.
set -u
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/e2e/lib.sh
. "$here/lib.sh"

# The resident memory of all processes of the service, in kB.
memory() {
    local pid total=0
    for pid in $(pgrep -P "$service"); do
        total=$((total + $(sed -n 's/^Rss: *\([0-9]*\).*/\1/p' "/proc/$pid/smaps_rollup")))
    done
    echo "$total"
}
discovers() {
    python3 "$here/dhcp_client.py" 127.0.0.1 "$dhcp_port" "$1"
}
scripts() { # scripts COUNT: by wrk when it is there
    local url="$base/ipxe?uuid=00112233-4455-6677-8899-aabbccddeeff&mac=52:54:00:99:0a:1f&platform=efi&buildarch=x86_64"
    local seconds
    for ((seconds = 1; seconds <= 20; seconds++)); do
        wrk -t 2 -c 32 -d 1s "$url" >>"$site/wrk" 2>&1 || return 1
        [ "$(awk '/requests in/ { n += $1 } END { print n + 0 }' "$site/wrk")" -ge "$1" ] && break
    done
    ! grep -E 'Non-2xx|Socket errors' "$site/wrk"
}

dhcp_enabled=true
make_site
cat >"$site/policy.lua" <<'LUA'
profile "compute" {
  kernel = "el9/vmlinuz",
  initrd = { "el9/initrd.img" },
  args = { "ip=dhcp", "uuid={{uuid}}" },
}
rule "all" { match = { mac = prefix "52:54:00" }, boot = "compute" }
LUA
start_service

check "DISCOVERs are answered" discovers 2000
check "scripts are answered" scripts 2000
before=$(memory)
: >"$site/wrk"
check "10,000 DISCOVERs: each is answered" discovers 10000
check "10,000 scripts: no error" scripts 10000
echo "# $(awk '/requests in/ { n += $1 } END { print n }' "$site/wrk") scripts"
after=$(memory)
echo "# resident before: $before kB, after: $after kB"
if grep -q sanitize <<<"$BUILD"; then
    echo "# a sanitizer keeps what was freed: leaks are what it looks for at the end"
else
    check "memory has not grown by a tenth" [ "$after" -le $((before + before / 10 + 1024)) ]
fi
malformed=$(fetch /metrics | grep -F 'dhcp_packets_total{result="malformed"}' | sed 's/.* //')
check "no packet was malformed" [ "$malformed" = 0 ]

finish
