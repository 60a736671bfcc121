#!/bin/sh
# Holds core/ to the table of layers in core/README.md: a file includes its own layer and
# lower ones, only layer 4 (and cli*.c) knows Lua, and the servers of layer 5 see policy.h alone
# of layer 4 and never each other. A new file must be named in the table.
set -eu
cd "$(dirname "$0")/../core"

# shellcheck disable=SC2035 # no name here starts with a dash
awk '
function layer(file,   name, length_) {
    name = file
    sub(/\.[ch]$/, "", name)
    if (name in layers) return layers[name]
    for (length_ = length(name); length_ > 0; length_--)
        if ((substr(name, 1, length_) "*") in layers) return layers[substr(name, 1, length_) "*"]
    return -1
}
function server_of(file) {
    sub(/_.*/, "", file)
    return file "_server.h"
}
function complain(text) {
    print "core/" FILENAME ":" FNR ": " text
    bad++
}
FILENAME == "README.md" {
    if ($0 ~ /^\| [0-9] \|/) {
        split($0, column, "|")
        gsub(/\([^)]*\)/, "", column[3]) # remarks
        n = split(column[3], word, "`")
        for (i = 2; i <= n; i += 2) layers[word[i]] = column[2] + 0
    }
    next
}
FNR == 1 {
    own = layer(FILENAME)
    files++
    if (own < 0) complain("has no layer: name it in core/README.md")
}
/^#include "/ && own >= 0 {
    split($0, part, "\"")
    other = layer(part[2])
    if (other > own && !(own == 5 && part[2] == "policy.h"))
        complain("layer " own " includes " part[2] " of layer " other)
    if (own == 5 && other == 4 && part[2] != "policy.h")
        complain("a server sees policy.h alone of layer 4, not " part[2])
    if (own == 5 && part[2] ~ /_server\.h$/ && part[2] != server_of(FILENAME))
        complain("a server includes another: " part[2])
}
/^#include <(lua|lauxlib|lualib|luajit)/ && own != 4 && FILENAME !~ /^cli/ {
    complain("only layer 4 and cli*.c include Lua")
}
END {
    if (bad) print "not ok - layers: " bad " includes or files out of place"
    else print "ok - layers: " files " files include downward only"
    exit bad > 0
}' README.md *.c *.h
