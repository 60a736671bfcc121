#!/bin/bash
# Runs every test, or those whose name matches a pattern: run.sh [PATTERN]
# A suite prints `ok …`, `not ok …` and `skipped …` lines; what it printed stays in
# build/test/NAME.log. The last line counts them all; the exit code is 0 when none failed.
set -u
cd "$(dirname "$0")/.." || exit 2

pattern=${1:-.}
logs=build/test
passed=0 failed=0 skipped=0
mkdir -p "$logs"
export CMOCKA_MESSAGE_OUTPUT=TAP
export ASAN_OPTIONS=detect_leaks=1:abort_on_error=0 UBSAN_OPTIONS=print_stacktrace=1

# suite NAME COMMAND…
suite() {
    local name=$1 log ok bad skip status start=$SECONDS
    shift
    [[ $name =~ $pattern ]] || return 0
    log=$logs/${name//\//-}.log
    "$@" >"$log" 2>&1 </dev/null
    status=$?
    skip=$(grep -cE '^(skipped|ok .*# SKIP)' "$log")
    bad=$(grep -c '^not ok' "$log")
    ok=$(grep -cE '^ok' "$log")
    ok=$((ok - $(grep -cE '^ok .*# SKIP' "$log")))
    if [ $((ok + skip + bad)) -eq 0 ] && [[ $(tail -n 1 "$log") =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed ]]; then
        ok=${BASH_REMATCH[1]} bad=${BASH_REMATCH[2]}
    fi
    [ "$status" -ne 0 ] && [ "$bad" -eq 0 ] && bad=1
    # CI has everything: what is skipped there is broken.
    if [ "${CI:-}" = true ] && [ "$(id -u)" = 0 ] && [ "$skip" -gt 0 ]; then
        bad=$((bad + skip)) skip=0
    fi
    [ "$status" -eq 0 ] && [ $((ok + skip + bad)) -eq 0 ] && ok=1
    passed=$((passed + ok)) failed=$((failed + bad)) skipped=$((skipped + skip))
    if [ "$bad" -eq 0 ]; then
        printf '%-28s %5d passed%s  %d s\n' "$name" "$ok" "$([ "$skip" -gt 0 ] && echo ", $skip skipped")" $((SECONDS - start))
    else
        printf '%-28s %5d passed, %d FAILED (exit %d, see %s)\n' "$name" "$ok" "$bad" "$status" "$log"
        grep -A12 '^not ok' "$log" | head -60
        tail -n 25 "$log"
    fi
    grep -E '^skipped|# SKIP' "$log" | sed 's/^/    /'
}

unit_suites() { # unit_suites PREFIX BUILD
    local program
    for program in tests/unit/test_*.c; do
        program=$(basename "$program" .c)
        suite "$1/$program" "$2/unit/$program"
    done
}

with() { # with BUILD SCRIPT…: an end-to-end script on that build
    BUILD=$1 "${@:2}"
}

suite build/gcc make -s CC=gcc all unit
suite build/clang make -s CC=clang all unit
suite build/sanitize make -s SANITIZE=1 all unit
suite build/fuzzers make -s fuzzers
suite layers tests/layers.sh
unit_suites unit build
unit_suites sanitize build-sanitize
suite lua luajit tests/lua/run.lua
suite policies build-sanitize/moonboot test policies examples --format tap --coverage --fail-under 95 --seed 1
suite mutants tests/mutants.py
suite cli with build-sanitize tests/cli.sh
suite completion with build tests/completion.sh
suite prompt with build-sanitize tests/prompt.py
suite fuzz tests/fuzz/all.sh 60
for script in language testing service http tftp state machines asking apis decision_log control hostile_policy overload; do
    suite "e2e/$script" with build-sanitize tests/e2e/$script.sh
done
suite e2e/slow_peers with build-sanitize tests/e2e/slow_peers.sh
suite e2e/machines-redis with build tests/e2e/machines.sh redis
suite e2e/control-confined with build tests/e2e/control.sh
suite e2e/trust with build-sanitize tests/e2e/trust.sh
suite e2e/secrets with build-sanitize tests/e2e/secrets.sh
suite e2e/leaks with build tests/e2e/leaks.sh
suite e2e/sign with build tests/e2e/sign.sh
suite e2e/bundle with build-sanitize tests/e2e/bundle.sh
suite e2e/fetch with build tests/e2e/fetch.sh
suite e2e/cms with build tests/e2e/cms.sh
suite e2e/https with build-sanitize tests/e2e/https.sh
suite e2e/redis with build-sanitize tests/e2e/redis.sh
suite e2e/replay with build-sanitize tests/e2e/replay.sh
suite e2e/diff with build-sanitize tests/e2e/diff.sh
suite e2e/ci_example with build-sanitize tests/e2e/ci_example.sh
suite e2e/documents with build tests/e2e/documents.sh
suite e2e/load with build tests/e2e/load.sh
suite e2e/load-sanitize with build-sanitize tests/e2e/load.sh
suite e2e/boot with build tests/e2e/boot.sh
suite e2e/install with build tests/e2e/install.sh
suite e2e/fleet with build tests/e2e/fleet.sh
suite e2e/boot_https with build tests/e2e/boot_https.sh
suite e2e/loaders with build tests/e2e/loaders.sh
suite e2e/dnsmasq_policy with build tests/e2e/dnsmasq_policy.sh
suite e2e/pxelinux_policy with build tests/e2e/pxelinux_policy.sh
suite bench make -s bench-short
suite readme tests/readme.sh
suite e2e/tftp_hpa with build-sanitize tests/e2e/tftp_hpa.sh
suite e2e/tftp_hpa_boot with build tests/e2e/tftp_hpa_boot.sh
suite e2e/hostile with build-sanitize tests/e2e/hostile.sh
suite e2e/faults with build tests/e2e/faults.sh
suite e2e/soak with build tests/e2e/soak.sh 30
suite e2e/systemd with build tests/e2e/systemd.sh
suite e2e/monitoring with build tests/e2e/monitoring.sh
suite e2e/dhcp_servers with build tests/e2e/dhcp_servers.sh
suite lint make -s lint

echo
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
