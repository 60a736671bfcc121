#!/bin/bash
# What the service remembers: done once by all workers, over restarts and kills, on a disk that is
# full; and `moonboot state`.
set -u
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/e2e/lib.sh
. "$here/lib.sh"

make_site
echo 'state: { path: state, stages: false }' >>"$site/site.yaml"
cat >"$site/policy.lua" <<'LUA'
profile "el9" { kernel = "el9/vmlinuz", args = { "done={{event 'installed'}}", "more={{event 'more'}}" } }
on("more", function(machine, event)
  assert(state.set("more/" .. event.params.n, ("x"):rep(tonumber(event.params.size or 1))))
end)
rule "once" { boot = once { "el9", done_on = "installed", then_boot = deny "has been installed" } }
serve "/get" (function(request) return json.encode(state.get(request.query.key) or json.null) end)
LUA

script() { # script MAC: what it boots; of a connection of its own, so that workers take turns
    fetch "/ipxe?mac=$1"
}
event() { # event MAC NAME: the URL for it
    script "$1" | grep -o "http://[^ ]*/event/$2[^ ]*" | head -1
}
installs() { # installs MAC: every worker says so
    local i
    for i in 1 2 3 4 5 6; do
        script "$1" | grep -q '/el9/vmlinuz' || return 1
    done
}
is_done() {
    local i
    for i in 1 2 3 4 5 6; do
        script "$1" | grep -q 'has been installed' || return 1
    done
}
status_of() { # status_of METHOD URL
    curl -so /dev/null --max-time 10 -w '%{http_code}' -X "$1" "$2"
}
state() {
    "$BUILD/moonboot" state -c "$site/site.yaml" "$@"
}

check "before the first start the list is empty" [ "$(state list 2>&1; echo $?)" = 0 ]
check "and there is no key" [ "$(state get state/a 2>&1; echo $?)" = "moonboot state: there is no state/a
1" ]
check "and no directory" [ ! -e "$site/state" ]
check "a key may be set" state set state/early 1
owner=$(id -un)
[ "$owner" = root ] && owner=$(sed -n 's/^user: *//p' "$site/site.yaml")
check "the directory is made as the service makes it" [ "$(stat -c '%a %U' "$site/state")" = "700 $owner" ]
check "and the key is there" [ "$(state list)" = "state/early	1" ]
start_service
check "the service takes it" [ "$(state get state/early)" = 1 ]
stop_service
check "a key is deleted" state delete state/early
rm -r "$site/state"
check "keys may be imported" sh -c "echo '{\"key\":\"state/x\",\"value\":2}' | '$BUILD/moonboot' state -c '$site/site.yaml' import"
check "and are there" [ "$(state get state/x)" = 2 ]
check "and go" state delete state/x

one=52:54:00:00:00:01 two=52:54:00:00:00:02
start_service
check "a new machine is installed, however often it asks" installs $one
url=$(event $one installed)
check "a GET is no event" [ "$(status_of GET "$url")" = 405 ]
check "nor is one without a token" [ "$(status_of POST "${url%%\?*}?token=~mac=$one")" = 403 ]
check "or with another's" [ "$(status_of POST "${url/00:01/00:02}")" = 403 ]
check "or another event's" [ "$(status_of POST "${url/installed/reinstall}")" = 403 ]
check "nothing of these has changed anything" installs $one
check "its own is taken in" [ "$(status_of POST "$url")" = 200 ]
check "and again" [ "$(status_of POST "$url")" = 200 ]
check "it is done, for all workers" is_done $one
check "for that machine alone" installs $two

ask_service() {
    local command=$1
    shift
    "$BUILD/moonboot" "$command" -c "$site/site.yaml" "$@"
}
check "an operator has it reinstalled" ask_service event reinstall $one
check "by all workers" installs $one
check "and says that it is done" ask_service event installed $one
check "which is taken in" is_done $one
check "an event for nobody is refused" [ "$(ask_service event reinstall x 2>/dev/null; echo $?)" = 1 ]
check "machines lists it" grep -q "^$one  *.* installed by an operator" <(ask_service machines)
check "with all that has happened" [ "$(ask_service machines $one | grep -c ' installed\| reinstall')" = 4 ]
check "as JSON too" grep -q '"from":"operator"' <(ask_service machines --json $one)

check "a value from the command line" state set state/a '{"n":[1,2,3]}'
check "is read by the policy at once" [ "$(fetch '/get?key=a')" = '{"n":[1,2,3]}' ]
check "and by the command line" [ "$(state get state/a)" = '{"n":[1,2,3]}' ]
check "one with an end" state set state/b 1 --ttl 1
check "is there" [ "$(fetch '/get?key=b')" = 1 ]
check "what is no JSON is not taken" [ "$(state set state/c '{' 2>/dev/null; echo $?)" = 2 ]
check "the list has keys in order" [ "$(state list | cut -f1 | paste -sd' ')" = "machine/$one once/installed/mac/$one state/a state/b" ]
check "a prefix shortens it" [ "$(state list once/ | wc -l)" = 1 ]
state export >"$site/exported"
has_ended() {
    [ "$(fetch '/get?key=b')" = null ]
}
wait_for "what has ended is gone" 5 has_ended
check "delete" state delete "once/installed/mac/$one"
check "is to be installed again" installs $one
check "there is nothing to delete" [ "$(state delete state/nonesuch 2>/dev/null; echo $?)" = 1 ]
check "import brings it back" state import <"$site/exported"
check "as it was" is_done $one
check "and not what has ended since" [ "$(fetch '/get?key=b')" = null ]
check "a wrong line is named" grep -q '^moonboot state: line 2: ' \
    <(printf '{"key":"state/x","value":1}\n{"kee":1}\n' | state import 2>&1)
if [ "$(id -u)" = 0 ]; then
    check "what root has written is the workers' still" [ "$(stat -c %U "$site/state/data.mdb")" = nobody ]
fi

kill -9 "$(pgrep -P "$service" | tail -1)"
wait_for "after a worker is killed it is remembered" 10 is_done $one
stop_service
check "it can be read while nothing runs" [ "$(state get state/a)" = '{"n":[1,2,3]}' ]
start_service
check "and after a restart it is done" is_done $one

# All of it is killed while events come in: those that were taken are there.
more=$(event $two more)
seq 1 5000 | xargs -P 4 -I{} curl -so /dev/null --max-time 5 -X POST -w '{} %{http_code}\n' "$more&n=k{}" >"$site/taken" 2>/dev/null &
posts=$!
many() { [ "$(grep -c ' 200$' "$site/taken")" -ge 200 ]; }
wait_for "many events come in" 20 many
# shellcheck disable=SC2046 # a list of processes
kill -9 "$service" $(pgrep -P "$service")
wait "$service" 2>/dev/null
kill $posts 2>/dev/null
wait $posts 2>/dev/null
taken=$(sed -n 's/^\([0-9]*\) 200$/\1/p' "$site/taken" | sort)
state list state/more/k | sed 's/^state.more.k\([0-9]*\)\t"x"$/\1/' | sort >"$site/kept"
check "after kill -9 of all, each of $(wc -l <<<"$taken") that were taken is there" \
    [ -z "$(comm -23 - "$site/kept" <<<"$taken")" ]
check "and none is half there" [ "$(grep -c '[^0-9]' "$site/kept")" = 0 ]
start_service

# A disk that is full.
if [ "$(id -u)" = 0 ]; then
    mkdir "$site/small"
    if mount -t tmpfs -o size=400k,mode=755 tmpfs "$site/small" 2>/dev/null; then
        stop_service
        sed -i 's/^state: .*/state: { path: small\/state }/' "$site/site.yaml"
        start_service
        more=$(event $one more)
        check "there is room at first" [ "$(status_of POST "$more&n=0")" = 200 ]
        status=200
        for n in 1 2 3 4 5 6 7 8 9 10 11 12; do
            [ $status = 200 ] && status=$(status_of POST "$more&n=$n&size=60000")
        done
        check "then an event is not taken in" [ "$status" = 500 ]
        check "and the log says why" grep -qE 'the disk fails, or is full|No space left on device' "$log"
        check "what was written is there" [ "$(fetch '/get?key=more/0')" = '"x"' ]
        check "and the service decides as ever" installs $one
        failed=$(fetch /metrics | sed -n 's/^moonboot_decision_errors_total //p')
        check "it is counted" [ "${failed:-0}" -ge 1 ]
        mount -o remount,size=4m "$site/small"
        wait_for "when there is room again, events are taken in" 5 sh -c "[ \$(curl -s -o /dev/null -w '%{http_code}' -X POST '$more&n=99') = 200 ]"
        check "and what they change is there" [ "$(fetch '/get?key=more/99')" = '"x"' ]
        check "no worker has died of it" grep -q '^moonboot_workers_restarted_total 0' <(fetch /metrics)
        stop_service
        umount "$site/small"
    else
        skip "a disk that is full" "cannot mount here"
    fi
else
    skip "a disk that is full" "needs root"
fi

# A policy that wants a store is not served without.
sed -i '/^state:/d' "$site/site.yaml"
"$BUILD/moonboot" serve -c "$site/site.yaml" >"$site/out" 2>&1 &
wait $!
check "without a store such a policy is refused" grep -q 'write `state: { path: … }` into site.yaml' "$site/out"
finish
