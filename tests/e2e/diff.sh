#!/bin/bash
# `moonboot diff`: policies of every kind, machines of every source, several processes.
set -u
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/e2e/lib.sh
. "$here/lib.sh"

moonboot=$BUILD/moonboot
make_site
cd "$site" || exit 2
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null HOME=$site
exits() { # exits CODE TEXT COMMAND…: and what it prints has the text
    local code=$1 text=$2
    shift 2
    "$@" >out 2>&1
    [ $? = "$code" ] && grep -qF -- "$text" out
}
policy() { # policy FILE PREFIX: machines with this prefix boot
    cat >"$1" <<LUA
include "racks.lua"
rule "ours" { match = { mac = prefix "$2" }, boot = "p" }
LUA
    echo 'profile "p" { kernel = "vmlinuz", args = { "host={{serial or mac}}" } }' >"$(dirname "$1")/racks.lua"
}

git init -q -b main repository
mkdir repository/site
policy repository/site/policy.lua 52:54:00:01
policy repository/policy.lua 52:54:00:01
echo 'policy: policy.lua' >repository/site/site.yaml
git -C repository add .
git -C repository -c user.name=x -c user.email=x@example.org commit -q -m one
git -C repository tag v1
policy repository/site/policy.lua 52:54:00:02
policy repository/policy.lua 52:54:00:02
cat >hosts.yaml <<YAML
52-54-00-01-00-01: p
52:54:00:01:00:02: { boot: disk, vars: { rack: 1 } }
52:54:00:09:00:01: ignore
YAML

cd repository || exit 2
for pair in "v1:policy.lua policy.lua" "v1: ." "v1:site site" "v1:site/policy.lua site/policy.lua" \
    "v1:site/site.yaml site/site.yaml" "v1:./site site/" "HEAD:site site"; do
    # shellcheck disable=SC2086 # two words
    check "policies: $pair" exits 1 "2 of 3 machines would boot otherwise" "$moonboot" diff $pair --machines ../hosts.yaml
done
check "a rule of a revision has its place there" grep -qF 'rule "ours" (HEAD:site/policy.lua:2)' out
cd site || exit 2
check "from below: ./ is where we are" exits 1 "2 of 3" "$moonboot" diff v1:./policy.lua policy.lua --machines ../../hosts.yaml
cd "$site" || exit 2
check "no temporary directory stays" sh -c "! ls -d /tmp/moonboot-?????? 2>/dev/null | grep -v e2e"
check "the same: exit 0" exits 0 "0 of 3 machines" "$moonboot" diff repository repository/site --machines hosts.yaml
cd repository || exit 2
check "no such revision" exits 2 "v9:policy.lua: " "$moonboot" diff v9:policy.lua policy.lua --machines ../hosts.yaml
check "no such file in it" exits 2 "v1:nonesuch.lua: " "$moonboot" diff v1:nonesuch.lua policy.lua --machines ../hosts.yaml
cd "$site" || exit 2
check "outside a repository" exits 2 "git repository" env GIT_CEILING_DIRECTORIES="$site" "$moonboot" diff v1:policy.lua repository --machines hosts.yaml
check "no such policy" exits 2 "none.lua" "$moonboot" diff none.lua repository --machines hosts.yaml
mkdir links && ln -s ../hosts.yaml links/linked.yaml
check "machines behind a link that leads elsewhere" exits 0 "0 of 3 machines" "$moonboot" diff repository repository/site --machines links/linked.yaml
check "machines from standard input" exits 0 "0 of 3 machines" "$moonboot" diff repository repository/site --machines - <hosts.yaml
check "machines from a pipe" exits 0 "0 of 3 machines" "$moonboot" diff repository repository/site --machines <(printf '%s\n' mac 52:54:00:01:00:0{1,2,3})
check "machines of no such file" exits 2 "moonboot diff: none.yaml: No such file or directory" "$moonboot" diff repository repository/site --machines none.yaml
check "of a directory" exits 2 "moonboot diff: links: Is a directory" "$moonboot" diff repository repository/site --machines links
check "bad machines have their line" exits 2 "bad.yaml:2:" sh -c "echo 'a: [' >bad.yaml; $moonboot diff repository repository --machines bad.yaml"

policy old.lua 52:54:00
policy new.lua 52:54:00:0
sed -i 's/"ours"/"theirs"/' new.lua
python3 - decisions.jsonl <<'PY'
import json, sys
with open(sys.argv[1], "w") as out:
    for i in range(20000):
        mac = "52:54:00:%02x:%02x:%02x" % (i % 4000 % 32, i % 4000 // 256, i % 256)
        facts = {"mac": mac, "serial": "S%d" % (i % 4000), "arch": "efi-x64", "stage": "ipxe"}
        print(json.dumps({"time": "2026-11-26T14:00:00.000000Z", "machine": mac, "stage": "ipxe", "us": 1,
                          "generation": 1, "policy": "0" * 32, "facts": facts}, separators=(",", ":")), file=out)
PY
check "a log, one process" exits 1 "machines would boot otherwise (20000 decisions)" "$moonboot" diff old.lua new.lua --log decisions.jsonl --jobs 1
check "a log from a pipe, which can be read once" exits 1 "machines would boot otherwise (20000 decisions)" \
    "$moonboot" diff old.lua new.lua --log <(cat decisions.jsonl) --jobs 2
cp out alone
check "a log, three processes: the same" sh -c "$moonboot diff old.lua new.lua --log decisions.jsonl --jobs 3 >out; cmp out alone"
check "a log from standard input: the same" sh -c "$moonboot diff old.lua new.lua --log - <decisions.jsonl >out; cmp out alone"
"$moonboot" diff old.lua new.lua --log decisions.jsonl --json >out.json
check "the figures are right" python3 - <<'PY'
import json
macs = {}
for line in open("decisions.jsonl"):
    facts = json.loads(line)["facts"]
    macs.setdefault(facts["mac"], 0)
    macs[facts["mac"]] += 1
lost = {mac: n for mac, n in macs.items() if not mac.startswith("52:54:00:0")}
found = json.load(open("out.json"))
group, = found["groups"]
assert found["machines"] == len(macs) and found["decisions"] == 20000, found
assert found["differ"] == group["machines"] == len(lost), (found, len(lost))
assert group["decisions"] == sum(lost.values()), group
assert group["old"]["rule"] == {"file": "old.lua", "line": 2, "name": "ours"} and group["new"]["verdict"] == "ignore"
PY
sed 's/52:54:00:99:0a:1f/52:54:00:99:0a:20/' "$here/../wire/policy.lua" >other.lua
check "a capture" exits 1 "1 machine: boot guest -> ignore" \
    "$moonboot" diff "$here/../wire/policy.lua" other.lua --pcap "$here/../wire/captures/bios-undionly.pcap"
cp old.lua policy.lua
echo 'log: { decisions: own.jsonl }' >>site.yaml
start_service
for i in 1 2 3; do fetch "/ipxe?mac=52:54:00:1$i:00:01&row=%ff" >/dev/null; done
stop_service
check "a service's own log is decided again as it was" exits 0 "0 of 3 machines" "$moonboot" diff policy.lua old.lua --log own.jsonl
check "a service's own log, and another policy" exits 1 "3 of 3 machines" "$moonboot" diff policy.lua new.lua --log own.jsonl
cat >hang.lua <<'LUA'
rule "hang" { match = { mac = prefix "52:54:00:11" }, boot = function() while true do end end, on_error = disk }
rule "wait" { match = { mac = prefix "52:54:00:12" }, boot = function() sleep(3600) return disk end, on_error = shell }
LUA
check "functions that hang or wait end" exits 1 "ignore" timeout 20 "$moonboot" diff hang.lua old.lua --log own.jsonl
finish
