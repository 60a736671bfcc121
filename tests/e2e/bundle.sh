#!/bin/bash
# Signed policy bundles: made, served by, and refused when anything about them is wrong.
# shellcheck disable=SC2317 # functions are called by check
set -u
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/e2e/lib.sh
. "$here/lib.sh"

moonboot=$BUILD/moonboot mac=52:54:00:12:34:56
prints() { # prints TEXT COMMAND…
    local text=$1
    shift
    "$@" 2>&1 | grep -qF -- "$text"
}
exits() { # exits CODE COMMAND…
    local code=$1
    shift
    timeout 60 "$@" </dev/null >/dev/null 2>&1
    [ $? = "$code" ]
}
release() { # release VERSION TEXT [KEY]: in the place of the last one
    echo "return { text = '$2' }" >boot/lib/words.lua
    "$moonboot" bundle --version "$1" --key "${3:-release.key}" -o release.bundle boot >/dev/null
}
served() { # served TEXT: machines are told
    curl -sf --max-time 10 "$base/ipxe?mac=$mac" | grep -qF "said=$1"
}
reload() {
    timeout 60 "$moonboot" reload -c site.yaml >said 2>&1
}
refuses() { # refuses WHY: the release, by name, and goes on
    ! reload && grep -qF -- '`policy: release.bundle`' said && grep -qF -- "$1" said && served "$now"
}
takes() { # takes TEXT
    now=$1
    reload && served "$now"
}

make_site
cd "$site" || exit 1
mkdir -p boot/lib boot/.git
echo "not a policy" >boot/.git/config
cat >boot/policy.lua <<'LUA'
local words = require "lib.words"
include "hosts.lua"
profile "p" {
  kernel = "vmlinuz", args = { "said=" .. words.text, "rack={{rack}}", "motd={{config 'motd'}}" }, vars = { rack = 0 },
  config = { motd = template "motd" },
}
LUA
echo 'rule "hosts" { boot = inventory "hosts.csv" }' >boot/hosts.lua
printf 'mac,boot,rack\n%s,p,12\n' "$mac" >boot/hosts.csv
echo 'This is {{mac}}, {{rack}}.' >boot/motd
cat >boot/policy_test.lua <<LUA
test "it is in rack 12" { given = { mac = "$mac" }, expect = { boot = "p", args = contains "rack=12" } }
LUA
"$moonboot" keygen -W release >/dev/null && "$moonboot" keygen -W rogue >/dev/null

# --- making ------------------------------------------------------------------------------------

echo "return { text = 'one' }" >boot/lib/words.lua
check "bundle" prints "boot.bundle: version 0, 6 files" "$moonboot" bundle boot
cp -r boot other && chmod 600 other/motd && touch -d 2001-01-01 other/motd
check "the same files, the same bytes" "$moonboot" bundle -o other.bundle other
check "whoever has them, and since when" cmp boot.bundle other.bundle
check "tar reads it" prints "hosts.csv" tar tf boot.bundle
check "and finds what was put there" sh -c 'mkdir out && tar xf boot.bundle -C out && cmp out/motd boot/motd'
check "without hidden files" sh -c '! tar tf boot.bundle | grep -q git'
check "bundle: a signed one wants a version" exits 2 "$moonboot" bundle --key release.key boot
check "bundle: a version is a number" exits 2 "$moonboot" bundle --version 1x boot
check "bundle: bad usage" exits 2 "$moonboot" bundle --nonsense
check "bundle --help" prints "Usage: moonboot bundle" "$moonboot" bundle --help
ln -s /etc/passwd other/link
check "bundle: no links" prints "other/link: a symbolic link" "$moonboot" bundle other
check "bundle: no policy" prints "boot/site.lua: there is no such file" "$moonboot" bundle -p site.lua boot
check "bundle: another policy" "$moonboot" bundle -p hosts.lua -o hosts.bundle boot
check "bundle --key" release 1 one
check "minisign -V" minisign -q -V -p release.pub -m release.bundle
check "moonboot verify" "$moonboot" verify -q -p release.pub release.bundle

# --- the commands ------------------------------------------------------------------------------

check "check" prints "release.bundle: ok" "$moonboot" check release.bundle
check "eval" prints "This is $mac, 12." "$moonboot" eval release.bundle --mac $mac --render config/motd
check "explain" prints "release.bundle/hosts.lua" "$moonboot" explain release.bundle --mac $mac
check "test" prints "1 passed, 0 failed" "$moonboot" test release.bundle
printf 'mac\n%s\n' "$mac" >machines.csv
check "diff" exits 0 "$moonboot" diff boot/policy.lua release.bundle --machines machines.csv
head -c 3000 release.bundle >cut.bundle
check "check: one that is cut short" prints "the bundle is damaged, or cut short" "$moonboot" check cut.bundle

# --- the service -------------------------------------------------------------------------------

sed -i 's/^policy: .*/policy: release.bundle/' site.yaml
cat >>site.yaml <<'YAML'
policy_keys: [release.pub]
state: { path: state, max_mb: 16 }
YAML
check "check -c" prints "release.bundle: ok" "$moonboot" check -c site.yaml
start_service
now=one
check "what is served is the bundle's" served one
check "its documents too" prints "This is $mac, 12." \
    curl -sf "$base$(curl -sf "$base/ipxe?mac=$mac" | grep -o 'motd=[^ ]*' | sed "s|motd=$base||")"
check "status: version and key" prints "version 1, signed by key $(sed -n 's/.*public key //p' release.pub)" \
    "$moonboot" status -c site.yaml
release 2 two && check "a newer one" takes two
[ "$(id -u)" != 0 ] || check "its version is the supervisor's to write" [ "$(stat -c '%U %a' state.policy state.policy/version | xargs)" = "root 700 root 600" ]
release 1 one && check "an older one is refused" refuses "it is version 1, older than 2, which ran"
release 2 another && check "another of that version too" refuses "it is another bundle of version 2"
release 3 three rogue.key && check "by another key" refuses "which is none of \`policy_keys\`"
check "check -c: it says so" prints "which is none of \`policy_keys\`" "$moonboot" check -c site.yaml
check "check -c: and fails" exits 1 "$moonboot" check -c site.yaml
release 3 three && head -c 3000 release.bundle >short && mv short release.bundle
check "cut short" refuses "the signature is not of these bytes"
for at in 600 1100 3333 5000; do
    release 3 three
    python3 - $at <<'PYTHON'
import sys
data = bytearray(open("release.bundle", "rb").read())
data[int(sys.argv[1])] ^= 16
open("release.bundle", "wb").write(data)
PYTHON
    check "a bit at byte $at" refuses "the signature is not of these bytes"
done
release 3 three && rm release.bundle.minisig
check "without a signature" refuses "it has no signature that can be read"
cp boot/policy.lua release.bundle && "$moonboot" sign -s release.key release.bundle
check "a policy that is no bundle, though signed" refuses "it is no bundle"
rm release.bundle && ln -s /dev/zero release.bundle
check "a device" refuses "Is a directory"
rm release.bundle
check "nothing" refuses "No such file or directory"
sed -i 's/release.pub/gone.pub/' site.yaml
check "without its key" sh -c "! '$moonboot' reload -c site.yaml" && check "what serves goes on" served two
sed -i 's/gone.pub/release.pub/' site.yaml
echo 'rule "x" { nonsense' >>boot/hosts.lua
release 3 three && reload
check "a good signature of a bad policy" grep -qF 'release.bundle/hosts.lua:3' said
check "does not count as having run" grep -q '^2 ' state.policy/version
echo 'rule "hosts" { boot = inventory "hosts.csv" }' >boot/hosts.lua
release 3 three && check "the next good one" takes three
worker=$("$moonboot" status --json -c site.yaml | grep -o '"slot":1,"pid":[0-9]*' | grep -o '[0-9]*$')
release 9 nine rogue.key
kill -KILL "$worker"
wait_for "a worker that died is replaced" 10 prints "restarts\":1" "$moonboot" status --json -c site.yaml
check "by the release that was verified" served three

# --- starting ----------------------------------------------------------------------------------

stop_service
release 2 two
check "start: an older one is refused" exits 1 "$moonboot" serve -c site.yaml
check "and named" prints '`policy: release.bundle`: it is version 2, older than 3' timeout 60 "$moonboot" serve -c site.yaml
release 3 three rogue.key
check "start: another key" exits 1 "$moonboot" serve -c site.yaml
release 4 four && start_service && now=four
check "start: a newer one" served four
sed -i '/^policy_keys/d' site.yaml
release 1 unsigned && rm release.bundle.minisig
check "without policy_keys: any bundle" takes unsigned
check "status: not signed" prints "version 1, not signed" "$moonboot" status -c site.yaml
echo 'policy_keys: [release.pub]' >>site.yaml
release 3 three && now=unsigned
check "what ran is not forgotten" refuses "older than 4"

finish
