#!/bin/bash
# What the tests run of core/ and lua/: run.sh [DATA], after `make COVER=1 all unit`. All that tests is
# run once more, with the program that counts: units, Lua's tests, policies', commands', end-to-end
# scripts. What fails of them is named (so slow a program misses deadlines), but is judged elsewhere.
# What DATA has from before, of the same build, is added to; ONLY=PATTERN runs some.
#
# Counters are written below DATA, where each user may write: workers are another user. They are
# confined as ever, so that what confines them is run, too.
set -u
cd "$(dirname "$0")/../.." || exit 2
build=$PWD/build-cover
data=${1:-$(mktemp -d /tmp/moonboot-cover-XXXXXX)}
only=${ONLY:-.}

mkdir -p "$data/lua" "$data$build/core"
chmod 777 "$data/lua" # each process has a file of its own there
cp "$build"/core/*.gcno "$data$build/core/"
for file in "$data$build"/core/*.gcno; do
    [ -e "${file%.gcno}.gcda" ] || : >"${file%.gcno}.gcda"
done
chmod 755 "$data"
chmod 666 "$data$build"/core/*.gcda
export GCOV_PREFIX=$data MOONBOOT_COVER_LUA=$data/lua BUILD=$build
log=$build/cover.log
: >"$log"

run() { # run NAME COMMAND…
    local name=$1 start=$SECONDS
    shift
    [[ $name =~ $only ]] || return 0
    echo "== $name" >>"$log"
    if timeout 400 "$@" >>"$log" 2>&1 </dev/null; then
        printf '%-24s %4d s\n' "$name" $((SECONDS - start))
    else
        printf '%-24s %4d s  it failed: see %s\n' "$name" $((SECONDS - start)) "$log"
    fi
}

for program in "$build"/unit/test_*; do
    [ -x "$program" ] && [ ! -d "$program" ] && run "unit/$(basename "$program")" "$program"
done
run lua build-cover/cover/lua tests/lua/run.lua
run policies "$build/moonboot" test policies examples --format tap --coverage --seed 1
BUILD=build-cover run cli tests/cli.sh
BUILD=build-cover run completion tests/completion.sh
BUILD=build-cover run prompt tests/prompt.py
# All but those that boot virtual machines, or take minutes to wear it out.
for script in tests/e2e/*.sh; do
    script=$(basename "$script" .sh)
    case $script in
    *lib | lab | guest | demo | boot* | loaders | *_boot | *_policy | dhcp_servers | fleet | soak | load | install | slow_peers) [ "$script" = hostile_policy ] || continue ;;
    esac
    run "e2e/$script" "tests/e2e/$script.sh"
done
find "$data" -name '*.gcda' -empty -delete # of what never ran
tests/cover/report.py "$data" "${FLOOR:-90}"
status=$?
[ -n "${1:-}" ] || rm -rf "$data"
exit $status
