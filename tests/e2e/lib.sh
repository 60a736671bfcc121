# Shared by the end-to-end scripts: a service on loopback high ports, and checks.
# shellcheck shell=bash

# As root each script has a loopback of its own, so that no other service is in its way.
if [ "$(id -u)" = 0 ] && [ -z "${OWN_NETWORK:-}" ]; then
    OWN_NETWORK=1 exec unshare --net -- bash -c 'ip link set lo up && exec "$@"' - "$0" "$@"
fi

BUILD=${BUILD:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)/build}
BUILD=$(cd "$BUILD" && pwd)
http_port=18080 tftp_port=16969 dhcp_port=16767 boot_port=16711
base=http://127.0.0.1:$http_port
service='' site='' log=''
n_ok=0 n_bad=0 n_skipped=0

check() { # check WHAT COMMAND…
    local what=$1
    shift
    if "$@" >/dev/null 2>&1; then
        echo "ok - $what"
        n_ok=$((n_ok + 1))
    else
        echo "not ok - $what ($*)"
        n_bad=$((n_bad + 1))
    fi
}

skip() { # skip WHAT WHY
    echo "skipped - $1: $2"
    n_skipped=$((n_skipped + 1))
}

wait_for() { # wait_for WHAT SECONDS COMMAND…; PATIENCE: times as long, for what makes all slow
    local what=$1 i
    local tries=$(($2 * ${PATIENCE:-1} * 20))
    shift 2
    for ((i = 0; i < tries; i++)); do
        if "$@" >/dev/null 2>&1; then
            echo "ok - $what"
            n_ok=$((n_ok + 1))
            return 0
        fi
        sleep 0.05
    done
    echo "not ok - $what (waited $((tries / 20)) s: $*)"
    n_bad=$((n_bad + 1))
    return 1
}

fetch() { # fetch PATH
    curl -sf --max-time 10 "$base$1"
}

write_site() {
    cat >"$site/site.yaml" <<YAML
policy: policy.lua
interfaces: [lo]
user: nobody
workers: 2
control: control.sock
dhcp: { enabled: ${dhcp_enabled:-false}, port: $dhcp_port, boot_port: $boot_port }
tftp: { backend: builtin, port: $tftp_port, root: tftp }
http:
  listen: ["127.0.0.1:$http_port"]
  assets: assets
YAML
}

make_site() { # a directory with site.yaml, assets/ and tftp/; the policy is the caller's
    site=$(mktemp -d /tmp/moonboot-e2e-XXXXXX)
    chmod 755 "$site"
    log=$site/log
    mkdir "$site/assets" "$site/tftp"
    write_site
    trap clean_up EXIT
    trap 'exit 1' INT TERM
}

start_service() { # start_service [PREFIX…]: in the background; waits until it serves
    : >"$log"
    "$@" "$BUILD/moonboot" serve -c "$site/site.yaml" 2>>"$log" &
    service=$!
    wait_for "the service is ready" 20 grep -q ready "$log" || {
        cat "$log"
        exit 1
    }
}

stop_service() {
    [ -z "$service" ] && return
    kill -TERM "$service" 2>/dev/null
    wait "$service" 2>/dev/null
    service=
}

clean_up() {
    stop_service
    if [ "$n_bad" -gt 0 ] && [ -f "$log" ]; then
        echo "# the service's log:"
        tail -n 60 "$log" | sed 's/^/# /'
    fi
    rm -rf "$site"
}

finish() { # the last line; the exit code
    stop_service
    if grep -E 'ERROR: (Address|Leak)Sanitizer|runtime error:' "$log"; then
        echo "not ok - no sanitizer found anything"
        n_bad=$((n_bad + 1))
    fi
    echo "$n_ok passed, $n_bad failed, $n_skipped skipped"
    [ "$n_bad" -eq 0 ]
    exit
}
