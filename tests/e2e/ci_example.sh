#!/bin/bash
# examples/ci as a repository of its own: its CI on the release, and on changes of a rule, of an
# argument, of a document; on what breaks a test or is not covered by one.
set -u
here=$(cd "$(dirname "$0")" && pwd)
build=${BUILD:-$here/../../build}
PATH=$(cd "$build" && pwd):$PATH
site=$(mktemp -d /tmp/moonboot-ci-XXXXXX)
trap 'rm -rf "$site"' EXIT
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null HOME=$site
bad=0 good=0

check() { # check WHAT COMMAND…
    local what=$1
    shift
    if "$@"; then
        echo "ok - $what"
        good=$((good + 1))
    else
        echo "not ok - $what"
        sed 's/^/# /' "$site/said"
        bad=$((bad + 1))
    fi
}
ci() { # ci CODE COMMAND [TEXT…]: exits so, and says all of this
    local code=$1 command=$2 text
    shift 2
    "$site/repository/ci.sh" "$command" >"$site/said" 2>&1
    [ $? = "$code" ] || return 1
    for text in "$@"; do
        grep -qF -- "$text" "$site/said" || return 1
    done
}
change() { # change FROM TO [FILE]: in the policy
    sed -i "s|$1|$2|" "${3:-policy.lua}"
    ! git diff --quiet
}
undo() {
    git checkout -q .
}

cp -r "$here/../../examples/ci" "$site/repository"
cd "$site/repository" || exit 2
git init -q -b main .
git add .
git -c user.name=x -c user.email=x@example.org commit -q -m "The first release"
check "before a release: check" ci 0 check "passed, 0 failed"
check "before a release: nothing to compare with" ci 0 diff "there is no release yet"
git tag release-1
check "the release: check" ci 0 check
check "the release: no machine boots otherwise" ci 0 diff "since release-1:" "0 of 8 machines would boot otherwise"

change 'prefix "R13"' 'prefix "R14"'
check "a rule changed: its test fails" ci 1 check "FAIL" "rack 13 stores"
check "a rule changed: exit code 1, and who" ci 1 diff "2 of 8 machines would boot otherwise" \
    "2 machines: boot storage -> ignore" 'rule "rack 13" (release-1:policy.lua:' "no rule matched" \
    "52:54:00:13:00:01" "52:54:00:13:00:02"
undo

change '"sda", "sdb"' '"sda", "sdb", "sdc"'
check "an argument changed: README.md has what is said" sh -c '
    ./ci.sh diff >"$0/said"
    [ $? = 1 ] && awk "/^since/ { on = 1 } /^\`\`\`/ { on = 0 } on" README.md | cmp - "$0/said"' "$site"
undo

change 'Asset' 'The asset' motd
check "a document changed: who has it" ci 1 diff "4 of 8 machines" "boot compute, with other documents"
undo

printf '\nrule "new" { match = { vlan = 7 }, boot = function() return disk end }\n' >>policy.lua
check "a rule without a test: coverage names it" sh -c '
    ./ci.sh check >"$0/said" 2>&1; grep -q "rule \"new\"" "$0/said"' "$site"
undo

printf '\nrule "rack 12 again" { match = { serial = prefix "R12", arch = "efi-x64" }, boot = disk }\n' >>policy.lua
check "a rule that never decides: check says so" ci 1 check 'rule "rack 12 again" never decides'
undo

change 'boot  = "storage"' 'boot  = "storrage"'
check "a broken policy: check has file and line" ci 1 check "policy.lua:" 'did you mean "storage"'
check "a broken policy: diff could not run" ci 2 diff "policy.lua:"
undo

git -c user.name=x -c user.email=x@example.org commit -q --allow-empty -m "Another"
git tag release-2
check "the last release is compared with" ci 0 diff "since release-2:"

echo "$good passed, $bad failed"
[ "$bad" -eq 0 ]
