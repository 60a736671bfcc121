local secure_boot = require "moonboot.secure_boot"
local debian, fedora = secure_boot(), secure_boot "fedora"

profile "debian" {
  kernel = "debian/vmlinuz", initrd = "debian/initrd.img",
  dhcp = debian.dhcp, files = debian.files,
}
profile "fedora" {
  kernel = "fedora/vmlinuz", initrd = "fedora/initrd.img",
  dhcp = fedora.dhcp, files = fedora.files,
}

rule "Fedora's machines" { match = { mac = prefix "52:54:00:fe" }, boot = "fedora" }
rule "the others" { boot = "debian" }
