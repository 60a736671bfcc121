#!/bin/bash
# The shells' completions: every command and option of --help is offered, by bash and by zsh.
set -u
cd "$(dirname "$0")/.." || exit 2
PATH=$PWD/${BUILD:-build}:$PATH
bad=0

check() { # check WHAT COMMAND…
    local what=$1
    shift
    if "$@"; then
        echo "ok - $what"
    else
        echo "not ok - $what"
        bad=1
    fi
}

# What a shell offers for these words, the last of which is being typed.
in_bash() {
    # shellcheck source=examples/completion/moonboot.bash
    bash -c '. examples/completion/moonboot.bash
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
        _moonboot && printf "%s\n" "${COMPREPLY[@]}"' bash "$@"
}

in_zsh() {
    zsh -fc '. examples/completion/_moonboot
        _describe() { print -l -- "${(@P)2%%:*}" }
        _files() { print -l -- *(N) }
        words=("$@") CURRENT=$#
        _moonboot' zsh "$@"
}

# Words for which the first list has none in the second.
missing() { # missing LIST LIST
    comm -23 <(sort -u <<<"$1") <(sort -u <<<"$2")
}

fields=$(luajit -e 'package.path = "lua/?.lua;tests/lua/?.lua;" .. package.path; host = require "host"
    for _, field in ipairs(require "machine".fields) do
        if field.type ~= "stage" and field.type ~= "labels" then print("--" .. field.name:gsub("_", "-")) end
    end')
commands=$(moonboot --help | sed -n 's/^  \([a-z]\+\)  .*/\1/p')
check "--help has commands" [ "$(wc -w <<<"$commands")" -ge 8 ]
check "a machine has fields" [ "$(wc -w <<<"$fields")" -ge 20 ]
for shell in bash zsh; do
    command -v "$shell" >/dev/null || {
        echo "skipped - $shell is not installed"
        continue
    }
    check "$shell: the commands" [ -z "$(missing "$commands" "$("in_$shell" moonboot "")")" ]
    for command in $commands; do
        options=$(moonboot "$command" --help | grep -oE '^ {2,8}(-[a-zA-Z], )?--[a-z-]+' | grep -oE -- '--[a-z-]+$')
        lost=$(missing "$options" "$("in_$shell" moonboot "$command" -)")
        check "$shell: options of $command${lost:+: $lost}" [ -n "$options" -a -z "$lost" ]
    done
    check "$shell: fields of a machine" [ -z "$(missing "$fields" "$("in_$shell" moonboot eval policy.lua --)")" ]
    check "$shell: values" grep -qx github <<<"$("in_$shell" moonboot check --format "")"
    check "$shell: files" grep -qx Makefile <<<"$("in_$shell" moonboot eval Makef)"
done
check "bash: a value behind =" [ "$(in_bash moonboot check --format = gi)" = github ]
check "bash: what was begun" [ "$(in_bash moonboot che)" = check ]

exit $bad
