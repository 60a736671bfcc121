#!/usr/bin/env bash
# Compares policies/dnsmasq with dnsmasq: both read the same configuration, as proxies on one
# network, and are asked the same by the same machines (dnsmasq_policy.py). The policy's own
# example first, then random configurations.
#
#   dnsmasq_policy.sh [COUNT [SEED]]
set -eu
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/e2e/lab.sh
. "$here/lab.sh"
# shellcheck source=tests/e2e/boots.sh
. "$here/boots.sh"

if [ -z "${LAB_INSIDE:-}" ]; then
    why=$(lab_missing)
    command -v python3 > /dev/null || why=${why:-python3 is not installed (make deps)}
    if [ -n "$why" ]; then
        echo "skipped: $why"
        echo "0 passed, 0 failed, 1 skipped"
        exit 0
    fi
    [ -x "$MOONBOOT" ] || { echo "$MOONBOOT is not there: make it first" >&2; exit 2; }
    lab_enter "${BASH_SOURCE[0]}" "$@"
    exit
fi

count=${1:-10}
seed=${2:-1}
dir=$LAB_DIR/dnsmasq-policy
policy=$LAB_ROOT/policies/dnsmasq/test

# both CONF: dnsmasq and moonboot by it, and what they say to every machine.
both() {
    cp "$1" "$dir/dnsmasq.conf"
    # The paths of dnsmasq's own host: moonboot takes the last part of them.
    sed "s#=/etc/dnsmasq.d/#=$dir/#; s#=/srv/tftp#=$dir#" "$1" > "$dir/real.conf"
    lab_spawn dhcp dnsmasq --keep-in-foreground --user=root --log-facility=- --log-dhcp --pid-file \
        --dhcp-leasefile="$dir/leases" --conf-file="$dir/real.conf" > "$dir/dnsmasq.log" 2>&1
    local dnsmasq=$LAB_PID status=0
    if ! lab_wait_for 5 "started" cat "$dir/dnsmasq.log"; then
        sed 's/^/#   /' "$dir/dnsmasq.log"
        return 1
    fi
    if [ -z "${BOOT_PID:-}" ]; then
        boot_server_start "$dir"
    else
        boot_server_reload " ready"
    fi && lab_in pc python3 "$here/dnsmasq_policy.py" compare 10.0.0.1 10.0.0.2 eth0 10.0.0.50 || status=1
    [ "$status" = 0 ] || boot_server_said | grep -E "conf:|lua:" | sed 's/^/#   /' || true
    lab_stop "$dnsmasq"
    return "$status"
}

rm -rf "$dir"
mkdir -p "$dir"
cp "$policy/policy.lua" "$policy/more.conf" "$dir/"
printf 'policy: policy.lua\nuser: nobody\nworkers: 1\nhttp: { listen: ["0.0.0.0:8080"] }\n' > "$dir/site.yaml"
chmod -R a+rX "$dir"
lab_network
ip -n pc address add 10.0.0.50/24 dev eth0

check "the policy's own example" both "$policy/dnsmasq.conf"
for ((n = seed; n < seed + count; n++)); do
    python3 "$here/dnsmasq_policy.py" write "$n" "$dir/random.conf"
    check "random configuration $n" both "$dir/random.conf"
done
boot_server_stop
finish
