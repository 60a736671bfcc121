#!/bin/bash
# `moonboot test` in the real program: what needs processes, files and the C half.
set -u
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/e2e/lib.sh
. "$here/lib.sh"

site=$(mktemp -d /tmp/moonboot-testing-XXXXXX) log=/dev/null
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
assert root.tag == "testsuites" and root.get("tests") == "189" and root.get("failures") == "1"
assert sum(int(suite.get("skipped")) for suite in root) == 9
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
mkdir slow
cp policy.lua hosts.csv slow/
for i in 1 2; do
    cat >"slow/p${i}_test.lua" <<'LUA'
policy "policy.lua"
for n = 1, 100 do test("slow " .. n) { expect = function() while true do end end } end
LUA
done
"$moonboot" test -j 2 slow >out 2>err &
parent=$!
two() { [ "$(pgrep -P $parent | wc -l)" = 2 ]; }
wait_for "two processes" 10 two
pgrep -P $parent | xargs kill -9
wait $parent
check "processes that die are an error" [ $? = 2 ]
check "which is said" says err "a process that ran tests died"
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

# Coverage: a policy of two files with a template, half of which is tested.
mkdir cov
cat >cov/policy.lua <<'LUA'
local lib = require "lib"
profile "p" {
  kernel = "k", args = { "a={{lib or 1}}" },
  config = { seed = template "seed.cfg", unused = "x" },
}
rule "one" { match = { mac = prefix "52:54:00" }, boot = function(m) return lib.pick(m.serial) end }
rule "two" { match = { serial = "never" }, boot = disk }
LUA
sed -i 's/{{lib or 1}}/{{serial}}/' cov/policy.lua
cat >cov/lib.lua <<'LUA'
return {
  pick = function(serial)
    if serial == "slow" then
      while true do end
    elseif serial then
      return "p"
    end
    error "never"
  end,
}
LUA
printf 'serial {{serial}}\n{%% if serial == "x" then %%}\nx\n{%% else %%}\n{{ mac }}\n{%% end %%}\n' >cov/seed.cfg
cat >cov/policy_test.lua <<'LUA'
test "slow" { given = { mac = "525400000001", serial = "slow" }, expect = { boot = "ignore", error = contains "stopped" } }
test "it" { given = { mac = "525400000001", serial = "y" }, expect = { args = { "a=y" }, config = { seed = contains "52:54" } } }
LUA
echo 'rule "new" { boot = disk }' >cov/new.lua
check "coverage" run 0 --coverage --lcov cov.info --html cov.html cov
check "lines of policies" says out "87.5 %        7/8  cov/lib.lua: 8"
check "and of templates" says out "80.0 %        4/5  cov/seed.cfg: 3"
check "and of what no test loads" says out "0.0 %        0/1  cov/new.lua: no test loads it"
check "rules that never decided" says out 'cov/policy.lua:7: rule "two"'
check "documents that were never rendered" says out 'cov/policy.lua: profile "p": document "unused"'
check "the count comes last" [ "$(tail -n 1 out)" = "2 passed, 0 failed" ]
check "lcov counts the same" [ "$(grep -c '^DA:.*,0$' cov.info)" = 3 ]
check "lcov has all files" [ "$(grep -c '^SF:' cov.info)" = 4 ]
check "HTML says so too" says cov.html "<h1>$(grep -o '[0-9.]* % of .* files' out)</h1>"
mv out one
cp cov/policy_test.lua cov/again_test.lua
sed -i '1i policy "policy.lua"' cov/again_test.lua
check "coverage of two processes" run 0 --coverage -j 2 cov
grep -v passed one | grep % >a
grep % out >b
check "is that of one" cmp a b
check "enough is covered" run 0 --fail-under 80 cov
check "not enough is" run 1 --fail-under 95.5 cov
check "and is said" says err "under 95.5 %"
check "in JSON" run 0 --coverage --format json cov
check "with its figures" python3 -c '
import json
c = json.load(open("out"))["coverage"]
assert 80 < c["percent"] < 95 and len(c["files"]) == 4 and c["rules"]["total"] == 2 and len(c["rules"]["missed"]) == 1'
cat >cov/own_test.lua <<'LUA'
policy "policy.lua"
test "own lib" { files = { ["lib.lua"] = "\n\n\n\n\n\n\nreturn { pick = function() return 'p' end }" },
  given = { mac = "525400000001", serial = "y" }, expect = { boot = "p" } }
LUA
check "a test's own code" run 0 --coverage cov
check "is not the policy's" says out "cov/lib.lua: 8"

# Time and state of a test's own.
cat >steps.lua <<'LUA'
profile "install" { kernel = "vmlinuz" }
rule "once" { match = { mac = prefix "52" }, boot = once { "install", done_on = "installed" } }
rule "slow" { boot = function(machine) sleep(tonumber(machine.serial)) return shell end, on_error = disk }
LUA
cat >steps_test.lua <<'LUA'
test "once" { given = { mac = "52:54:00:00:00:01" }, steps = { expect { boot = "install" }, event "installed", expect { boot = "disk" } } }
for n = 1, 20 do
  test("slow " .. n) { given = { serial = "4.5" }, expect = { boot = "shell", took = 4.5 } }
  test("too slow " .. n) { given = { serial = "3600" }, expect = { boot = "disk", took = 5 } }
end
LUA
cat >asks.lua <<'LUA'
local cmdb = http.client { base = "http://cmdb.lab", timeout = 0.8 }
rule "ask" { boot = function(machine) return (assert(cmdb:get("/hosts/%s", machine.mac))) end, on_error = disk }
LUA
cat >asks_test.lua <<'LUA'
local hosts = "GET http://cmdb.lab/hosts/*"
for n = 1, 50 do
  test("hung " .. n) { given = { mac = "52:54:00:00:00:01" }, http = { [hosts] = { delay = 5 } },
    expect = { boot = "disk", took = 0.8, error = contains "no answer within 0.8 s" } }
end
test "asked in vain" { given = { mac = "52:54:00:00:00:01" }, expect = { boot = "disk" } }
test "not asked" { get = "/healthz", http = { [hosts] = {} }, expect = { status = 404 } }
LUA
check "others are asked, and take no time" timeout 10 "$moonboot" test --filter hung asks_test.lua
check "requests without an answer, and answers without a request" run 1 asks_test.lua
check "fail the test" says out "50 passed, 2 failed"
check "steps, and time that takes none" timeout 10 "$moonboot" test steps_test.lua
check "also where it is counted" run 0 --coverage steps_test.lua
check "and measured" run 0 --bench --filter 'slow 1$' steps_test.lua

# Costs.
check "what tests cost" run 0 --bench policy_test.lua
check "decisions" [ "$(grep -cE '^ +decide +[0-9.]+ (ns|µs|ms) ± [0-9]+ %, at best .*; [0-9]+ allocations, [0-9.]+ KB$' out)" = 3 ]
check "renderings" [ "$(grep -cE '^ +ipxe +[0-9.]+ ' out)" = 3 ]
check "in JSON" run 0 --bench --format json policy_test.lua
check "with its figures" python3 -c '
import json
costs = [c for t in json.load(open("out"))["tests"] for c in t.get("bench", [])]
assert costs and all(c["ns"] >= c["least"] > 0 and c["allocations"] > 0 and c["bytes"] > 0 and c["samples"] > 10 for c in costs)'
check "not beside others" run 2 --bench -j 2 policy_test.lua

# Watching: what the policy reads, what it looks for, and new tests; by directories, as editors rename.
mkdir watched
cat >watched/policy.lua <<'LUA'
for line in read("hosts.txt"):gmatch "[^\n]+" do rule(line) { match = { mac = line }, boot = disk } end
include "more.lua"
LUA
echo '52:54:00:00:00:01' >watched/hosts.txt
echo 'rule "more" { match = { serial = "S" }, boot = shell }' >watched/more.lua
echo 'test "it" { given = { mac = "525400000001", serial = "S" }, expect = { boot = "disk" } }' >watched/policy_test.lua
"$moonboot" test --watch watched >watch.out 2>watch.err &
watching=$!
runs() { [ "$(grep -cE '^[0-9]+ passed, [0-9]+ failed' watch.out)" = "$1" ]; }
last() { tail -n 1 watch.out | grep -q "^$1"; }
wait_for "the first run" 20 runs 1
sleep 0.3 # unchanged, it waits
check "no run without a change" runs 1
echo '52:54:00:00:00:02' >watched/new && mv watched/new watched/hosts.txt
wait_for "a run when data changes" 20 runs 2
check "which fails" last "0 passed, 1 failed"
check "and says why it ran" says watch.out "watched/hosts.txt has changed"
echo 'rule "more" { match = { serial = "S" }, boot = disk }' >watched/more.lua
wait_for "a run when an included file changes" 20 runs 3
check "which passes" last "1 passed, 0 failed"
rm watched/more.lua
wait_for "a run when a file is gone" 20 runs 4
check "which is an error" last "0 passed, 0 failed, 1 error"
echo 'rule "more" { boot = disk }' >watched/more.lua
wait_for "a run when it is back" 20 runs 5
mkdir watched/sub
cp watched/policy.lua watched/hosts.txt watched/more.lua watched/sub/
sleep 0.3 # the new directory is watched
cp watched/policy_test.lua watched/sub/
wait_for "a run with a new test" 20 runs 6
check "which it has" last "2 passed, 0 failed"
kill -INT $watching
wait $watching
check "SIGINT ends it, with the last run's exit code" [ $? = 0 ]

finish
