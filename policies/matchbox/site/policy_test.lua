-- matchbox's endpoints, byte for byte.

local NODE1 = "?uuid=abc&mac=52-54-00-a1-9c-ae&os=installed&serial="
local UNKNOWN = "?mac=52:54:00:00:00:01"

local function page(name, get, expect)
  if expect.status == nil then
    expect.status = 200
  end
  test(name) { get = get, expect = expect }
end

local function missing(name, get)
  page(name, get, { status = 404, body = "404 page not found\n", type = "text/plain; charset=utf-8" })
end

page("home", "/", { body = "matchbox\n" })

for _, path in ipairs { "/boot.ipxe", "/boot.ipxe.0", "/boot.ipxe?carried=1" } do
  page("iPXE is asked who it is: " .. path, path, { body = [=[
#!ipxe
chain ipxe?uuid=${uuid}&mac=${mac:hexhyp}&domain=${domain}&hostname=${hostname}&serial=${serial}
]=] })
end

--- Boot configs --------------------------------------------------------------------------

page("iPXE: the group with most selectors", "/ipxe" .. NODE1, { body = [=[
#!ipxe
kernel http://mirror.example.com/vmlinuz root=/dev/vda1 quiet
initrd http://mirror.example.com/initrd.img
initrd /assets/extra.img
boot
]=] })

page("iPXE: the group without selectors takes the others", "/ipxe" .. UNKNOWN, { body = [=[
#!ipxe
kernel /assets/fedora-coreos/live-kernel-x86_64 initrd=main coreos.inst.install_dev=/dev/vda ]=] .. [=[
coreos.inst.ignition_url=http://matchbox.example.com:8080/ignition?uuid=${uuid}&mac=${mac:hexhyp} console=ttyS0
initrd --name main /assets/fedora-coreos/live-initramfs.x86_64.img
boot
]=] })

for _, query in ipairs { "os=installed&zone=a", "os=installed&zone=a&row=1", "row=1&zone=a&os=installed&zone=b" } do
  page("iPXE: among as many selectors, the last by its text, the first file: " .. query, "/ipxe?" .. query, {
    body = "#!ipxe\nkernel /assets/vmlinuz\nboot\n",
  })
end

page("GRUB", "/grub" .. NODE1, { body = [=[
default=0
fallback=1
timeout=1
menuentry "CoreOS (EFI)" {
echo "Loading kernel"
linuxefi "http://mirror.example.com/vmlinuz" root=/dev/vda1 quiet
echo "Loading initrd"
initrdefi  "http://mirror.example.com/initrd.img" "/assets/extra.img"
}
menuentry "CoreOS (BIOS)" {
echo "Loading kernel"
linux "http://mirror.example.com/vmlinuz" root=/dev/vda1 quiet
echo "Loading initrd"
initrd  "http://mirror.example.com/initrd.img" "/assets/extra.img"
}
]=] })

for _, path in ipairs { "/ipxe", "/grub" } do
  missing("a profile without boot has no " .. path, path .. "?zone=d")
  missing("a group whose profile is not there has no " .. path, path .. "?zone=c")
end

--- Documents -----------------------------------------------------------------------------

page("Ignition is read by 3.3.0 and written anew", "/ignition" .. UNKNOWN, {
  type = "application/json",
  body = '{"ignition":{"config":{"replace":{"verification":{}}},"proxy":{},"security":{"tls":{}},"timeouts":{},'
    .. '"version":"3.3.0"},"kernelArguments":{},'
    .. '"passwd":{"users":[{"name":"core","sshAuthorizedKeys":["ssh-ed25519 AAAA admin"]}]},'
    .. '"storage":{"disks":[{"device":"/dev/vda","partitions":[{"label":"root","sizeMiB":8192}],"wipeTable":true}],'
    .. '"files":[{"group":{},"path":"/etc/hostname","user":{},"contents":{"source":"data:,node1","verification":{}},'
    .. '"mode":420}]},'
    .. [=["systemd":{"units":[{"contents":"[Service]\nExecStart=/usr/bin/curl -d ok ]=]
    .. [=['http://matchbox.example.com/done?a=1\u0026b=\u003c2\u003e'\n","enabled":true,]=]
    .. '"name":"installer.service"}]}}',
})

page("Ignition in a file .ignition", "/ignition" .. NODE1, {
  body = '{"ignition":{"config":{"merge":[{"source":"http://matchbox.example.com/generic",'
    .. '"verification":{"hash":"sha256-abc"}}],"replace":{"verification":{}}},"proxy":{},"security":{"tls":{}},'
    .. '"timeouts":{},"version":"3.3.0"},"kernelArguments":{"shouldExist":["net.ifnames=0"]},"passwd":{},'
    .. '"storage":{},"systemd":{}}',
})

page("Ignition of another version goes out as it is", "/ignition?zone=d", {
  body = '{"ignition":{"version":"2.3.0"},  "networkd":{}}\n', type = "application/json",
})

page("Butane is named, and what to do", "/ignition?zone=b", {
  status = 501, body = contains { "matchbox/ignition/butane.yaml", "butane matchbox/ignition/butane.yaml > " },
})

missing("no Ignition without a profile", "/ignition?zone=c")
missing("no Ignition that the profile does not name", "/ignition?os=installed&zone=a")

page("cloud-config: fields, nested fields, range, if, index, trimming", "/cloud" .. NODE1, {
  type = "text/plain; charset=utf-8", body = [=[
#cloud-config
hostname: node1.example.com
coreos:
  etcd2:
    name: node1
    peers: "first=10.0.0.11 second=10.0.0.12 "
ssh_authorized_keys:
  - ssh-ed25519 AAAA admin
  - ssh-ed25519 BBBB ops
]=] })

page("a script", "/cloud?zone=b", { body = '#!/bin/sh\necho "zone=b"\n' })
missing("cloud: neither #cloud-config nor a script", "/cloud?os=installed&zone=a")
missing("cloud: no template", "/cloud" .. UNKNOWN)

page("generic: selectors, metadata, query", "/generic" .. NODE1 .. "&foo=a%20b+c", { body = [=[
# setup
query   uuid=abc&mac=52-54-00-a1-9c-ae&os=installed&serial=&foo=a%20b+c
mac     52:54:00:a1:9c:ae
name    node1.example.com (52:54:00:a1:9c:ae, 0.25, 1.5e+06)
foo     a b c
]=] })

page("generic: with, else, printf", "/generic" .. UNKNOWN, { body = [=[
# setup
query   mac=52:54:00:00:00:01
mac     52:54:00:00:00:01
stream  stable  | 3
no foo
]=] })

page("a document in another directory", "/generic?zone=d", { body = '#!/bin/sh\necho "zone=d"\n' })
missing("generic: a key that is missing fails", "/generic")
missing("generic: a mac that is none is no query parameter", "/generic?mac=52-54")
missing("generic: a template that does not parse", "/generic?os=installed&zone=a")
missing("generic: a template that is not there", "/generic?zone=b")

page("metadata: names in capitals, nested ones joined; lists and nulls are left out", "/metadata" .. NODE1, {
  type = "plain/text", body = [=[
BYTES=1.5e+06
DOMAIN_NAME=node1.example.com
ETCD_NAME=node1
ETCD_PEERS_FIRST=10.0.0.11
ETCD_PEERS_SECOND=10.0.0.12
MAC=52:54:00:a1:9c:ae
OS=installed
REBOOT=true
REQUEST_QUERY_MAC=52:54:00:a1:9c:ae
REQUEST_QUERY_OS=installed
REQUEST_QUERY_SERIAL=
REQUEST_QUERY_UUID=abc
REQUEST_RAW_QUERY=uuid=abc&mac=52-54-00-a1-9c-ae&os=installed&serial=
WEIGHT=0.25
]=] })

page("metadata: of a group whose profile is not there", "/metadata?zone=c", {
  body = "REQUEST_QUERY_ZONE=c\nREQUEST_RAW_QUERY=zone=c\nZONE=c\n",
})

--- The rest ------------------------------------------------------------------------------

page("assets", "/assets/fedora-coreos/live-kernel-x86_64", {
  asset = "fedora-coreos/live-kernel-x86_64", status = false,
})
page("no other path", "/nothing", { status = 404 })

test "any machine is sent here: there is a group without selectors" {
  given  = { mac = "52:54:00:00:00:01", arch = "bios", stage = "dhcp" },
  expect = { rule = "matchbox", boot = "chain", dhcp = { file = "undionly.kpxe" } },
}

test "iPXE is sent to the script" {
  given  = { mac = "52:54:00:00:00:01", arch = "efi-x64", firmware = "ipxe", stage = "dhcp" },
  expect = { dhcp = { file = "http://10.0.0.2:8080/boot.ipxe" } },
}
