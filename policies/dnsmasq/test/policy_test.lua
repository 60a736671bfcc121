-- What dnsmasq 2.90 answers by dnsmasq.conf; tests/e2e/dnsmasq_policy.sh asks it.

local function boots(name, given, dhcp)
  given.stage = "dhcp"
  test(name) { given = given, expect = { rule = "as dnsmasq", dhcp = dhcp } }
end

boots("the last line whose tags are all set", { mac = "02:00:00:00:00:05", arch = "bios" },
      { file = "rack.0", server = "10.0.0.9" })
boots("a line without tags, when no other fits", { mac = "3c:ec:ef:00:00:01", arch = "bios" },
      { file = "pxelinux.0", server = false })
boots("an address without wildcards before one with", { mac = "02:00:00:00:00:01", arch = "bios" },
      { file = "head.0" })
boots("architecture 9 is another number", { mac = "3c:ec:ef:00:00:01", arch = "efi-x64", arch_id = 9 },
      { file = "grubx64.efi", server = "10.0.0.9" })
boots("a host that wants a tag of its machine", { mac = "02:00:00:00:00:02", arch = "efi-x64" },
      { file = "efi-only.efi" })
boots("and without it is as if it were not there", { mac = "02:00:00:00:00:02", arch = "bios" },
      { file = "rack.0" })
boots("text in the user class", { mac = "3c:ec:ef:00:00:01", arch = "bios", user_class = "The Installer, the old one" },
      { file = "installer.0" })
boots("UEFI is spared a menu of one", { mac = "52:54:00:00:00:01", arch = "efi-x64" },
      { file = "one.efi", options = { [43] = false } })
boots("UEFI with a choice is asked to come again", { mac = "52:54:00:00:00:01", arch = "efi-ia32" },
      { file = "pxelinux.0", options = { [43] = false } })
boots("a BIOS gets the whole menu", { mac = "52:54:00:00:00:01", arch = "bios" }, {
  file = "pxelinux.0",
  options = {
    [43] = "\6\1\2"
      .. "\8\21\128\0\1\10\0\0\2\128\1\1\10\0\0\2\0\15\1\10\0\0\5"
      .. "\9\72\128\0\13Install # one\128\1\6Rescue\0\15\7Old RIS\0\16\21Any server of type 16\0\0\10Local disk"
      .. "\10\18\5Press F8, quickly\255",
  },
})

test "dhcp-ignore" {
  given = { mac = "02:00:00:00:00:66", arch = "bios", stage = "dhcp" },
  expect = { rule = "as dnsmasq", boot = "ignore", dhcp = false },
}

test "UEFI HTTP boot is none of a proxy's" {
  given = { mac = "3c:ec:ef:00:00:01", arch = "efi-x64-http", stage = "dhcp" },
  expect = { dhcp = false },
}

test "what was sent to moonboot's script is for the rules that follow" {
  given = { mac = "3c:ec:ef:00:00:01", arch = "bios" },
  expect = { rule = "what was sent to moonboot's script", boot = "linux" },
}
