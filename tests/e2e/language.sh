#!/bin/bash
# The policy language in the real program: what check says of ten mistakes, policies of several
# files, pages of a policy's own over HTTP, the stubs for editors.
set -u
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/e2e/lib.sh
. "$here/lib.sh"
top=$(cd "$here/../.." && pwd)

make_site
mkdir -p "$site/lib" "$site/hosts"

"$BUILD/moonboot" check "$top/tests/lua/ten_mistakes.lua" >"$site/out" 2>"$site/problems"
status=$?
check "check fails on ten mistakes" [ $status = 1 ]
check "check reports all ten" [ "$(wc -l <"$site/problems")" = 10 ]
check "each with file and line" [ "$(grep -cE '^/.*/ten_mistakes\.lua:[0-9]+: ' "$site/problems")" = 10 ]
check "each on a line of its own" [ "$(cut -d: -f2 "$site/problems" | sort -u | wc -l)" = 10 ]
check "each with what was meant" [ "$(grep -c '(did you mean "[^"]*"?)$' "$site/problems")" = 10 ]

cat >"$site/policy.lua" <<'LUA'
local hosts = require "lib.hosts"
include "rules.lua"
include "moonboot/default.lua"
serve "/hosts/:name" (function(request)
  local host = hosts[request.params.name]
  if request.query.fail then return nil, "told to" end
  return host and { body = json.encode(host), type = "application/json" }
end)
serve "/pub/*path" (function(request) return { asset = request.params.path } end)
serve "/boot.ipxe" (function(request) return "mine: " .. tostring(request.machine.serial) .. "\n" end)
LUA
cat >"$site/lib/hosts.lua" <<'LUA'
local hosts = {}
for _, name in ipairs(list "hosts") do
  hosts[name:gsub("%.yaml$", "")] = assert(yaml.decode(read("hosts/" .. name)))
end
return hosts
LUA
echo 'rule "first" { match = { serial = pattern "^R%d$" }, boot = shell }' >"$site/rules.lua"
printf 'rack: 12\nroles: [db, web]\n' >"$site/hosts/a.yaml"
echo asset >"$site/assets/file"

check "a policy of several files is good" "$BUILD/moonboot" check -c "$site/site.yaml"
"$BUILD/moonboot" eval "$site/policy.lua" --serial R1 >"$site/out"
check "an included rule decides" grep -q "^rule  *first ($site/rules.lua:1)" "$site/out"
"$BUILD/moonboot" eval "$site/policy.lua" --arch efi-x64 >"$site/out"
check "so does one that comes with moonboot" grep -q '^rule  *PCs (moonboot/default.lua:' "$site/out"

start_service
check "a page of the policy's own" [ "$(fetch /hosts/a)" = '{"rack":12,"roles":["db","web"]}' ]
check "with its type" grep -qi '^content-type: application/json' <(curl -si "$base/hosts/a")
check "nothing is 404" [ "$(curl -so /dev/null -w '%{http_code}' "$base/hosts/b")" = 404 ]
check "a failure is 500" [ "$(curl -so /dev/null -w '%{http_code}' "$base/hosts/a?fail=1")" = 500 ]
check "and is logged with file and line" grep -q "policy.lua:4: told to" "$log"
check "an asset by another name" [ "$(fetch /pub/file)" = asset ]
check "it comes before moonboot's own" [ "$(fetch '/boot.ipxe?serial=S')" = "mine: S" ]
check "but not before health" [ "$(fetch /healthz)" = ok ]
stop_service

# Every example of the reference, with the files that it speaks of.
readme=$site/readme
cp -r "$top/tests/lua/readme" "$readme"
awk -v dir="$readme" '
    /^```lua$/ { file = sprintf("%s/example%02d.lua", dir, ++n); next }
    /^```yaml$/ { getline first; file = dir (first ~ /^#cloud-config/ ? "/worker.yaml" : first ~ /^key:/ ? "/listed.yaml" : "/hosts.yaml"); print first >file; next }
    /^```/ { file = ""; next }
    file { print >file }' "$top/lua/README.md"
examples=$(find "$readme" -name 'example*.lua' | wc -l)
check "the reference has examples" [ "$examples" -gt 10 ]
check "all are good" "$BUILD/moonboot" check "$readme"/example*.lua

(cd "$site" && "$BUILD/moonboot" stubs >/dev/null)
check "stubs are written" cmp "$site/.luals/moonboot.lua" "$top/examples/.luals/moonboot.lua"
check "with settings that find them" grep -q '"workspace.library": \[".luals"\]' "$site/.luarc.json"

finish
