local MAC = "52:54:00:12:34:56"

for _, arch in ipairs { "bios", "efi-x64", "efi-x64-http" } do
  test("a PC boots, " .. arch) {
    given  = { mac = MAC, arch = arch },
    expect = {
      rule = "PCs", boot = "linux-x86_64", kernel = "linux/x86_64/vmlinuz", args = { "ip=dhcp" },
      ipxe = contains "/assets/linux/x86_64/vmlinuz",
    },
  }
end

test "a BIOS loads iPXE by TFTP" {
  given  = { mac = MAC, arch = "bios" },
  expect = { dhcp = { file = "undionly.kpxe", vendor_class = "PXEClient", options = { [43] = "\6\1\8\255" } } },
}

test "UEFI loads iPXE by TFTP" {
  given  = { mac = MAC, arch = "efi-x64" },
  expect = { dhcp = { file = "snponly.efi", options = { [43] = false } } },
}

test "UEFI that boots by HTTP gets a URL" {
  given  = { mac = MAC, arch = "efi-x64-http" },
  expect = { dhcp = { file = contains "/assets/snponly.efi", vendor_class = "HTTPClient" } },
}

test "what is iPXE already gets the script" {
  given  = { mac = MAC, arch = "bios", firmware = "ipxe" },
  expect = { dhcp = { file = contains "/boot.ipxe" } },
}

test "an Arm server boots its own kernel" {
  given  = { mac = MAC, arch = "efi-arm64" },
  expect = { rule = "Arm machines", boot = "linux-arm64", dhcp = { file = "snponly-arm64.efi" } },
}

test "a mainframe is left alone" {
  given  = { mac = MAC, arch = "s390-basic" },
  expect = { boot = "ignore", dhcp = false },
}
