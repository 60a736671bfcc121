#!/bin/bash
# The examples that ask another server: NetBox, and a server of Pixiecore's API.
set -u
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/e2e/lib.sh
. "$here/lib.sh"

port=18088
dhcp_enabled=true
make_site
echo 'state: { path: state }' >>"$site/site.yaml"
python3 "$here/apis.py" $port 2>/dev/null &
apis=$!
trap 'kill $apis 2>/dev/null; clean_up' EXIT
wait_for "the APIs answer" 10 curl -sf "http://127.0.0.1:$port/count"
mode() {
    curl -sf -X POST "http://127.0.0.1:$port/mode/$1" >"$site/mode"
}
script() { # script MAC: what it boots
    fetch "/ipxe?mac=$1&arch=efi-x64" >"$site/out"
}
has() {
    grep -qF -- "$1" "$site/out"
}

# --- NetBox ---------------------------------------------------------------------------------
cp "$here"/../../examples/netbox/{policy.lua,netbox.lua,netbox.token,user-data.yaml} "$site"
sed -i "s|http://netbox.lab:8000|http://127.0.0.1:$port|" "$site/policy.lua"
start_service
script 52:54:00:00:00:07
check "a staged device is installed" has "/assets/debian-12/vmlinuz"
check "under its name, with its own arguments" has "hostname=n7 "
check "those of NetBox" has "console=ttyS1"
seed=$(grep -o 'http://[^ ]*/seed/' "$site/out")
curl -sf "${seed}user-data" >"$site/user-data"
check "its user-data has what NetBox says" grep -q '"10.0.0.1"' "$site/user-data"
script 52:54:00:00:00:08
check "an active one starts its disk" has "booting from the local disk"
script 52:54:00:00:00:09
check "one that goes is denied, and told why" has "n9 is decommissioning in NetBox"
script 52:54:00:00:00:0a
check "one without a platform starts its disk" has "booting from the local disk"
check "and the log says why" grep -q 'n10 has no platform in NetBox' "$log"
script 52:54:00:00:00:0b
check "an address of two devices starts the disk" has "booting from the local disk"
script 52:54:00:00:00:99
check "one that NetBox does not know is left alone" has "nothing to boot"
check "by DHCP it is offered what asks again" python3 "$here/dhcp_client.py" 127.0.0.1 $dhcp_port 1 7
installed=$(grep -o 'http://[^"]*/event/installed[^"]*' "$site/user-data")
mode broken
check "while NetBox is broken, the installer is told to try again" \
    [ "$(curl -so /dev/null -w '%{http_code}' -X POST "$installed")" = 500 ]
mode well
check "it does" [ "$(curl -so /dev/null -w '%{http_code}' -X POST "$installed")" = 200 ]
check "and NetBox knows" grep -q '"value": "active"' <(curl -sf -H "Authorization: Token $(cat "$site/netbox.token")" \
    "http://127.0.0.1:$port/api/dcim/devices/7/")
for i in 1 2 3 4 5 6; do
    script 52:54:00:00:00:07
    has "booting from the local disk" || break
done
check "from then on it starts its disk, whichever worker is asked" [ "$i" = 6 ]
stop_service

# --- Pixiecore ------------------------------------------------------------------------------
cp "$here/../../examples/pixiecore-api/policy.lua" "$site"
sed -i "s|http://api.lab:4242|http://127.0.0.1:$port|; s|52:54:00|52:54:01|" "$site/policy.lua"
sed -i '/^state:/d' "$site/site.yaml"
start_service
script 52:54:01:00:00:01
check "a machine boots the API's kernel" has "kernel http://127.0.0.1:$port/static/vmlinuz "
check "and initrd" has "http://127.0.0.1:$port/initrd.img"
check "with its arguments, URLs filled in" has "quiet seed=http://127.0.0.1:$port/seed/n1 ||"
check "and its message stands in the log" grep -q 'the API says: hello' "$log"
script 52:54:01:00:00:02
check "a script is chained to" has "chain --replace --autofree $base/pixiecore/52:54:01:00:00:02/script.ipxe"
check "and is the API's" [ "$(fetch /pixiecore/52:54:01:00:00:02/script.ipxe)" = $'#!ipxe\necho from the API' ]
check "a machine without one has none" [ "$(curl -so /dev/null -w '%{http_code}' $base/pixiecore/52:54:01:00:00:01/script.ipxe)" = 404 ]
script 52:54:01:00:00:03
check "a file of the server's is none of a machine's" has "booting from the local disk"
script 52:54:01:00:00:04
check "who is unknown is left alone" has "nothing to boot"
check "a Pixiecore could ask here in turn" grep -q '"kernel":"http://127.0.0.1:18088/static/vmlinuz"' \
    <(fetch /v1/boot/52:54:01:00:00:01)
mode broken
script 52:54:01:00:00:05
check "a broken API is the disk" has "booting from the local disk"
script 52:54:01:00:00:01
check "but what it said just now will do" has "/static/vmlinuz"
stop_service
finish
