test "UEFI gets shim, in a directory of its own" {
  given  = { mac = "52:54:00:00:00:01", arch = "efi-x64" },
  expect = { boot = "debian", dhcp = { file = "52-54-00-00-00-01/shimx64.efi", options = { [43] = false } } },
}

test "so does an Arm machine" {
  given  = { mac = "52:54:00:fe:00:01", arch = "efi-arm64" },
  expect = { boot = "fedora", dhcp = { file = "52-54-00-fe-00-01/shimaa64.efi" } },
}

test "firmware that boots by HTTP gets shim's URL" {
  given  = { mac = "52:54:00:00:00:01", arch = "efi-x64-http" },
  expect = { dhcp = { file = contains "/assets/shimx64.efi" } },
}

test "a BIOS knows no Secure Boot: iPXE" {
  given  = { mac = "52:54:00:00:00:01", arch = "bios" },
  expect = { boot = "debian", dhcp = { file = "undionly.kpxe" } },
}

test "the directory is a text" {
  files  = { ["policy.lua"] = 'require "moonboot.secure_boot" (1)' },
  expect = { problems = contains "secure_boot: the directory of a distribution's shim and GRUB is a text" },
}
