#!/bin/bash
# Runs all fuzzers, two at a time: all.sh SECONDS, each that long.
set -u
cd "$(dirname "$0")/../.." || exit 2
for source in tests/fuzz/fuzz_*.c; do basename "$source" .c; done | xargs -n 1 -P 2 -I NAME tests/fuzz/run.sh NAME "$1"
