#!/bin/sh
# What CI runs on every change: ci.sh check | diff.
#   check  the policy is sound, and its tests pass and cover it: exit 0 or not
#   diff   which machines would boot otherwise than by the last release (a tag release-*):
#          exit 0 none, 1 some, 2 it could not run
set -eu
cd "$(dirname "$0")"

check() {
    moonboot check --strict policy.lua
    moonboot test --coverage --fail-under 95 .
}

diff() {
    if ! last=$(git describe --tags --abbrev=0 --match 'release-*' 2>/dev/null); then
        echo "there is no release yet"
        return 0
    fi
    echo "since $last:"
    moonboot diff --documents "$last:./policy.lua" policy.lua --machines fleet.csv
}

case ${1:-} in
check | diff) "$1" ;;
*)
    echo "usage: ci.sh check|diff" >&2
    exit 2
    ;;
esac
