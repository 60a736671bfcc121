#!/bin/bash
# The units and end-to-end scripts under valgrind's memcheck: run.sh [PATTERN] [BUILD], after
# `make all unit`. Use of memory that is not ours or not set, or that is lost, is an error; nothing
# is suppressed.
#
# Workers are not confined, by a line in each site's file: the sandbox knows nothing of valgrind's own
# calls. What a test fails otherwise is named and does not count: so slow a program misses deadlines, and
# valgrind 3.19 knows no openat2 (core/files.c does without, but follows no links then). A test that
# failed has left its function by a jump: what it had is not counted as lost.
set -u
cd "$(dirname "$0")/../.." || exit 2
pattern=${1:-.}
build=$PWD/${2:-build}
work=$PWD/build-valgrind
tool=(valgrind -q --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite --num-callers=30
    --fair-sched=yes --child-silent-after-fork=no)
scripts=(service http tftp state testing language apis asking machines decision_log control hostile_policy trust
    secrets sign bundle fetch cms https redis replay diff documents)
ran=0 bad=0 slow=0

command -v valgrind >/dev/null || {
    echo "valgrind: it is not installed (apt-get install valgrind)" >&2
    exit 2
}
mkdir -p "$work/logs"
rm -f "$work"/logs/*
chmod 777 "$work" "$work/logs"
cat >"$work/moonboot" <<SH
#!/bin/sh
site=
[ "\$1" != serve ] || [ "\$2" != -c ] || site=\$3
[ ! -f "\$site" ] || grep -q '^sandbox:' "\$site" || printf '\nsandbox: off\n' >>"\$site"
exec ${tool[*]} --log-file='$work/logs/%p.log' '$build/moonboot' "\$@"
SH
chmod +x "$work/moonboot"

# Lines that begin with -- are valgrind's own; possible losses are reported with definite ones only.
found() { # found NAME STATUS: what valgrind said of it, if anything
    local log errors='FATAL|Invalid|uninitiali[sz]ed|Syscall param|overlap|Mismatched|Process terminating|definitely lost'
    [ "$2" = 0 ] || [ "$2" = 99 ] && ! grep -q FAILED "$work/output" || errors=${errors%|*}
    for log in "$work"/logs/*.log; do
        if grep -qE "^==.*($errors)" "$log" 2>/dev/null; then
            echo "not ok - valgrind: $1: $(basename "$log")"
            grep '^==' "$log" | sed 's/^/# /' | head -n 60
            bad=$((bad + 1))
            mv "$log" "$log.${1//\//-}"
        else
            rm -f "$log"
        fi
    done
}

run() { # run NAME COMMAND…
    local name=$1 start=$SECONDS status
    shift
    [[ $name =~ $pattern ]] || return 0
    timeout 1800 "$@" >"$work/output" 2>&1 </dev/null
    status=$?
    ran=$((ran + 1))
    if [ "$status" -ge 124 ]; then
        bad=$((bad + 1))
        echo "not ok - $name: it could not run, or did not end (exit code $status)"
    elif [ "$status" != 0 ]; then
        slow=$((slow + 1))
        echo "# $name: exit code $status"
        grep -E '^not ok|FAILED' "$work/output" | head -n 10 | sed 's/^/#   /'
    fi
    printf '# %-28s %4d s\n' "$name" $((SECONDS - start))
    found "$name" "$status"
}

for program in tests/unit/test_*.c; do
    program=$(basename "$program" .c)
    [ "$program" != test_sandbox ] || continue # its filter kills valgrind's own calls
    run "unit/$program" "${tool[@]}" --log-file="$work/logs/%p.log" "$build/unit/$program"
done
run policies "$work/moonboot" test policies examples
# All but those that boot machines, load or wear the service down, or drive it by a program of their own.
for script in "${scripts[@]}"; do
    run "e2e/$script" env BUILD="$work" PATIENCE=2 "tests/e2e/$script.sh"
done
echo "$ran programs and scripts under valgrind, $bad errors, $slow that miss deadlines or openat2"
[ "$ran" -gt 0 ] && [ "$bad" -eq 0 ]
