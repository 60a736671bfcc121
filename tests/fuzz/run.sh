#!/bin/bash
# Runs one fuzzer for some seconds over its corpus: run.sh NAME SECONDS
set -eu
cd "$(dirname "$0")/../.."
name=$1 seconds=$2
program=build-fuzz/$name
if [ ! -x "$program" ]; then
    echo "skipped - $name: not built (clang's fuzzer runtime is missing)"
    exit 0
fi
found=build-fuzz/corpus-$name
mkdir -p "$found"
corpus=tests/fuzz/corpus/${name#fuzz_}
[ -d "$corpus" ] || corpus=
dictionary=tests/fuzz/${name#fuzz_}.dict
[ -f "$dictionary" ] || dictionary=
# shellcheck disable=SC2086 # no corpus, no argument
"$program" -max_total_time="$seconds" -print_final_stats=1 -timeout=25 -rss_limit_mb=2048 ${dictionary:+-dict=$dictionary} -artifact_prefix="$found-" \
    "$found" $corpus >"$found.log" 2>&1 || {
    tail -n 40 "$found.log"
    echo "not ok - $name: see $found.log"
    exit 1
}
echo "ok - $name: $(sed -n 's/^stat::number_of_executed_units: *//p' "$found.log") executions"
