-- dnsmasq.conf files that other sites have, and what of them cannot be followed.

policy "policy.lua"

local function conf(text)
  return { ["dnsmasq.conf"] = text }
end

-- What is wrong with one line of a dnsmasq.conf.
local function refuses(line, problem)
  test("cannot follow " .. line) {
    files  = conf("port=0\n" .. line .. "\n"),
    expect = { problems = { "policies/dnsmasq/test/dnsmasq.conf:2: " .. problem } },
  }
end

local function boots(name, text, given, dhcp)
  given.stage, given.arch = "dhcp", given.arch or "bios"
  test(name) { files = conf(text), given = given, expect = { dhcp = dhcp } }
end

refuses("dhcp-match=175", "dhcp-match: sets no tag")
refuses("dhcp-match=set:x",
        "dhcp-match: cannot follow a match on this option: moonboot is told options 12, 60, 77, 93 and 175")
refuses("dhcp-match=set:x,99",
        "dhcp-match: cannot follow a match on option 99: moonboot is told options 12, 60, 77, 93 and 175")
refuses("dhcp-match=set:x,vendor:PXEClient,1", 'dhcp-match: cannot follow "vendor:PXEClient"')
refuses("dhcp-vendorclass=set:x", "dhcp-vendorclass: wants a tag and a text")
refuses("dhcp-circuitid=set:x", "dhcp-circuitid: wants a tag and a value")
refuses("dhcp-name-match=set:x", "dhcp-name-match: wants a tag and a name")
refuses("dhcp-mac=set:x,52:54:zz:*:*:*", "dhcp-mac: wants a tag and a hardware address, such as 52:54:00:*:*:*")
refuses("dhcp-host=id:01:02,set:x",
        "dhcp-host: knows its machine by a client identifier, which moonboot is not told: add the hardware address")
refuses("dhcp-boot=a.0,b,files", 'dhcp-boot: the server "files" is a name: write its address')
refuses("pxe-service=nothing,Text,file",
        'pxe-service: there is no client system "nothing"; there are x86PC, x86-64_EFI, …, and numbers')
refuses("pxe-service=x86PC", "pxe-service: has no menu text")
refuses("pxe-prompt=tag:x", "pxe-prompt: has no text")
refuses("tag-if=set:x,y", 'tag-if: "y" is neither set:… nor tag:…')
refuses("tag-if=tag:x", "tag-if: sets no tag")
refuses("dhcp-option=vendor:PXEClient,10,x",
        "dhcp-option: cannot follow a vendor option 10 of PXE: use pxe-service and pxe-prompt")
refuses("dhcp-option=option:bootfile-name,x", "dhcp-option: cannot follow option 67: say it by dhcp-boot")
refuses("pxe-new=1", "pxe-new: moonboot knows no such directive")
refuses("conf-file=gone.conf", "conf-file: there is no file gone.conf for the policy to read")
refuses("conf-file=dnsmasq.conf", "conf-file: dnsmasq.conf is read already")
refuses("conf-dir=/etc/gone.d/", "conf-dir: there is no directory gone.d for the policy to read")

test "without its file there is no policy" {
  files  = { ["dnsmasq.conf"] = false },
  expect = { problems = contains "dnsmasq: there is no file dnsmasq.conf for the policy to read" },
}

test "what has nothing to do with network boot is passed over" {
  files = conf [[
    dhcp-match=set:x,option6:client-arch,7
    dhcp-vendorclass=set:x,enterprise:40712,x
    dhcp-range=::1000,::2000,constructor:eth0
    dhcp-range=set:lan
    dhcp-option=vendor:PXEClient,6,2b
    dhcp-option=3,10.0.0.1
    dhcp-pxe-vendor=PXEClient,Acme
    server=10.0.0.1 # and a remark
    address="/a,b#c/10.0.0.2"
    dhcp-boot="a\"b.0"
  ]],
  given  = { mac = "52:54:00:00:00:01", arch = "bios", stage = "dhcp" },
  expect = { dhcp = { file = 'a"b.0' } },
}

test "files of a directory" {
  files = {
    ["dnsmasq.conf"] = "conf-dir=/etc/dnsmasq.d/,*.conf,.bak.conf\nconf-dir=more.d,.off\n"
      .. "dhcp-hostsfile=hosts\ndhcp-optsfile=opts",
    ["dnsmasq.d/a.conf"] = "dhcp-boot=tag:a,a.0\n",
    ["dnsmasq.d/b.bak.conf"] = "pxe-bad\n",
    ["dnsmasq.d/c"] = "pxe-bad\n",
    ["dnsmasq.d/.hidden.conf"] = "pxe-bad\n",
    ["dnsmasq.d/d.conf~"] = "pxe-bad\n",
    ["more.d/b"] = "dhcp-boot=tag:b,b.0\r\n",
    ["more.d/c.off"] = "pxe-bad\n",
    ["hosts"] = "52:54:00:00:00:01,set:a\n52:54:00:00:00:02,set:b\n",
    ["opts"] = "3,10.0.0.1\n",
  },
  cases = {
    { given = { mac = "52:54:00:00:00:01", arch = "bios", stage = "dhcp" }, expect = { dhcp = { file = "a.0" } } },
    { given = { mac = "52:54:00:00:00:02", arch = "bios", stage = "dhcp" }, expect = { dhcp = { file = "b.0" } } },
    { given = { mac = "52:54:00:00:00:03", arch = "bios", stage = "dhcp" }, expect = { dhcp = false } },
  },
}

local relayed = [[
dhcp-circuitid=set:port,00:06:4c:0c
dhcp-remoteid=set:switch,sw12
dhcp-boot=plain.0
dhcp-boot=tag:port,port.0
dhcp-boot=tag:switch,switch.0
]]
boots("a relay's port", relayed, { mac = "02:00:00:00:00:05", relay = "10.1.0.1", circuit_id = "\0\6L\12" },
      { file = "port.0" })
boots("a relay", relayed, { mac = "02:00:00:00:00:05", relay = "10.1.0.1", remote_id = "sw12" }, { file = "switch.0" })
boots("neither", relayed, { mac = "02:00:00:00:00:05" }, { file = "plain.0" })

local named = [[
dhcp-match=set:host,12
dhcp-name-match=set:node,node*
dhcp-name-match=set:one,node1
dhcp-host=db,set:db
dhcp-host=fe:*:*:*:*:01,set:odd,ignore
dhcp-ignore=#host
dhcp-boot=tag:node,node.0
dhcp-boot=tag:one,one.0
dhcp-boot=tag:db,db.0
]]
boots("a name that begins so", named, { mac = "02:00:00:00:00:05", hostname = "node7" }, { file = "node.0" })
boots("a whole name", named, { mac = "02:00:00:00:00:05", hostname = "node1" }, { file = "one.0" })
boots("a host by its name", named, { mac = "02:00:00:00:00:05", hostname = "db" }, { file = "db.0" })
boots("no name", named, { mac = "02:00:00:00:00:05" }, false)
boots("another name boots nothing", named, { mac = "02:00:00:00:00:05", hostname = "x" }, false)
boots("a host to be ignored", named, { mac = "fe:00:00:00:00:01", hostname = "node1" }, false)

local ranges = [[
dhcp-range=set:a,10.1.0.0,10.1.0.99,255.255.0.0
dhcp-range=interface:eth1,set:b,172.16.0.0,static
dhcp-range=tag:never,192.168.0.0,192.168.0.9
dhcp-match=set:ipxe-http,175,19
tag-if=set:any,tag:ip*
tag-if=set:eth,tag:eth*
dhcp-option-force=tag:a,209,pxelinux.cfg/a
dhcp-option-force=210,2f:74:66:74:70:2f
dhcp-boot=tag:a,a.0
dhcp-boot=tag:b,b.0
dhcp-boot=tag:any,ipxe.0
dhcp-boot=tag:eth,eth.0
]]
boots("a range by its relay", ranges, { mac = "02:00:00:00:00:05", relay = "10.1.0.1" },
      { file = "a.0", options = { [209] = "pxelinux.cfg/a", [210] = "/tftp/" } })
boots("a range without a mask", ranges, { mac = "02:00:00:00:00:05", relay = "172.16.0.1" },
      { file = "b.0", options = { [209] = false, [210] = "/tftp/" } })
boots("no range", ranges, { mac = "02:00:00:00:00:05", relay = "192.168.0.1" }, false)
boots("an interface, as tag*", ranges, { mac = "02:00:00:00:00:05", interface = "eth0" }, { file = "eth.0" })
boots("nothing is known", ranges, { mac = "02:00:00:00:00:05" }, false)

test "a proxy without menus answers nobody" {
  files  = conf "dhcp-range=10.0.0.0,proxy\ndhcp-boot=a.0",
  given  = { mac = "02:00:00:00:00:05", arch = "bios", stage = "dhcp" },
  expect = { rule = "as dnsmasq", boot = "ignore", dhcp = false },
}
test "no hardware address" {
  files = conf("dhcp-host=02:00:00:00:00:*,set:x\ndhcp-mac=set:y,02:*:*:*:*:*\n"
    .. "dhcp-boot=tag:!x,tag:!y,a.0\ndhcp-boot=tag:y,tag:!x,b.0"),
  given = { uuid = "4c4c4544-0052-3510-8051-b4c04f4e3732", arch = "bios", stage = "dhcp" },
  cases = { { expect = { dhcp = { file = "a.0" } } },
            { given = { mac = "02:00:01:00:00:01" }, expect = { dhcp = { file = "b.0" } } } },
}
