#!/usr/bin/env bash
# Boots real UEFI firmware over HTTPS: OVMF fetches its boot program from moonboot by a certificate
# of an authority that is enrolled in it, and not by one of any other. Logs: build/lab/NAME/.
set -eu
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/e2e/lab.sh
. "$here/lab.sh"
# shellcheck source=tests/e2e/guest.sh
. "$here/guest.sh"
# shellcheck source=tests/e2e/boots.sh
. "$here/boots.sh"

if [ -z "${LAB_INSIDE:-}" ]; then
    why=$(lab_missing)
    if [ -n "$why" ]; then
        echo "skipped: $why"
        echo "0 passed, 0 failed, 1 skipped"
        exit 0
    fi
    [ -x "$MOONBOOT" ] || { echo "$MOONBOOT is not there: make it first" >&2; exit 2; }
    guest_build
    lab_enter "${BASH_SOURCE[0]}" "$@"
    exit
fi

mkdir -p "$LAB_DIR"
site=$LAB_DIR/site
rm -rf "$site"
site_write "$site" policy.lua

# authority NAME: a certificate that signs others, in $site/NAME.pem; and NAME.esl, the list of one
# that firmware is given (UEFI 2.10, 32.4.1: EFI_SIGNATURE_LIST of EFI_CERT_X509_GUID).
authority() {
    openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj "/CN=$1" -keyout "$site/$1.key" -out "$site/$1.pem" 2> /dev/null
    openssl x509 -in "$site/$1.pem" -outform DER -out "$site/$1.der"
    python3 -c '
import struct, sys, uuid
der = open(sys.argv[1], "rb").read()
x509 = uuid.UUID("a5c059a1-94e4-4aa7-87b5-ab155c2bf072").bytes_le
owner = uuid.UUID("11111111-2222-3333-4444-555555555555").bytes_le
entry = owner + der
sys.stdout.buffer.write(x509 + struct.pack("<III", 28 + len(entry), 0, len(entry)) + entry)' "$site/$1.der" > "$site/$1.esl"
}

authority site
authority other
openssl req -newkey rsa:2048 -nodes -subj "/CN=10.0.0.2" -keyout "$site/server.key" -out "$site/server.csr" 2> /dev/null
openssl x509 -req -in "$site/server.csr" -CA "$site/site.pem" -CAkey "$site/site.key" -CAcreateserial -days 30 \
    -extfile <(echo "subjectAltName=IP:10.0.0.2") -out "$site/server.pem" 2> /dev/null
chmod 600 "$site/server.key"
sed -i 's|^http: .*|http: { listen: ["0.0.0.0:8080"], assets: assets, tls: { listen: ["0.0.0.0:8443"], cert: server.pem, key: server.key } }|' "$site/site.yaml"
cp /usr/lib/ipxe/snponly.efi "$site/assets/"
cat > "$site/policy.lua" << 'LUA'
-- iPXE as Debian builds it knows no HTTPS: what the firmware fetches does.
dhcp { programs = { ["efi-x64-http"] = "snponly.efi" } }
profile "guest" {
  kernel = "vmlinuz", initrd = "initrd.img", args = { "console=ttyS0,115200n8", "quiet", "by=https" },
}
rule "firmware" {
  match = { firmware = "http" }, boot = "guest",
  dhcp  = { file = "https://10.0.0.2:8443/assets/snponly.efi" },
}
rule "guests" { match = { mac = prefix "52:54:00" }, boot = "guest" }
LUA
chmod a+r "$site/policy.lua"

lab_network
if ! boot_server_start "$site"; then
    not_ok "moonboot starts" "$(cat "$BOOT_LOG")"
    finish
    exit
fi
ok "moonboot starts"
dhcp_start dnsmasq

# shellcheck disable=SC2034 # for guest_start
GUEST_MORE=(-cpu max -device virtio-rng-pci -fw_cfg "name=etc/edk2/https/cacerts,file=$site/site.esl")
mac=$(random_mac)
boots uefi-https uefi-http "$mac" "$(random_uuid)" "console=ttyS0,115200n8 quiet by=https"
check "uefi-https: the firmware's requests went to the port of HTTPS" \
    capture_shows "$dir/net.pcap" "tcp dst port 8443" "Flags"
check_not "uefi-https: and none of them in the clear" \
    capture_shows "$dir/net.pcap" "tcp dst port 8080" "UefiHttpBoot"

GUEST_MORE=(-cpu max -device virtio-rng-pci -fw_cfg "name=etc/edk2/https/cacerts,file=$site/other.esl")
mac=$(random_mac)
power_on uefi-https-other uefi-http "$mac" "$(random_uuid)" "Server response timeout|error|Error|Shell>|failed" || true
check "uefi-https-other: the firmware came, and found another authority's certificate" \
    capture_shows "$dir/net.pcap" "tcp dst port 8443" "Flags"
check_not "uefi-https-other: and ran nothing of it" grep -qa "iPXE" "$dir/console"
check_not "uefi-https-other: nor asked in the clear" capture_shows "$dir/net.pcap" "tcp dst port 8080" .

finish
