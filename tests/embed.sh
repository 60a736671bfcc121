#!/bin/sh
# Writes assembler that carries the given Lua files: a table `embedded` of
# { name, start, end } entries (core/embedded.h), the names without "lua/" and ".lua":
# lua/render/ipxe.lua is "render.ipxe", policies/default.lua is "policies.default". Files of
# examples/, which `moonboot init` writes, keep their names: "starter/policy.lua".
set -eu
echo '    .section .rodata'
n=0
for file in "$@"; do
    case $file in
    examples/*) name=${file#examples/} ;;
    *) name=$(printf '%s' "$file" | sed -e 's,^lua/,,' -e 's,\.lua$,,' -e 's,/,.,g') ;;
    esac
    printf 'name_%d: .asciz "%s"\nstart_%d: .incbin "%s"\nend_%d: .byte 0\n' "$n" "$name" "$n" "$file" "$n"
    n=$((n + 1))
done
printf '    .section .data.rel.ro,"aw"\n    .balign 8\n    .globl embedded\nembedded:\n'
i=0
while [ "$i" -lt "$n" ]; do
    printf '    .quad name_%d, start_%d, end_%d\n' "$i" "$i" "$i"
    i=$((i + 1))
done
printf '    .quad 0, 0, 0\n    .section .note.GNU-stack,"",@progbits\n'
