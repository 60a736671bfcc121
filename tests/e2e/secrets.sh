#!/bin/bash
# Sealed secrets: the server alone opens them, for the machine that they are for, and hides them in
# whatever else it says.
# shellcheck disable=SC2317,SC2119,SC2016 # functions are called by check; a policy's text
set -u
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/e2e/lib.sh
. "$here/lib.sh"

moonboot=$BUILD/moonboot
prints() { # prints TEXT COMMAND…
    local text=$1
    shift
    "$@" 2>&1 | grep -qF -- "$text"
}
exits() { # exits CODE COMMAND…
    local code=$1
    shift
    "$@" </dev/null >/dev/null 2>&1
    [ $? = "$code" ]
}
reload() { # reload WANTED: sends SIGHUP, waits for a log line
    local before
    before=$(wc -l <"$log")
    kill -HUP "$service"
    wait_for "$1 (reload)" 10 sh -c "tail -n +$((before + 1)) '$log' | grep -q '$1'"
}
seal() { # seal KEY NAME VALUE
    printf %s "$3" | "$moonboot" seal -p "$1.pub" ${2:+--name "$2"}
}
kernel_of() { # kernel_of MAC [MORE]: the line that boots it
    curl -s --max-time 10 "$base/ipxe?mac=$1&platform=efi&buildarch=x86_64${2:-}" | grep '^kernel'
}
site_with() { # site_with KEYS: that open what is sealed
    write_site
    echo "secrets: { key: $1 }" >>"$site/site.yaml"
    echo "log: { level: debug, decisions: decisions.log }" >>"$site/site.yaml"
    echo "state: { path: state }" >>"$site/site.yaml"
}

make_site
cd "$site" || exit 1

# --- moonboot keygen --seal, moonboot seal -----------------------------------------------------

check "keygen --seal prints the public key" prints "one.pub: sealpub1." "$moonboot" keygen --seal one
check "the secret key is its owner's" [ "$(stat -c %a one.key)" = 600 ]
check "keygen --seal replaces no key" exits 1 "$moonboot" keygen --seal one
check "keygen -q prints nothing" [ -z "$("$moonboot" keygen --seal -q two)" ]
check "keygen: of one kind" exits 2 "$moonboot" keygen --seal --bearer x
check "keygen: no such option" exits 2 "$moonboot" keygen --saal x
check "seal: a line" sh -c "printf hunter22 | '$moonboot' seal -p one.pub | grep -qE '^seal1\.[0-9a-f]{8}\.[A-Za-z0-9_-]+$'"
check "seal: of a name" prints ".a-name." sh -c "echo hunter22 | '$moonboot' seal -p one.pub -n a-name"
check "seal: the key as text" sh -c "echo hunter22 | '$moonboot' seal -P $(tail -n 1 one.pub)"
echo hunter22 >value
check "seal: a file" "$moonboot" seal -p one.pub value
check "seal -v says for whom" prints "8 bytes, for key" "$moonboot" seal -v -p one.pub value
check "seal -k: the newline too" prints "9 bytes, for key" "$moonboot" seal -k -v -p one.pub value
check "seal: too short a value" prints "a value of 3 bytes is no secret" sh -c "echo abc | '$moonboot' seal -p one.pub"
check "seal: too long a one" exits 1 sh -c "head -c 65537 /dev/zero | '$moonboot' seal -p one.pub"
check "seal: not with the secret key" prints "one.key: it is the secret key" "$moonboot" seal -p one.key value
check "seal: no key" exits 2 "$moonboot" seal value
check "seal: no such file" prints "nothing: No such file" "$moonboot" seal -p one.pub nothing
check "seal: a bad name" exits 2 "$moonboot" seal -p one.pub -n 'a b' value
check "seal: two files" exits 2 "$moonboot" seal -p one.pub value value
check "seal --help" prints "Usage: moonboot seal" "$moonboot" seal --help
at_a_terminal() { # at_a_terminal FIRST SECOND: what is typed there, and shown
    timeout 20 python3 - "$moonboot" "$@" <<'PY'
import os, pty, sys, time
moonboot, first, second = sys.argv[1:]
pid, fd = pty.fork()
if pid == 0:
    os.execv(moonboot, [moonboot, "seal", "-p", "one.pub"])
shown = b""
for prompt, line in ((b"Value: ", first), (b"Once more: ", second)):
    while prompt not in shown:
        shown += os.read(fd, 4096)
    time.sleep(0.1)
    os.write(fd, line.encode() + b"\n")
try:
    while True:
        shown += os.read(fd, 4096)
except OSError:
    pass
os.waitpid(pid, 0)
sys.stdout.write(shown.decode())
PY
}
typed=$(at_a_terminal hunter22 hunter22)
check "at a terminal it is asked for twice" grep -q 'seal1\.' <<<"$typed"
check "and not shown" [ "${typed/hunter22/}" = "$typed" ]
check "it is typed twice alike" grep -q "the second value is not the first" <<<"$(at_a_terminal hunter22 hunter23)"

# --- a site ----------------------------------------------------------------------------------

lua_value=in-the-policy-1 yaml_value=in-yaml-2 json_value=in-json-3 csv_value='in&csv=4'
page='first line of it
second "line" of it'
cat >policy.lua <<LUA
local value = sealed "$(seal one lua "$lua_value")"
log.info("while it loads: " .. value)
local page = sealed "$(seal one '' "$page")"
profile "p" {
  kernel = "vmlinuz", args = { "own=" .. value, "key={{key or 'none'}}", "doc={{config 'doc'}}", "bad={{config 'bad'}}" },
  vars = { page = page },
  config = { doc = "{{page}}|{{url(page)}}|{{json(page)}}\n", bad = "{{error(page)}}" },
}
rule "yaml" { boot = inventory "hosts.yaml" }
rule "json" { boot = inventory "hosts.json" }
rule "csv" { boot = inventory "hosts.csv" }
rule "fails" { match = { serial = "FAILS" }, boot = function() error(("x"):rep(1010) .. value) end }
rule "says" {
  match = { serial = "SAYS" },
  boot = function() log.warn(value, "is what", page) return { use = "p", args = { sealed "$(seal one more in-a-function-5)" } } end,
}
rule "named " .. value { match = { serial = "NAMED" }, boot = deny "no" }
serve "/page" (function(request) error("on a page: " .. value) end)
on("done", function(machine, event) error("in an event: " .. value) end)
LUA
sed -i 's/^rule "named " .. value/rule("named " .. value)/' policy.lua
echo "52:54:00:00:00:01: { boot: p, args: [!sealed $(seal one y "$yaml_value")], vars: { key: !sealed $(seal one yy "$yaml_value-var") } }" >hosts.yaml
echo "{ \"52:54:00:00:00:02\": { \"boot\": \"p\", \"vars\": { \"key\": { \"sealed\": \"$(seal two json "$json_value")\" } } } }" >hosts.json
echo "mac,boot,args,key
52:54:00:00:00:03,p,quiet sealed:$(seal one c "$csv_value-arg"),sealed:$(seal one cc "$csv_value")" >hosts.csv

# Without the key: well formed, shut, and shown to nobody.
check "check: it is well formed" "$moonboot" check --strict policy.lua
check "check: where it stays shut" prints "hosts.csv:2: note: it is well formed, and stays shut here" "$moonboot" check policy.lua
check "eval" prints "key=•••" "$moonboot" eval policy.lua --mac 52:54:00:00:00:02
check "eval --render" prints "own=••• key=••• " "$moonboot" eval policy.lua --mac 52:54:00:00:00:01 --render ipxe
check "eval --json" prints '"own=•••"' "$moonboot" eval policy.lua --mac 52:54:00:00:00:01 --json
check "explain" prints "own=•••" "$moonboot" explain policy.lua --mac 52:54:00:00:00:03
check "repl" prints "own=•••" sh -c "echo mac=52:54:00:00:00:01 | '$moonboot' repl policy.lua"
cat >policy_test.lua <<'LUA'
secrets { lua = "from the test", json = "json's" }
test "a" { given = { mac = "52:54:00:00:00:02" }, expect = { args = contains { "own=from the test", "key=json's" } } }
test "b" { given = { mac = "52:54:00:00:00:01" }, expect = { args = contains { "sealed-y", "key=sealed-yy" } } }
LUA
check "test: what the tests say is inside" "$moonboot" test policy_test.lua

site_with one.key
check "check: the site's key opens all but one" prints "hosts.json:1: sealed: it was sealed for another key" "$moonboot" check
check "check: that is an error" exits 1 "$moonboot" check
site_with "[two.key, one.key]"
check "check: two keys open all of it" exits 0 "$moonboot" check
check "check: and nothing is shown" sh -c "! '$moonboot' check 2>&1 | grep -qE 'in-|line of it'"

start_service
check "in an argument, concatenated" prints " own=$lua_value " kernel_of 52:54:00:00:00:01
check "YAML" prints " $yaml_value " kernel_of 52:54:00:00:00:01
check "YAML, a var" prints " key=$yaml_value-var " kernel_of 52:54:00:00:00:01
check "JSON, for the other key" prints " key=$json_value " kernel_of 52:54:00:00:00:02
check "CSV" prints " key=$csv_value " kernel_of 52:54:00:00:00:03
check "CSV, an argument" prints " quiet $csv_value-arg " kernel_of 52:54:00:00:00:03
check "in a function" prints " in-a-function-5 " kernel_of 52:54:00:00:00:09 "&serial=SAYS"
url=$(kernel_of 52:54:00:00:00:01 | grep -o 'doc=[^ ]*' | cut -d = -f 2-)
check "a document has it as it is" prints "$page|first%20line%20of%20it%0Asecond%20%22line%22%20of%20it|\"first line of it\\nsecond \\\"line\\\" of it\"" curl -s "$url"
check "a document that fails" prints "see the log" curl -s "$(kernel_of 52:54:00:00:00:01 | grep -o 'bad=[^ ]*' | cut -d = -f 2-)"
for serial in FAILS NAMED; do
    curl -s "$base/ipxe?mac=52:54:00:00:00:09&serial=$serial" >>answers
done
{
    curl -s "$base/page"
    curl -s -X POST "$base/event/done?mac=52:54:00:00:00:01"
    curl -s "$base/metrics"
    "$moonboot" status -c site.yaml --json
    "$moonboot" event -c site.yaml "done" 52:54:00:00:00:01
    "$moonboot" machines -c site.yaml --json
    "$moonboot" reload -c site.yaml
} >>answers 2>&1
check "an event whose handler fails says why, but for the secret" grep -q "in an event: •••" answers
curl -s "$base/$lua_value" >guess
check "who guesses it learns nothing" grep -qF "no such page: /$lua_value" guess
curl -s "$base/ipxe?mac=$lua_value" >guess
check "nor from what is wrong with a field" grep -qF "$lua_value" guess

# What loads badly is told without what was opened.
cp policy.lua good.lua
echo "profile(value) { kernal = 'x' }
error('while it loads: ' .. value .. page)" >>policy.lua
check "a bad policy" exits 1 "$moonboot" reload -c site.yaml
"$moonboot" reload -c site.yaml >>answers 2>&1
check "is refused with its line" grep -qE "policy.lua:[0-9]+: while it loads: •••" answers
cp good.lua policy.lua
sed -i '2s/sealed:seal1\../sealed:seal1.X/' hosts.csv
"$moonboot" reload -c site.yaml >refused 2>&1
check "what was changed is refused, with its line" grep -q "hosts.csv:2: sealed: it is not whole" refused

# Rotation: what is sealed for a key that is gone is refused, with its line.
echo "mac,boot" >hosts.csv
site_with two.key
"$moonboot" reload -c site.yaml >refused 2>&1
check "without the old key" grep -q "policy.lua:1: sealed: it was sealed for another key than this server's" refused
check "and those of its data" grep -q "hosts.yaml:1: sealed: it was sealed for another key" refused
sed -i '/^secrets/d' site.yaml
"$moonboot" reload -c site.yaml >refused 2>&1
check "without any key" grep -q 'hosts.json:1: sealed: site.yaml has no key for it: `secrets: { key: … }`' refused
site_with "[two.key, wrong.key]"
install -m 600 one.pub wrong.key
"$moonboot" reload -c site.yaml >refused 2>&1
check "a key that is none" grep -q 'site.yaml:[0-9]*:[0-9]*: `secrets.key: wrong.key`: it is the public key, expected the secret one' refused
chmod 644 one.key
site_with "[two.key, one.key]"
"$moonboot" reload -c site.yaml >refused 2>&1
check "a key that everyone can read" grep -q 'site.yaml:[0-9]*:[0-9]*: `secrets.key: one.key`: everyone on this host can read' refused
chmod 600 one.key
check "what serves goes on" prints " own=$lua_value " kernel_of 52:54:00:00:00:01
check "with both it loads" [ -z "$("$moonboot" reload -q -c site.yaml 2>&1 || echo failed)" ]

stop_service
secret='in-the-policy-1|in-yaml-2|in-json-3|in&csv=4|in%26csv|in-a-function-5|first line of it|second .{0,2}line.{0,2} of it|first%20line|second%20'
check "the log says so" grep -q "policy.lua:2: while it loads: •••" "$log"
check "a warning of the policy's" grep -q "•••.*is what" "$log"
check "the decision log has the failure" grep -q '"rule":"fails".*"error"' decisions.log
for place in "$log" decisions.log answers refused; do
    check "none is in ${place##*/}" sh -c "[ -s '$place' ] && ! grep -qE '$secret' '$place'"
done
check "nor half of one, where a text was cut" sh -c "! grep -qE 'x(i|in|in-|in-t|in-the[a-z-]*)\"' '$log' decisions.log"

# serve -q: what is not wrong is not logged, whatever site.yaml says.
: >quiet
timeout 60 "$moonboot" serve -q -c site.yaml 2>quiet &
service=$!
wait_for "serve -q: it serves" 20 curl -sf "$base/readyz"
kernel_of 52:54:00:00:00:01 >answers
curl -s "$base/ipxe?mac=52:54:00:00:00:09&serial=FAILS" >answers
stop_service
check "serve -q: logs what went wrong" grep -q 'warn .*rule=fails' quiet
check "serve -q: and nothing else" sh -c "! grep -qE ' (info|debug) ' quiet"

finish
