#!/bin/bash
# `moonboot replay`: captures of real firmware replay to the decisions that are known of them, and
# what a running service decided is decided again from a capture of its traffic.
set -u
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/e2e/lib.sh
. "$here/lib.sh"

moonboot=$BUILD/moonboot
wire=$here/../wire
dhcp_enabled=true
make_site
out=$site/out

good=0 all=0
for capture in "$wire"/captures/*.pcap; do
    name=$(basename "$capture" .pcap)
    all=$((all + 1))
    "$moonboot" replay --policy "$wire/policy.lua" --server 10.99.0.2 --interface eth0 --json \
        --write "$out.pcap" "$capture" >"$out.jsonl" 2>>"$out.err" &&
        "$here/replay.py" golden "$wire/golden/$name.txt" "$out.jsonl" "$out.pcap" >"$out.said" &&
        good=$((good + 1)) || sed "s/^/# $name /" "$out.said"
done
check "$good of $all captures replay to what is known of them" [ "$good" = "$all" ]
check "nothing is said of sound captures" [ ! -s "$out.err" ]

capture=$wire/captures/uefi-pxe.pcap
"$moonboot" replay --policy "$wire" "$capture" >"$out"
check "the policy may be a directory; the server is found" grep -q -- '-> ACK snponly.efi' "$out"
check "an error is no success, whatever its status" grep -q '^    nothing to decide -> 404 for iPXE: no such page: /vmlinuz$' "$out"
check "the last line counts" [ "$(tail -n 1 "$out")" = "11 requests, 9 answered" ]
check "a line says who, what, and by which rule" sh -c \
    "grep -A 1 '#7 .*52:54:00:99:0a:1f request 4011' '$out' | grep -q 'boot guest (rule \"the lab.s client\")'"
"$moonboot" replay --policy "$wire" - <"$capture" >"$out.stdin"
check "from standard input" grep -q '11 requests' "$out.stdin"
"$moonboot" replay --policy "$wire" "$here/../fuzz/corpus/capture/bios-ipxe-rom.pcapng" >"$out.ng"
"$moonboot" replay --policy "$wire" "$here/../fuzz/corpus/capture/bios-ipxe-rom-sll2.pcap" >"$out.sll2"
"$moonboot" replay --policy "$wire" "$wire/captures/bios-ipxe-rom.pcap" >"$out.pcap"
check "pcapng" cmp -s "$out.pcap" "$out.ng"
check "Linux' cooked format" cmp -s "$out.pcap" "$out.sll2"

"$moonboot" replay --policy "$wire" --diff "$wire/policy.lua" "$capture" >"$out"
check "--diff with itself: exit 0" [ $? = 0 ]
check "--diff with itself: nothing" [ "$(cat "$out")" = "11 requests, 0 decided or answered otherwise" ]
sed 's/52:54:00:99:0a:1f/52:54:00:99:0a:20/' "$wire/policy.lua" >"$site/other.lua"
"$moonboot" replay --policy "$wire" --diff "$site/other.lua" "$capture" >"$out"
check "--diff: exit 1" [ $? = 1 ]
check "--diff: before and after" sh -c \
    "grep -A 2 '#2 ' '$out' | tr '\n' ' ' | grep -q -- '- boot guest .*-> OFFER snponly.efi .*+ ignore .*-> no answer'"
check "--diff: only those" [ "$(tail -n 1 "$out")" = "11 requests, 3 decided or answered otherwise" ]
"$moonboot" replay --policy "$wire" --diff "$site/other.lua" --json "$capture" >"$out"
check "--diff --json: three lines" [ "$(grep -c '"new":.*"old":' "$out")" = 3 ]
echo 'rule "x" { boot = function() error "oops" end }' >"$site/fails.lua"
"$moonboot" replay --policy "$site/fails.lua" "$capture" >"$out"
check "a policy that fails: exit 1" [ $? = 1 ]
check "and where" grep -q 'fails.lua:1: oops' "$out"

mkdir -p "$site/few"
echo "x" >"$site/few/there"
printf 'policy: policy.lua\nhttp: { listen: "127.0.0.1:80", assets: . }\n' >"$site/few/site.yaml"
echo 'rule "x" { boot = disk }' >"$site/few/policy.lua"
"$here/replay.py" ask "$site/asks.pcap" 80:/assets/there 80:/assets/none
"$moonboot" replay -c "$site/few/site.yaml" "$site/asks.pcap" >"$out"
check "a file that is there" grep -q -- '-> 200, 2 bytes of there$' "$out"
check "a file that is not" grep -q -- '-> 404: file not found: none$' "$out"
"$moonboot" replay --policy "$site/few" --json "$site/asks.pcap" >"$out"
check "without a site that is not known" grep -q '"what":"no directory is named that none could be in"' "$out"
"$here/replay.py" ask "$site/asks.pcap" 80:/assets/there 8081:/a 8081:/b 9090:/c
"$moonboot" replay -c "$site/few/site.yaml" "$site/asks.pcap" >"$out" 2>"$out.err"
check "HTTP on a port that the site does not serve is counted" grep -q '2 requests by HTTP on port 8081 passed over: --http-port 8081 takes them$' "$out.err"
check "and on another" grep -q '1 request by HTTP on port 9090 passed over' "$out.err"
check "and that is all" [ "$(wc -l <"$out.err")" = 2 ]
"$moonboot" replay -c "$site/few/site.yaml" --http-port 80,8081,9090 "$site/asks.pcap" >"$out" 2>"$out.err"
check "--http-port takes them" [ "$(tail -n 1 "$out"), $(wc -l <"$out.err")" = "4 requests, 4 answered, 0" ]

exits() { # exits CODE TEXT COMMAND…: and its errors have the text
    local code=$1 text=$2
    shift 2
    "$@" >"$out" 2>"$out.err"
    [ $? = "$code" ] && grep -qF -- "$text" "$out.err"
}
check "no capture: exit 2" exits 2 "name one capture" "$moonboot" replay
check "no such file: exit 2" exits 2 "/nonesuch: No such file" "$moonboot" replay --policy "$wire" /nonesuch
check "no capture at all: exit 2" exits 2 "unknown file format" "$moonboot" replay --policy "$wire" "$wire/policy.lua"
check "a bad policy: exit 2" exits 2 "bad.lua:1: " sh -c "echo 'rule \"x\" { boot = nonsense }' >$site/bad.lua; $moonboot replay --policy $site/bad.lua $capture"
head -c 5000 "$capture" >"$site/cut.pcap"
check "a damaged capture: exit 2" exits 2 "truncated" "$moonboot" replay --policy "$wire" "$site/cut.pcap"
check "a damaged capture: what is before" grep -q 'OFFER' "$out"
check "bad options are named" exits 2 'is no IPv4 address' "$moonboot" replay --policy "$wire" --server x "$capture"

if [ "$(id -u)" = 0 ] && command -v tcpdump >/dev/null; then
    echo "log: { decisions: decisions.jsonl }" >>"$site/site.yaml"
    echo "advertise: 127.0.0.1" >>"$site/site.yaml"
    cat >"$site/policy.lua" <<'LUA'
profile "p" { kernel = "vmlinuz", config = { seed = "x" }, files = { ["x.cfg"] = false } }
rule "by name" { match = { stage = "tftp", interface = "lo" }, boot = "p" }
rule "broken" { match = { serial = "B" }, boot = function() error "oops" end, on_error = disk }
rule "labelled" { match = { ["label.row"] = "b" }, boot = disk }
rule "all" { match = { mac = prefix "52:54:00" }, boot = "p" }
LUA
    start_service
    tcpdump -i lo -U -w "$site/live.pcap" --immediate-mode 2>"$site/tcpdump" &
    tcpdump=$!
    wait_for "tcpdump listens" 10 grep -q 'listening on' "$site/tcpdump"
    python3 "$here/dhcp_client.py" 127.0.0.1 $dhcp_port 3 >/dev/null
    fetch "/ipxe?mac=52:54:00:00:00:01&serial=S&platform=efi&buildarch=x86_64" >/dev/null
    fetch "/ipxe?mac=52:54:00:00:00:02&row=b" >/dev/null
    fetch "/ipxe?serial=B" >/dev/null
    curl -s "$base/ipxe?mac=52:54:00:00:00:03" "$base/ipxe?mac=52:54:00:00:00:04" >/dev/null # one connection
    fetch "/v1/boot/52:54:00:00:00:05" >/dev/null
    fetch "/pxelinux.cfg/01-52-54-00-00-00-06" >/dev/null
    curl -s "tftp://127.0.0.1:$tftp_port/x.cfg" >/dev/null
    fetch "/metrics" >/dev/null
    wait_for "all of it is captured" 10 sh -c "tcpdump -r '$site/live.pcap' -A 2>/dev/null | grep -q 'GET /metrics'"
    kill "$tcpdump"
    wait "$tcpdump" 2>/dev/null
    "$moonboot" replay -c "$site/site.yaml" --interface lo --json --write "$site/written.pcap" "$site/live.pcap" >"$out" 2>"$out.err"
    "$here/replay.py" live "$site/decisions.jsonl" "$out" >"$out.said"
    check "what a service decided is decided again" [ $? = 0 ]
    cat "$out.said" "$out.err"
    check "moonboot's own pages are named" grep -q "moonboot's own page" "$out"
    check "tcpdump reads what is written" sh -c "tcpdump -r '$site/written.pcap' -A 2>/dev/null | grep -q 'HTTP/1.1 200 OK'"
    check "and finds no bad checksum" sh -c "! tcpdump -r '$site/written.pcap' -vv 2>/dev/null | grep -iq 'bad.*cksum\|incorrect'"
else
    skip "a capture of a running service" "not root, or no tcpdump"
fi
finish
