#!/bin/bash
# Policies at their worst: each costs its client the rule's on_error, a log line with file and line,
# and a count. While each runs, a good client of another worker or of the same is answered.
set -u
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/e2e/lib.sh
. "$here/lib.sh"

# A line each: a name, and what the rule's function does.
hostile='
an endless loop|while true do end
a loop in pcall|while true do pcall(function() while true do end end) end
a loop in xpcall'\''s handler|xpcall(error, function() while true do end end)
pcall in pcall, for ever|local function f() return pcall(f) end while true do f() end
endless recursion|local function f() return 1 + f() end return f()
recursion through tostring|local t = setmetatable({}, { __tostring = function(t) return tostring(t) .. "x" end }) return tostring(t)
recursion through gsub|local function f(x) return (x:gsub(".", f)) end return f "x"
recursion through sort|local function f() table.sort({ 3, 2, 1 }, f) return false end f() while true do end
recursion through index|local t = setmetatable({}, {}) getmetatable(t).__index = function(_, k) return t[k .. 1] end return t.x
endless text|local s = "x" while true do s = s .. s end
endless tables|local t = {} while true do t[#t + 1] = { ("x"):rep(1000) .. #t } end
one huge text|return ("x"):rep(1e10)
memory in pcall|local t = {} while true do pcall(function() while true do t[#t + 1] = ("x"):rep(1e6) .. #t end end) end
a pattern without end|return ("a"):rep(3000):find("a*a*a*a*a*a*b")
a lazy pattern in gsub|return ("a"):rep(3000):gsub(".-.-.-.-.-b$", "")
a pattern in pcall|while true do pcall(string.match, ("a"):rep(3000), "(a*)(a*)(a*)%3%2%1b") end
a pattern in gmatch|for x in ("a"):rep(5000):gmatch("a-a-a-a-b") do return x end error "none"
sorting without end|local t = {} for i = 1, 1e9 do t[i] = -i end table.sort(t)
a table as an error|error { 1, 2 }
an error that throws|error(setmetatable({}, { __tostring = function() error "again" end }))
nothing that makes sense|return 42
a log without end|while true do log.info "spam" end
a generator without end|local function f() return f end for x in f do end
growing concat|local t = {} while true do t[#t + 1] = "x" table.concat(t, ("y"):rep(1000)) end
'
rules() {
    local n=0 name body
    while IFS='|' read -r name body; do
        [ -z "$name" ] && continue
        n=$((n + 1))
        printf 'rule "%s" { match = { mac = "52:54:00:00:01:%02x" }, on_error = deny "handled",\n  boot = function() %s end }\n' \
            "$name" "$n" "$body"
    done <<<"$hostile"
}

make_site
{
    echo 'profile "p" { kernel = "vmlinuz" }'
    rules
    echo 'rule "all" { boot = "p" }'
} >"$site/policy.lua"
# What unwinds ten thousand calls takes a while with the sanitizers: of the three times that a whole
# decision has, something must be left for on_error.
case $BUILD in *sanitize) decision_ms=200 ;; *) decision_ms=100 ;; esac
echo "limits: { decision_ms: $decision_ms, memory_mb: 64 }" >>"$site/site.yaml"
start_service

good() { # a good client, on eight connections so that both workers are asked
    local i
    for i in 1 2 3 4 5 6 7 8; do
        curl -sf --max-time 1 "$base/ipxe?mac=52:54:00:00:00:01&platform=pcbios" | grep -q vmlinuz || return 1
    done
}
errors() {
    fetch /metrics | sed -n 's/^moonboot_decision_errors_total //p'
}

n=0
while IFS='|' read -r name _; do
    [ -z "$name" ] && continue
    n=$((n + 1))
    before=$(errors)
    curl -s --max-time 10 "$base/ipxe?mac=52:54:00:00:01:$(printf %02x $n)" >"$site/got" &
    asker=$!
    check "$name: good clients are answered within a second" good
    wait "$asker"
    check "$name: its client has the on_error answer" grep -q handled "$site/got"
    check "$name: is counted" [ "$(errors)" = $((before + 1)) ]
    check "$name: is in the log with file and line" grep -qE "rule=\"$name\".*error=.*policy.lua:[0-9]+" "$log"
done <<<"$hostile"
check "no worker ended over it" sh -c "! grep -qE 'ended|stood still' '$log'"
check "patterns are stopped as loops are" grep -q "rule=\"a pattern without end\".*stopped after $decision_ms ms" "$log"
finish
