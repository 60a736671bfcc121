#!/bin/bash
# The README's first site, made from its own code blocks and run by its own commands, and
# `make install`, so that what the front page says is true.
set -u
cd "$(dirname "$0")/.." || exit 2
build=$PWD/${BUILD:-build}
site=$(mktemp -d /tmp/moonboot-readme-XXXXXX)
trap 'rm -rf "$site"' EXIT
bad=0 good=0

check() { # check WHAT COMMAND…
    local what=$1
    shift
    if "$@" >"$site/now" 2>&1; then
        echo "ok - $what"
        good=$((good + 1))
    else
        echo "not ok - $what"
        sed 's/^/# /' "$site/now" "$site/said"
        bad=$((bad + 1))
    fi
    [ "$1" = says ] || mv "$site/now" "$site/said"
}

block() { # block LANGUAGE N: the Nth code block of that language
    awk -v want="$2" -v fence="\`\`\`$1" '
        $0 == fence { n++; inside = n == want; next }
        /^```/ { inside = 0 }
        inside { print }' README.md
}

says() { # says TEXT: the last command's output has it
    grep -qF -- "$1" "$site/said"
}

check "links in all pages lead somewhere" tests/links.py .
echo '# A, [b](#a-b)
[c](#c) [d](none.md) [e](page.md#a-b) `[f](none)`' >"$site/page.md"
check "those that do not are found" sh -c "tests/links.py '$site' | grep -q '1 pages, 2 links that lead nowhere'"
block lua 1 >"$site/policy.lua"
block lua 2 >"$site/policy_test.lua"
block yaml 1 >"$site/site.yaml"
check "the 10-line policy, its tests and site.yaml are there" \
    test -s "$site/policy.lua" -a -s "$site/policy_test.lua" -a -s "$site/site.yaml"
PATH=$build:$PATH
cd "$site" || exit 2
check "moonboot check -c site.yaml" moonboot check -c site.yaml
check "moonboot test" moonboot test
check "moonboot test: says what the README says it says" says "2 passed, 0 failed"
check "moonboot eval" moonboot eval policy.lua --uuid 4C4C4544-0052-3510-8051-B4C04F4E3732 \
    --arch efi-x64 --serial R5QNN72 --render ipxe
check "moonboot eval: shows the script" says "hostname=R5QNN72"
check "moonboot --version" moonboot --version
check "moonboot --help" moonboot --help
mapfile -t commands < <(moonboot --help | sed -n 's/^  \([a-z]\+\)  .*/\1/p')
check "moonboot --help: lists the commands" test "${#commands[@]}" -ge 5
for command in "${commands[@]}"; do
    check "moonboot $command --help" moonboot "$command" --help
    check "moonboot $command --help: its usage" says "Usage: moonboot $command"
done
check "a command that there is not: exit code 2" sh -c 'moonboot evla; [ $? = 2 ]'
check "a command that there is not: the nearest one" says 'did you mean "eval"?'
cd - >/dev/null || exit 2

check "make install" make -s install DESTDIR="$site/root" PREFIX=/usr
check "make install: the program runs from there" "$site/root/usr/bin/moonboot" --version
check "make install: all links of its pages lead somewhere" tests/links.py "$site/root/usr/share/doc/moonboot"
check "make install: they are all pages" says "$(tests/links.py . | tail -n 1)"
libraries() { # libraries DIRECTORY: what its .luarc.json names, and those below it, is there
    local rc name n=0
    for rc in "$1"/.luarc.json "$1"/*/.luarc.json; do
        name=$(sed -n 's/.*"workspace.library": \["\(.*\)"\].*/\1/p' "$rc")
        [ -n "$name" ] && [ -s "${rc%/*}/$name/moonboot.lua" ] || return 1
        n=$((n + 1))
    done
    [ "$n" -ge 5 ]
}
check "make install: what editors are told to read is there" libraries "$site/root/usr/share/doc/moonboot/examples"
check "make install: what is to be run can be" test -x "$site/root/usr/share/doc/moonboot/examples/fleet/setup.sh"
check "make install: the examples' tests pass there" \
    "$site/root/usr/bin/moonboot" test "$site/root/usr/share/doc/moonboot/examples"
check "make uninstall" make -s uninstall DESTDIR="$site/root" PREFIX=/usr
check "make uninstall: nothing stays" test -z "$(find "$site/root" -type f)"

echo "$good passed, $bad failed"
[ "$bad" -eq 0 ]
