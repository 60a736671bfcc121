#!/bin/bash
# `moonboot test` in the real program: what needs processes, files and the C half.
set -u
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/e2e/lib.sh
. "$here/lib.sh"

site=$(mktemp -d /tmp/moonboot-testing-XXXXXX)
trap 'rm -rf "$site"' EXIT
moonboot=$BUILD/moonboot
cd "$site" || exit 2

# says FILE TEXT: the file has it.
says() {
    grep -qF -- "$2" "$1"
}

# run STATUS ARGUMENT…: moonboot test, whose output is in `out` and `err`, ends with that status.
run() {
    local wanted=$1 status
    shift
    "$moonboot" test "$@" >out 2>err
    status=$?
    [ $status = "$wanted" ] || { echo "# exit $status"; cat out err; return 1; } >&2
}

cat >policy.lua <<'LUA'
profile "compute" { kernel = "vmlinuz", args = { "rack={{rack}}" }, vars = { rack = "none" } }
local hosts = inventory "hosts.csv"
rule "hosts" { boot = hosts }
rule "rest" { boot = ignore }
LUA
printf 'mac,boot,rack\n52:54:00:00:00:01,compute,12\n' >hosts.csv
cat >policy_test.lua <<'LUA'
test "a host" { given = { mac = "52:54:00:00:00:01" }, expect = { boot = "compute", args = { "rack=12" } } }
test "another file of hosts" {
  files  = { ["hosts.csv"] = "mac,boot,rack\n52:54:00:00:00:02,compute,13\n" },
  cases  = {
    new = { given = { mac = "52:54:00:00:00:02" }, expect = { args = { "rack=13" } } },
    old = { given = { mac = "52:54:00:00:00:01" }, expect = { boot = "ignore" } },
  },
}
test "a bad one" { files = { ["hosts.csv"] = "mac,boot\nxx,compute\n" }, expect = { problems = contains "hosts.csv:2" } }
test "none" { files = { ["hosts.csv"] = false }, expect = { problems = contains "No such file" } }
LUA
check "an inventory of a test's own" run 0 policy_test.lua
check "all of its tests ran" says out "5 passed, 0 failed"
check "and nothing is left of it" [ "$(find /tmp -maxdepth 1 -name 'moonboot-test-*' -user "$(id -un)" | wc -l)" = 0 ]

mkdir many
for i in $(seq 1 9); do
    cp policy.lua hosts.csv many/
    cat >"many/p${i}_test.lua" <<LUA
policy "policy.lua"
for n = 1, 20 do
  test("number " .. n) { given = { mac = "52:54:00:00:00:01" }, expect = { boot = n == 20 and $i == 7 and "disk" or "compute" } }
end
test "late" { skip = "later" }
LUA
done
for format in tap pretty; do
    check "$format of one process" run 1 --format $format many
    mv out one
    check "$format of four" run 1 --format $format -j 4 many
    check "$format is the same" cmp one out
done
check "all cores" run 1 --jobs=auto many
check "counts" says out "179 passed, 1 failed, 9 skipped"
check "JUnit" run 1 --format junit -j 2 many
check "JUnit is XML, with its totals" python3 -c '
import sys, xml.etree.ElementTree as tree
root = tree.parse("out").getroot()
assert root.tag == "testsuites" and root.get("tests") == "189" and root.get("failures") == "1" and root.get("skipped") == "9"
assert len(root) == 9 and sum(len(suite) for suite in root) == 189
assert len(root.findall(".//failure")) == 1 and len(root.findall(".//skipped")) == 9'
check "JSON" run 1 --format json -j 3 many
check "JSON has all tests, in order" python3 -c '
import json
document = json.load(open("out"))
assert document["passed"] == 179 and document["failed"] == 1 and len(document["tests"]) == 189
assert [t["file"] for t in document["tests"]] == sorted(t["file"] for t in document["tests"])'
check "the first failure ends it" run 1 --fail-fast -j 3 many
check "and no test behind it is told" says out "139 passed, 1 failed, 6 skipped"
check "no process is left" [ -z "$(pgrep -f "moonboot test .*$site" || true)" ]

cat >prop_test.lua <<'LUA'
policy "policy.lua"
test "all" { for_all = { mac = any.mac "52:54:00:00" }, runs = 20, expect = { boot = "ignore" } }
test "some" { for_all = { mac = any.mac, serial = any.text }, expect = { boot = "compute" } }
LUA
check "a property that does not hold" run 1 prop_test.lua
check "has its smallest machine" says out 'for { mac = "00:00:00:00:00:00", serial = "" }'
seed=$(grep -o -- '--seed [0-9]*' out)
mv out first
# shellcheck disable=SC2086
check "and a seed" run 1 $seed prop_test.lua
check "which finds it again" cmp first out

cat >golden_test.lua <<'LUA'
policy "policy.lua"
test "all of it" { given = { mac = "52:54:00:00:00:01" }, expect = { golden = "golden/host" } }
LUA
check "a golden file that is not there" run 1 golden_test.lua
check "is written" run 0 --update-golden golden_test.lua
check "and holds" run 0 golden_test.lua
sed -i 's/rack=12/rack=13/' golden/host
check "unless it is changed" run 1 golden_test.lua
check "which is shown" says out "- args = rack=13"

finish
