-- Who boots by which loader in loaders.sh. Each machine must come up with exactly these arguments.

local hostile = {
  "console=ttyS0,115200n8", "quiet", "ds=nocloud-net;s=http://10.0.0.2:8080/x/", "a=b&c", "#lone",
  "mb.hash=#x#", "mb.dollar=$HOME", "mb.open=${open", "mb.braces={x}}{", "mb.pipe=a|b||c", "mb.tick=`x`",
  "mb.words=two  words", "mb.umlaut=grün", "mb.percent=%41%s%n", "mb.glob=*?[a-z]", "mb.angle=<x>",
  "mb.bang=!x", "mb.tilde=~root", "mb.at=@a", "mb.comma=a,,b", ";", "&", "|", "mb.colon=::x:", "mb.equals=a=b==c",
  "mb.caret=^", "mb.round=(x)", "mb.slash=//x//", "mb.minus=--x", "mb.plus=a+b", "mb.long=" .. ("x"):rep(100),
}
-- What GRUB's `linux` would write a backslash before.
local quotes = { "mb.quote='x'", "mb.backslash=a\\b\\x20c", "mb.double=\"a b\"" }

local function linux(name, dhcp)
  profile(name) { kernel = "vmlinuz", initrd = "initrd.img", args = hostile, dhcp = dhcp }
end

linux("pxelinux", { loader = "pxelinux", ipxe = true })
linux("lpxelinux", { loader = "lpxelinux", ipxe = true })
linux("plain pxelinux", { file = "pxelinux.0", ipxe = true })
linux("grub", { loader = "grub" })
linux("shim", { loader = "shim" })
linux("ipxe")
-- Ten documents and more than thirty arguments; one of these says where the documents are.
local documents = {}
for i = 1, 10 do
  documents["d/" .. i .. ".txt"] = "document " .. i .. " of {{mac}} {{uuid}}: #;&|$HOME 'x' \"y\" \\ grün\n"
end
profile "documented" { kernel = "vmlinuz", initrd = "initrd.img", args = hostile, config = documents }

profile "tree" { dhcp = { file = "pxelinux.0", ipxe = true } }

-- By its UUID alone: no rule before this one may ask for more than PXELINUX then tells.
rule "by UUID" { match = { uuid = "00112233-4455-6677-8899-aabbccddeeff" }, boot = "plain pxelinux" }
rule "by PXELINUX" { match = { mac = "52:54:00:00:01:01" }, boot = "pxelinux", args = quotes }
rule "by lpxelinux" { match = { mac = "52:54:00:00:01:02" }, boot = "lpxelinux", args = quotes }
rule "by MAC" { match = { mac = "52:54:00:00:01:04" }, boot = "plain pxelinux" }
rule "the site's own tree" { match = { mac = "52:54:00:00:01:05" }, boot = "tree" }
rule "by GRUB" { match = { mac = "52:54:00:00:02:01" }, boot = "grub" }
rule "GRUB that asks" { match = { mac = "52:54:00:00:02:02", stage = "dhcp" }, boot = "grub" }
rule "by shim" { match = { mac = "52:54:00:00:02:03" }, boot = "shim" }
rule "with ten documents" {
  match = { mac = "52:54:00:00:03:0a" },
  boot  = "documented",
  args  = { "mb.quote='x'", "seed={{config 'd/'}}" },
}
rule "by iPXE" { match = { mac = prefix "52:54:00:00:03" }, boot = "ipxe", args = quotes }
-- iPXE or GRUB is to start the disk: DHCP is asked for another answer than they are.
rule "iPXE, for the disk" { match = { mac = "52:54:00:00:04:01", stage = "dhcp" }, boot = "ipxe" }
rule "GRUB, for the disk" { match = { mac = "52:54:00:00:04:02", stage = "dhcp" }, boot = "grub" }
rule "PXELINUX, for the disk" { match = { mac = "52:54:00:00:04:03", stage = "dhcp" }, boot = "pxelinux" }
rule "from disk" { match = { mac = prefix "52:54:00:00:04" }, boot = disk }
-- A menu that decides by itself in a second. DHCP is asked for the loader.
rule "PXELINUX, for the menu" { match = { mac = "52:54:00:00:05:02", stage = "dhcp" }, boot = "pxelinux" }
rule "GRUB, for the menu" { match = { mac = "52:54:00:00:05:03", stage = "dhcp" }, boot = "grub" }
rule "a menu" {
  match = { mac = prefix "52:54:00:00:05" },
  boot = menu { title = "What now?", timeout = 1, default = 2, { "the disk", disk }, { "Linux: 'this' one", "ipxe" } },
}
rule "GRUB by serial number" {
  match = { serial = "S-1 & co" }, boot = "ipxe", args = { "serial={{serial}}", "uuid={{uuid}}", "arch={{arch}}" },
}
rule "everyone else" { boot = ignore }
