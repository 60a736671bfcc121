#!/bin/bash
# The commands that people type, as programs: what they print, write and exit with.
set -u
cd "$(dirname "$0")/.." || exit 2
moonboot=$PWD/${BUILD:-build}/moonboot
top=$PWD
work=$(mktemp -d /tmp/moonboot-cli-XXXXXX)
trap 'rm -rf "$work"' EXIT
bad=0

check() { # check WHAT COMMAND…
    local what=$1
    shift
    if "$@"; then
        echo "ok - $what"
    else
        echo "not ok - $what"
        sed 's/^/# /' "$work/out" "$work/err" 2>/dev/null
        bad=1
    fi
}

run() { # run CODE COMMAND…: its output goes to $work/out and $work/err
    local code=$1 got
    shift
    "$@" >"$work/out" 2>"$work/err" </dev/null
    got=$?
    [ "$got" = "$code" ] || echo "# exit code $got, expected $code: $*" >>"$work/err"
    [ "$got" = "$code" ]
}

says() { # says TEXT: the last command's standard output has it
    grep -qF -- "$1" "$work/out"
}

complains() { # complains TEXT: its standard error has it
    grep -qF -- "$1" "$work/err"
}

# --- commands ---------------------------------------------------------------------------------

for command in status reload top machines "machine 52:54:00:00:00:01" "event x 52:54:00:00:00:01"; do
    # shellcheck disable=SC2086 # its words
    check "${command%% *}: a site that there is not" run 1 "$moonboot" $command -c "$work/nope.yaml"
    check "${command%% *}: says so" complains "$work/nope.yaml: No such file or directory"
done
check "status: nobody there" run 1 "$moonboot" status --socket "$work/nope.sock"
check "status: asks about it" complains "nope.sock: No such file or directory: is the service running?"

mkdir -p "$work/quiet"
is_silent() { [ ! -s "$work/out" ] && [ ! -s "$work/err" ]; }
check "init -q" run 0 "$moonboot" init -q "$work/quiet"
check "init -q: prints nothing" is_silent
check "check -q" run 0 "$moonboot" check -q -c "$work/quiet/site.yaml"
check "check -q: prints nothing" is_silent
check "test -q" run 0 "$moonboot" test --quiet "$work/quiet"
check "test -q: prints nothing when all pass" is_silent
echo 'test "fails" { given = { mac = "52:54:00:00:00:01" }, expect = { boot = "nothing" } }' >>"$work/quiet/policy_test.lua"
check "test: a policy is no test file" run 2 "$moonboot" test "$work/quiet/policy.lua"
check "test: says where its tests are" says "policy.lua is a policy; its tests are in $work/quiet/policy_test.lua"
check "test -q: a failure" run 1 "$moonboot" test -q "$work/quiet"
check "test -q: prints it" says "FAIL  fails"
check "test -q: and nothing else" sh -c "! grep -q 'ok   ' '$work/out'"
echo 'rule "twice" { boot = disk } rule "never" { boot = disk }' >>"$work/quiet/policy.lua"
check "check -q: warnings" run 0 "$moonboot" check -q "$work/quiet/policy.lua"
check "check -q: prints them" complains "warning:"
check "stubs -q" run 0 "$moonboot" stubs -q "$work/quiet/.luals"
check "stubs -q: prints nothing" is_silent
check "keygen -q" run 0 "$moonboot" keygen -q -W "$work/quiet/key"
check "keygen -q: prints nothing" is_silent
check "sign -v" run 0 "$moonboot" sign -v -s "$work/quiet/key.key" "$work/quiet/site.yaml"
check "sign -v: names what it wrote" says "site.yaml.minisig"
check "sign -q" run 0 "$moonboot" sign -q -s "$work/quiet/key.key" "$work/quiet/site.yaml"
check "sign -q: prints nothing" is_silent
check "verify -q" run 0 "$moonboot" verify -q -p "$work/quiet/key.pub" "$work/quiet/site.yaml"
check "verify -q: prints nothing" is_silent

check "no such command" run 2 "$moonboot" foo
check "what is too far off is not suggested" [ "$(head -n 1 "$work/err")" = 'moonboot: there is no command "foo"' ]
run 2 "$moonboot" opal
check "nor another word of its length" [ "$(head -n 1 "$work/err")" = 'moonboot: there is no command "opal"' ]
run 2 "$moonboot" evl
check "a letter too few" complains 'there is no command "evl" (did you mean "eval"?)'
run 2 "$moonboot" chekc
check "letters that changed places are one" complains '(did you mean "check"?)'
run 2 "$moonboot" rlpay
check "two letters of five are too many" sh -c "! grep -q 'did you mean' '$work/err'"
run 2 "$moonboot" statsu
check "two of six are not" complains '(did you mean "status"?)'

# --- init -------------------------------------------------------------------------------------

check "init" run 0 "$moonboot" init "$work/new/site"
check "init: says what to do next" says "cd $work/new/site"
check "init: writes examples/starter" diff -r -x .luals -x .luarc.json "$top/examples/starter" "$work/new/site"
check "init: writes what editors need" test -s "$work/new/site/.luals/moonboot.lua" -a -s "$work/new/site/.luarc.json"
cd "$work/new/site" || exit 2
check "init: .luals is what stubs writes" sh -c "'$moonboot' stubs '$work/stubs/.luals' >/dev/null &&
    cmp .luals/moonboot.lua '$work/stubs/.luals/moonboot.lua' && cmp .luarc.json '$work/stubs/.luarc.json'"
check "init: passes check --strict at once" run 0 "$moonboot" check --strict
check "init: passes its tests at once" run 0 "$moonboot" test
check "init: has 4 tests" says "4 passed, 0 failed"
mkdir "$work/bin"
ln -s "$moonboot" "$work/bin/moonboot"
commands=0
while read -r line; do
    check "init: its workflow runs: $line" run 0 env PATH="$work/bin:$PATH" sh -c "$line"
    commands=$((commands + 1))
done < <(sed -n 's/^ *- run: \(moonboot .*\)/\1/p' .github/workflows/moonboot.yml)
check "init: its workflow checks and tests" [ "$commands" -ge 2 ]
if command -v git >/dev/null; then
    check "init: git keeps assets/README and no other asset" sh -c "git init -q . && touch assets/vmlinuz &&
        git add -A && git ls-files | grep -q '^assets/README$' && ! git ls-files | grep -q vmlinuz"
    rm -rf .git assets/vmlinuz
fi
check "init: refuses to overwrite" run 1 "$moonboot" init
check "init: names the file that is there" complains "policy.lua is there already"
rm -rf "$work/half"
mkdir "$work/half"
echo mine >"$work/half/site.yaml"
check "init: one file that is there stops it" run 1 "$moonboot" init "$work/half"
check "init: and nothing is written" [ "$(ls -A "$work/half")" = site.yaml ]
check "init: nor is that one" grep -qx mine "$work/half/site.yaml"
echo >"$work/file"
check "init: a directory that cannot be made" run 1 "$moonboot" init "$work/file/site"
check "init: says why" complains "Not a directory"
check "init: two directories" run 2 "$moonboot" init a b

# --- check ------------------------------------------------------------------------------------

cd "$work/new/site" || exit 2
sed -i 's,^rule "virtual machines",rule "all" { boot = disk }\n&,' policy.lua
sed -i 's,debian .. "/netboot[^"]*/linux","debian/linux",' policy.lua
check "check: warnings leave the exit code" run 0 "$moonboot" check
check "check: a rule that never decides" complains 'rule "virtual machines" never decides: rule "all"'
check "check: a file that is not there" complains 'policy.lua:9: warning: kernel: "debian/linux" is not in assets [missing-file]'
check "check --strict: they are errors" run 1 "$moonboot" check --strict
mkdir -p assets/debian
touch assets/debian/linux
run 0 "$moonboot" check
check "check: a file that is there" sh -c "! grep -q missing-file '$work/err'"
ln -s /etc/passwd assets/debian/outside
sed -i 's,"debian/linux","debian/outside",' policy.lua
run 0 "$moonboot" check
check "check: a link that leads out of assets is not served" complains '"debian/outside" is not in assets'
printf 'policy: policy.lua\nhttp: { asets: x }\n' >bad.yaml
check "check: site.yaml and policies in one run" run 1 "$moonboot" check -c bad.yaml policy.lua
check "check: the site's error" complains 'bad.yaml:2:9: '
check "check: the policy's warning" complains '[unreachable-rule]'
check "check: the policy of a site.yaml with mistakes is looked at too" run 1 "$moonboot" check -c bad.yaml
check "check: its warning" complains '[unreachable-rule]'
mkdir "$work/hosts"
printf 'mac,boot\nzz,u\n52:54:00:00:00:01,nope\n52:54:00:00:00:02,nope\n' >"$work/hosts/h.csv"
echo 'rule "x" { boot = inventory "h.csv" }' >"$work/hosts/policy.lua"
check "check: an inventory with mistakes" run 1 "$moonboot" check "$work/hosts/policy.lua"
check "check: a bad key" complains 'h.csv:2: mac: found "zz"'
check "check: and in the same run the profiles that there are not" complains 'h.csv:3: boot: there is no profile "nope" (2 hosts)'
printf 'policy: [\n' >worse.yaml
check "check: a site.yaml that is no YAML" run 1 "$moonboot" check -c worse.yaml
mkdir "$work/lacks"
cd "$work/lacks" || exit 2
cat >site.yaml <<YAML
policy: policy.lua
interfaces: [l0]
user: moonboot-none
control_group: moonboot-none
log: { decisions: none/log }
signing: { key: sign, cms_cert: cms.pem, cms_key: cms.key }
secrets: { key: [one, two] }
tokens: { key: tokens }
http:
  tls: { cert: nope.pem, key: nope.key }
YAML
echo 'rule "all" { boot = disk }' >policy.lua
check "check: what this host lacks is warned of" run 0 "$moonboot" check
check "check: how much" says "site.yaml: ok, 10 warnings"
check "check: an interface" complains 'site.yaml:2:14: warning: `interfaces`: there is no l0 (did you mean lo?): '
check "check: a user" complains 'site.yaml:3:7: warning: `user: moonboot-none`: there is no such user [missing-account]'
check "check: a group" complains 'site.yaml:4:16: warning: `control_group: moonboot-none`: there is no such group [missing-account]'
check "check: a directory" complains 'site.yaml:5:19: warning: `log.decisions: none/log`: none: No such file or directory [missing-directory]'
check "check: but no decision log is made" [ ! -e none ]
check "check: a key to sign with" complains 'site.yaml:6:17: warning: `signing.key: sign`: No such file or directory [key-file]'
check "check: a certificate to sign with" complains 'site.yaml:6:33: warning: `signing`: cms.pem: No such file or directory [key-file]'
check "check: keys of what is sealed" complains 'site.yaml:7:23: warning: `secrets.key: two`: No such file or directory [key-file]'
check "check: a key of tokens" complains 'site.yaml:8:16: warning: `tokens.key: tokens`: No such file or directory [key-file]'
check "check: a certificate" complains 'site.yaml:10:3: warning: `http.tls`: nope.pem: No such file or directory [key-file]'
check "check --strict: what this host lacks is an error" run 1 "$moonboot" check --strict
check "check --format json: where it stands" run 0 "$moonboot" check --format json
check "check --format json: the column" python3 -c "
import json
problem = json.load(open('$work/out'))['problems'][0]
assert (problem['line'], problem['column'], problem['kind']) == (2, 14, 'missing-interface'), problem"
printf 'policy: policy.lua\nlimits: { memory_mb: 8 }\n' >site.yaml
echo 'local t = {} for i = 1, 1000000 do t[i] = "a" .. i end rule "all" { boot = disk }' >policy.lua
check "check: a policy that takes more memory than the site gives" run 1 "$moonboot" check
check "check: says so" complains 'policy.lua:1: not enough memory: `limits.memory_mb` of site.yaml is 8'
check "check: alone it has room" run 0 "$moonboot" check policy.lua
echo 'rule "all" { boot = function() return state.get("x") end }' >policy.lua
check "check: a policy that remembers, where there is no state" run 1 "$moonboot" check
check "check: says what to write" complains 'policy.lua:1: it is to remember something (once, state, machines or on "boot:…"): write `state: { path: … }`'
echo 'state: { path: st }' >>site.yaml
echo 'log.warn "said once"' >>policy.lua
check "check: where there is" run 0 "$moonboot" check
check "check: what a policy logs is told once" [ "$(grep -c 'said once' "$work/err")" = 1 ]
printf 'policy: policy.lua\nhttp: { listen: ["*:80", "*:80"] }\n' >site.yaml
check "check: an address twice" run 1 "$moonboot" check
check "check: says where" complains 'site.yaml:2:26: `http.listen`: 0.0.0.0:80 is there already, in `http.listen`'
cd "$work/new/site" || exit 2
check "check --format github" run 1 "$moonboot" check --format github -c bad.yaml
check "check --format github: an annotation" says '::error file=bad.yaml,line=2,col=9::'
check "check --format json" run 0 "$moonboot" check --format json policy.lua
check "check --format json: is JSON" python3 -c "
import json
out = json.load(open('$work/out'))
assert out['ok'] and out['warnings'] == len(out['problems']) == 2 and out['problems'][0]['kind'] == 'unreachable-rule', out"

cd "$top" || exit 2
mapfile -t policies < <(find examples policies -name policy.lua)
check "check: there are examples" [ "${#policies[@]}" -ge 15 ]
check "check --strict: of all examples and policies" run 0 "$moonboot" check --strict "${policies[@]}"

# --- eval and explain -------------------------------------------------------------------------

cd "$top" || exit 2
cat >"$work/many.lua" <<'LUA'
for i = 1, 30 do rule("r" .. i) { match = { serial = "S" .. i }, boot = disk } end
LUA
check "explain: the index" run 0 "$moonboot" explain "$work/many.lua" --serial S20
check "explain: rules that it leaves out are one line" says "19 rules, left out by the index (--all shows them)"
check "explain: rules that are not reached too" says "10 rules, not reached (--all shows them)"
check "explain --all" run 0 "$moonboot" explain "$work/many.lua" --serial S20 --all
check "explain --all: each of them" says '"r3": no match, and the index leaves it out'
check "explain --json" run 0 "$moonboot" explain examples/quickstart/policy.lua --mac 52:54:00:00:00:07 --arch bios \
    --render dhcp,ipxe --json
check "explain --json: is JSON, and times rules" python3 -c "
import json
out = json.load(open('$work/out'))
rules = {rule['name']: rule for rule in out['rules']}
assert [rule['outcome'] for rule in out['rules']] == ['no match', 'no match', 'decided', 'not reached'], out
assert not rules['the build server']['indexed'] and rules['virtual machines with a BIOS']['indexed'], out
assert 0 < rules['virtual machines with a BIOS']['us'] < 1e6 and out['us'] > 0, out
assert out['decision']['render']['ipxe'].startswith('#!ipxe'), out"
mkdir "$work/based"
echo "profile 'p' { kernel = 'k', args = { [[at={{assets 'x'}}]] } } rule 'r' { boot = 'p' }" >"$work/based/policy.lua"
echo 'policy: policy.lua' >"$work/based/site.yaml"
evaluates() { # evaluates BASE ARGUMENT…: eval's URLs begin with it
    local base=$1
    shift
    run 0 "$moonboot" eval "$@" --mac 52:54:00:00:00:01 --render ipxe && says "at=$base/assets/x" &&
        says "kernel $base/assets/k"
}
check "eval: a policy's URLs are those of an example" evaluates http://10.0.0.2:8080 "$work/based/policy.lua"
check "eval: a directory" evaluates http://10.0.0.2:8080 "$work/based/"
check "eval: a site.yaml that does not say where it is" evaluates http://10.0.0.2:8080 "$work/based/site.yaml"
echo 'http: { listen: ["127.0.0.1:80", "127.0.0.2:81"] }' >>"$work/based/site.yaml"
check "eval: one that says where it listens" evaluates http://127.0.0.1 "$work/based/site.yaml"
sed -i 's/"127.0.0.1:80"/"0.0.0.0:8123"/' "$work/based/site.yaml"
check "eval: or at which port" evaluates http://10.0.0.2:8123 "$work/based/site.yaml"
echo 'advertise: 192.0.2.9' >>"$work/based/site.yaml"
cp "$work/based/site.yaml" "$work/based/site"
check "eval: or what it advertises; -c, whatever its name is" evaluates http://192.0.2.9:8123 -c "$work/based/site"
sed -i 's/ }$/, tls: { cert: cert.pem, key: key.pem } }/' "$work/based/site"
check "eval: one that speaks HTTPS alone" evaluates https://192.0.2.9:8123 --config="$work/based/site"
check "explain: takes the same" run 0 "$moonboot" explain -c "$work/based/site" --mac 52:54:00:00:00:01 --render ipxe
check "explain: has its URLs" says "kernel https://192.0.2.9:8123/assets/k"
check "repl: has them too" sh -c "cd '$work/based' && echo ':render ipxe mac=52:54:00:00:00:01' |
    '$moonboot' repl -c site | grep -q 'kernel https://192.0.2.9:8123/assets/k'"
echo 'polcy: x' >"$work/wrong.yaml"
check "eval: a site.yaml that is wrong" run 1 "$moonboot" eval "$work/wrong.yaml"
check "eval: says what of it" complains "wrong.yaml:1:1: unknown key"
check "eval: -c and a policy" run 2 "$moonboot" eval -c "$work/based/site" "$work/based/policy.lua"
check "eval: which one?" complains "name one policy, or a site.yaml with -c"
check "eval: no such directory is bad usage" run 2 "$moonboot" eval "$work/none/policy.lua"
check "eval: the policy is a problem where it cannot be read" run 1 "$moonboot" eval "$work/none.lua"
if command -v git >/dev/null; then
    (cd "$work/based" && git init -q . && git add policy.lua site.yaml && git -c user.name=x -c user.email=x@x commit -qm x &&
        rm policy.lua)
    in_git() { (cd "$work/based" && evaluates "$@"); }
    check "eval: a revision's site.yaml" in_git http://192.0.2.9:8123 HEAD:site.yaml
    check "eval: a revision's policy" in_git http://10.0.0.2:8080 HEAD:policy.lua
fi
echo '{ "mac": "52:54:00:00:00:01", "arch": "efi-x64" }' >"$work/machine.json"
check "eval: a machine from a file" run 0 "$moonboot" eval examples/quickstart/policy.lua --machine "$work/machine.json"
check "eval: its decision" says "the build server"
check "eval: a machine from standard input" sh -c \
    "'$moonboot' eval examples/quickstart/policy.lua --machine - <'$work/machine.json' | grep -q 'build server'"
check "eval: a directory is no machine" run 2 "$moonboot" eval examples/quickstart/policy.lua --machine "$work"
check "eval: says so" complains "Is a directory"
check "eval --json: whatever bytes a machine has" run 0 "$moonboot" eval examples/quickstart/policy.lua --json \
    --mac 52:54:00:00:00:07 --arch bios --machine <(printf '{"serial-hex":"ff22","vlan":"nan","label-hex":{"ff":"00ff"}}')
check "explain --json: whatever bytes a machine has" run 0 "$moonboot" explain examples/quickstart/policy.lua --json \
    --serial $'\xff' --vlan nan --label $'\xff=\xe9'
check "explain --json: is UTF-8" python3 -c "
import json
out = json.loads(open('$work/out', 'rb').read().decode('utf-8'))
assert out['machine']['serial'] == out['machine']['label.\ufffd'] == '\ufffd', out
assert out['machine']['vlan'] is None, out"
head -c 300000 /dev/zero | tr '\0' x >"$work/long"
check "eval: a long line that is no JSON" run 2 "$moonboot" eval examples/quickstart/policy.lua --machine "$work/long"

capture=tests/wire/captures/uefi-pxe.pcap
check "eval --pcap: the first that is decided" run 0 "$moonboot" explain examples/quickstart/policy.lua --pcap $capture
check "eval --pcap: is the machine of that packet" says "machine  mac=52:54:00:99:0a:1f  uuid=00112233-4455-6677-8899-aabbccddeeff  arch=efi-x64"
check "eval --pcap: at its stage" says "stage    dhcp"
check "eval --pcap: decides as replay does" says '-> examples/quickstart/policy.lua:19, "virtual machines with UEFI": decided'
check "eval --pcap FILE:N" run 0 "$moonboot" eval examples/quickstart/policy.lua --pcap $capture:17 --arch bios
check "eval --pcap: fields that are given replace its" says "virtual machines with a BIOS"
check "eval --pcap: of a frame that decides nothing" run 2 "$moonboot" eval examples/quickstart/policy.lua --pcap $capture:24
check "eval --pcap: says what it asks" complains "frame 24, GET /boot.ipxe: the policy decides nothing"
check "eval --pcap: of a frame for somebody else" run 2 "$moonboot" eval examples/quickstart/policy.lua --pcap $capture:5
check "eval --pcap: says so" complains "frame 5, request: meant for another server"
check "eval --pcap: of a frame that is an answer" run 2 "$moonboot" eval examples/quickstart/policy.lua --pcap $capture:3
check "eval --pcap: says so" complains "there is no request in frame 3"
check "eval --pcap: of no capture" run 2 "$moonboot" eval examples/quickstart/policy.lua --pcap README.md
check "eval --pcap: and --machine" run 2 "$moonboot" eval examples/quickstart/policy.lua --pcap $capture --machine -
cat >"$work/waits.lua" <<'LUA'
rule "patient" { boot = function(machine) sleep(machine.vlan / 1000) return disk end, on_error = shell }
LUA
check "eval: a function that waits" run 0 "$moonboot" eval "$work/waits.lua" --vlan 4500
check "eval: and decides" says "verdict  disk"
check "eval: one that waits too long" run 1 "$moonboot" eval "$work/waits.lua" --vlan 5500
check "eval: is on_error" says "error    $work/waits.lua:1: no answer within 5 s"
started=$(date +%s%N)
check "eval --network: waits" run 0 "$moonboot" eval "$work/waits.lua" --vlan 300 --network
check "eval --network: for so long" [ $((($(date +%s%N) - started) / 1000000)) -ge 300 ]
mkdir "$work/cmdb"
echo '{"role":"database"}' >"$work/cmdb/52-54"
python3 -u -m http.server 0 --bind 127.0.0.1 --directory "$work/cmdb" >"$work/cmdb.log" 2>&1 &
server=$!
trap 'kill "$server"; rm -rf "$work"' EXIT
for ((i = 0; i < 600; i++)); do # python takes its time on a busy machine
    port=$(sed -n 's/^Serving HTTP on .* port \([0-9]*\) .*/\1/p' "$work/cmdb.log")
    [ -n "$port" ] && break
    sleep 0.05
done
cat >"$work/asks.lua" <<LUA
local cmdb = http.client { base = "http://127.0.0.1:$port", timeout = 5 }
rule "asks" {
  boot = function(machine)
    local answer, problem = cmdb:get("/%s", machine.serial)
    if not answer then return nil, problem end
    return deny(type(answer) == "table" and answer.role or answer)
  end,
  on_error = disk,
}
LUA
check "eval: nobody is asked without --network" run 1 "$moonboot" eval "$work/asks.lua" --serial 52-54
check "eval: says so" says "not asked without --network"
check "eval: and does not" sh -c "! grep -q GET '$work/cmdb.log'"
check "eval --network: asks" run 0 "$moonboot" eval "$work/asks.lua" --serial 52-54 --network --json
check "eval --network: has the answer" says '"why": "{\"role\":\"database\"}'
check "eval --network: no such page" run 1 "$moonboot" eval "$work/asks.lua" --serial nobody --network
check "eval --network: is on_error" says "status 404"
check "explain --network: what was returned" sh -c \
    "'$moonboot' explain '$work/asks.lua' --serial 52-54 --network --render ipxe | grep -q 'its function returned deny .*database'"
check "explain: a function that waits" run 0 "$moonboot" explain "$work/waits.lua" --vlan 4500 --json
check "explain: the time that it waits is not real" python3 -c "
import json
assert json.load(open('$work/out'))['rules'][0]['us'] < 4500000"
check "explain --network: times it" run 0 "$moonboot" explain "$work/waits.lua" --vlan 300 --network --json
check "explain --network: in microseconds" python3 -c "
import json
assert json.load(open('$work/out'))['rules'][0]['us'] >= 300000"

# --- replay -----------------------------------------------------------------------------------

cd "$work" || exit 2
check "replay: where there is no policy" run 2 "$moonboot" replay "$top/$capture"
check "replay: says what to name" complains "there is no policy.lua here: name a site with -c or a policy with --policy"
cd "$top/examples/quickstart" || exit 2
check "replay: where there is one" run 0 "$moonboot" replay "$top/$capture"
cd "$top" || exit 2

# --- the site that is meant without one -------------------------------------------------------

# Of a system whose /etc has nothing but moonboot's site.
mkdir -p "$work/etc/moonboot" "$work/nowhere"
printf 'policy: system.lua\n' >"$work/etc/moonboot/site.yaml"
echo 'rule "of the system" { boot = disk }' >"$work/etc/moonboot/system.lua"
in_system() { # in_system DIRECTORY ARGUMENT…
    # shellcheck disable=SC2016 # the inner shell's
    unshare -rm sh -c 'mount --bind "$1" /etc && cd "$2" && shift 2 && exec "$@"' sh "$work/etc" "$1" "$moonboot" "${@:2}"
}
if in_system "$work/nowhere" --version >/dev/null 2>&1; then
    check "check: the system's site" run 0 in_system "$work/nowhere" check
    check "check: its policy" says "/etc/moonboot/system.lua: ok"
    echo serial=A >"$work/typed"
    in_system "$work/nowhere" repl <"$work/typed" >"$work/out" 2>"$work/err"
    check "repl: its policy" says "of the system"
    check "replay: the system's site" run 0 in_system "$work/nowhere" replay "$top/$capture"
    check "replay: its policy" says 'disk (rule "of the system")'
    echo 'rule "of the file" { boot = disk }' >"$work/nowhere/policy.lua"
    check "replay: a policy here" run 0 in_system "$work/nowhere" replay "$top/$capture"
    check "replay: comes before it" says 'rule "of the file"'
    check "check: a policy here does not" run 0 in_system "$work/nowhere" check
    check "check: nor is it looked at" says "/etc/moonboot/system.lua: ok"
    echo 'policy: here.lua' >"$work/nowhere/site.yaml"
    echo 'rule "of the site" { boot = disk }' >"$work/nowhere/here.lua"
    check "replay: a site here" run 0 in_system "$work/nowhere" replay "$top/$capture"
    check "replay: comes before both" says 'rule "of the site"'
else
    echo "skipped - /etc/moonboot/site.yaml: no mount namespaces here"
fi

# --- diff -------------------------------------------------------------------------------------

check "diff: without machines" run 2 "$moonboot" diff examples/quickstart examples/quickstart
check "diff: asks which" complains "say which machines: --log, --machines or --pcap"
check "diff: machines twice" run 2 "$moonboot" diff examples/quickstart examples/quickstart --machines m --log x
check "diff: says that one is enough" complains "only one of --log, --machines and --pcap may be given"

# --- repl -------------------------------------------------------------------------------------

printf 'mac=52:54:00:00:00:01 arch=bios\n:explain\n' >"$work/lines"
check "repl: lines that are piped" sh -c "'$moonboot' repl examples/quickstart/policy.lua <'$work/lines' >'$work/out' 2>'$work/err'"
check "repl: the decision" says "the build server"
check "repl: why" says '-> examples/quickstart/policy.lua:11, "the build server": decided'
check "repl: no prompt" sh -c "! grep -q 'moonboot>' '$work/out'"
check "repl: the policy of a site" sh -c "echo :rules | '$moonboot' repl -c examples/quickstart/site.yaml | grep -q 'build server'"
check "repl: a line that is wrong: exit code 1" sh -c \
    "echo mac=x | '$moonboot' repl examples/quickstart/policy.lua 2>/dev/null; [ \$? = 1 ]"

exit $bad
