#!/bin/bash
# What machines may have: tokens in the URLs of documents.
# shellcheck disable=SC2317,SC2119 # functions are called by check
set -u
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/e2e/lib.sh
. "$here/lib.sh"

one=52:54:00:00:00:01 two=52:54:00:00:00:02

answer() { # answer URL [CURL…]: status and body
    curl -s --path-as-is --max-time 10 -w '%{http_code}' "$@"
}
told() { # told MAC NAME [CURL…]: the URL that the machine's arguments have by that name
    local mac=$1 name=$2
    shift 2
    curl -sf --max-time 10 "$@" "$base/ipxe?mac=$mac&platform=efi&buildarch=x86_64" |
        grep -o " $name=[^ ]*" | cut -d = -f 2-
}
gives() { # gives TEXT URL [CURL…]
    local text=$1
    shift
    [ "$(answer "$@")" = "$text
200" ]
}
refused() { # refused URL [CURL…]: as all that is refused
    [ "$(answer "$@")" = "403 Forbidden: a valid token is needed
403" ]
}
tokens() { # tokens YAML: with these settings
    write_site
    echo "tokens: { $1 }" >>"$site/site.yaml"
}
reload() { # reload WANTED: sends SIGHUP, waits for a log line
    local before
    before=$(wc -l <"$log")
    kill -HUP "$service"
    wait_for "$1 (reload)" 10 sh -c "tail -n +$((before + 1)) '$log' | grep -q '$1'"
}

make_site
cat >"$site/policy.lua" <<'LUA'
profile "p" {
  kernel = "vmlinuz",
  args   = { "file={{config 'cloud/user-data'}}", "dir={{config 'cloud/'}}" },
  config = { ["cloud/user-data"] = "secret of {{mac}}\n", ["cloud/meta-data"] = "id {{mac}}\n", other = "other\n" },
}
rule "all" { match = { mac = prefix "52:54:00" }, boot = "p" }
LUA
start_service

url=$(told $one file) dir=$(told $one dir) foreign=$(told $two file)
check "the URL needs no escapes" grep -qE "^$base/config/[~A-Za-z0-9=:./_-]+$" <<<"$url"
check "a machine has its document" gives "secret of $one" "$url"
check "and what is beside it" gives "id $one" "${dir}meta-data"
check "a machine's token for another machine" refused "${url/$one/$two}"
check "another machine's token" refused "${url%%~token=*}~token=${foreign##*~token=}"
check "a token for another document" refused "${url%user-data}meta-data"
check "a token for a directory, for what is above" refused "${dir%cloud/}other"
check "a token for a document that there is not" refused "${url%user-data}nothing"
check "no token" refused "${url%%~token=*}/cloud/user-data"
check "no token, by query" refused "$base/config/cloud/user-data?mac=$one"
check "no token, and no such document" refused "$base/config/nothing?mac=$one"
check "a token cut short" refused "${url/~token=??/~token=}"
check "a token in capitals" refused "$(sed 's/\(~token=.*\)\(\/cloud\)/\U\1\L\2/; s/~TOKEN/~token/' <<<"$url")"
check "a fact that the token does not cover counts for nothing" gives "secret of $one" "$url?serial=X"
check "HEAD with a wrong token" [ "$(curl -sI -o /dev/null -w '%{http_code}' "${url/$one/$two}")" = 403 ]
check "a refusal says why in the log" grep -q "error=\"127.0.0.1 asked for cloud/meta-data: the token is forged" "$log"
check "and that there was none" grep -q 'asked for nothing: there is no token' "$log"
check "from another address: good where it is not pinned" gives "secret of $one" "$url" --interface 127.0.0.2

reload ready
check "a reload: the service's own key stays" gives "secret of $one" "$url"

tokens "pin: true"
echo 'log: { level: debug }' >>"$site/site.yaml"
reload ready
url=$(told $one file)
check "pinned: from the address that asked" gives "secret of $one" "$url"
check "pinned: a stolen URL" refused "$url" --interface 127.0.0.2

check "no token is logged" sh -c "grep -q '~token=•••/cloud/user-data 403' '$log' && ! grep -q 'token=[0-9a-f]' '$log'"

tokens "lifetime_s: 1"
reload ready
url=$(told $one file)
check "for a second: good" gives "secret of $one" "$url"
sleep 2.1
check "after it: refused" refused "$url"
check "after it: the log says so" grep -q 'the token has expired' "$log"
check "told anew: good" gives "secret of $one" "$(told $one file)"

tokens "required: false"
reload ready
check "optional: none is needed" gives "secret of $one" "$base/config/cloud/user-data?mac=$one"
check "optional: a wrong one is refused" refused "${url/$one/$two}"

openssl rand -hex 32 >"$site/key"
chmod 600 "$site/key"
tokens "key: key"
reload ready
url=$(told $one file)
check "a key of a file: good" gives "secret of $one" "$url"
{ openssl rand -hex 32 && cat "$site/key"; } >"$site/new" && mv "$site/new" "$site/key"
chmod 600 "$site/key"
reload ready
check "rotation: what was told before stays good" gives "secret of $one" "$url"
fresh=$(told $one file)
check "rotation: the new key makes the next" [ "${fresh##*~token=}" != "${url##*~token=}" ]
sed -i 2d "$site/key"
reload ready
check "rotation: the old key is gone" refused "$url"
check "rotation: the new one stays" gives "secret of $one" "$fresh"
chmod 644 "$site/key"
reload refused
check "a key that everyone can read is refused" grep -q 'site.yaml:[0-9]*:[0-9]*: `tokens.key: key`: everyone on this host can read' "$log"
chmod 600 "$site/key"
echo nonsense >>"$site/key"
reload refused
check "a key that is none is refused, with its line" grep -q 'key:2: expected a key of 64 hexadecimal digits' "$log"
check "what serves goes on" gives "secret of $one" "$fresh"

# --- good once ---------------------------------------------------------------------------------

cat >"$site/policy.lua" <<'LUA'
profile "p" {
  kernel = "vmlinuz",
  args   = { "key={{config 'join.key'}}", "open={{config 'open'}}", "told={{event('told', 'once')}}" },
  config = { ["join.key"] = { "key of {{mac}}\n", once = true }, open = "open\n" },
}
rule "all" { match = { mac = prefix "52:54:00" }, boot = "p" }
on("told", function(machine) state.update("count", function(n) return (n or 0) + 1 end) end)
serve "/count" (function() return tostring(state.get "count" or 0) .. "\n" end)
LUA
openssl rand -hex 32 >"$site/key"
chmod 600 "$site/key"
tokens "key: key, grace_s: 3"
echo 'state: { path: state }
signing: { key: sign.key }
log: { level: debug }' >>"$site/site.yaml"
(cd "$site" && "$BUILD/moonboot" keygen -q -W sign)
reload ready
posts() { # posts TEXT URL [CURL…]
    local text=$1
    shift
    [ "$(answer -X POST "$@")" = "$text
200" ]
}
url=$(told $one key) other=$(told $one key) event=$(told $one told) foreign=$(told $two key)
check "once: each that is told is another one" [ "$url" != "$other" ]
check "once: HEAD uses nothing" [ "$(curl -sI -o /dev/null -w '%{http_code}' "$url")" = 200 ]
check "once: of another machine" refused "${url/$one/$two}"
check "once: another machine's token" refused "${url%%~token=*}~token=${foreign##*~token=}"
check "once: for another document" refused "${url%join.key}open"
check "once: a URL that is not good once is not good for it" refused "$(sed 's,/open$,/join.key,' <<<"$(told $one open)")"
check "once: given" gives "key of $one" "$url"
check "once: from another address it is used" refused "$url" --interface 127.0.0.2
check "once: HEAD says so too" [ "$(curl -sI -o /dev/null -w '%{http_code}' --interface 127.0.0.2 "$url")" = 403 ]
check "once: again, an answer that was lost" gives "key of $one" "$url"
check "once: again, asked for a part" gives "key of $one" "$url" -r 4-
check "once: its signature" [ "$(curl -s -o /dev/null -w '%{http_code}' "$url.minisig")" = 200 ]
check "once: an event" posts ok "$event"
check "once: an event whose answer was lost" posts ok "$event"
check "once: from another address" refused "$event" -X POST --interface 127.0.0.2
check "once: it was taken in once" gives 1 "$base/count"
# Of many who ask at once, in both workers, from other addresses each, one is given it.
url=$(told $one key)
: >"$site/won"
racers=()
for i in $(seq 3 22); do
    curl -s --interface "127.0.0.$i" --max-time 10 "$url" >>"$site/won" &
    racers+=($!)
done
wait "${racers[@]}"
check "once: one of twenty who race" [ "$(grep -c "key of" "$site/won")" = 1 ]
sleep 4.1
check "once: for who used it, too" refused "$event" -X POST
check "once: the log says who was first" grep -qE "127.0.0.1 posted told: the token was used already, by 127.0.0.1" "$log"
url=$(told $one key)
check "once: told anew" gives "key of $one" "$url"
sleep 4.1
stop_service
start_service
check "once: a restart does not forget" refused "$url"
check "once: what was told before, and not used, is good" gives "key of $one" "$other"
check "once: what was used can be seen" sh -c "cd '$site' && '$BUILD/moonboot' state list spent/ | grep -q 'spent/[0-9a-f]*/join.key'"

finish
