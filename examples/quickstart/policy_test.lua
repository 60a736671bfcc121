-- Tests policy.lua, by its name: `moonboot test examples/quickstart`. No machine is needed.

test "the build server is told its role" {
  given  = { mac = "52:54:00:00:00:01", arch = "efi-x64" },
  expect = { rule = "the build server", boot = "linux", args = contains "role=build" },
}

test "it is known however its address is written" {
  given  = { mac = "52-54-00-00-00-01", arch = "bios" },
  expect = { rule = "the build server", boot = "linux" },
}

test "a virtual machine with UEFI reports who it is" {
  given  = {
    mac = "52:54:00:ab:cd:ef", arch = "efi-x64", uuid = "00112233-4455-6677-8899-AABBCCDDEEFF",
  },
  expect = {
    rule = "virtual machines with UEFI",
    boot = "linux",
    args = contains "mac=52:54:00:ab:cd:ef&uuid=00112233-4455-6677-8899-aabbccddeeff",
  },
}

test "UEFI that boots by HTTP is UEFI too" {
  given  = { mac = "52:54:00:ab:cd:ef", arch = "efi-x64-http" },
  expect = { rule = "virtual machines with UEFI", boot = "linux" },
}

test "a virtual machine with a BIOS finds its own seed" {
  given  = {
    mac = "52:54:00:ab:cd:ef", arch = "bios", uuid = "00112233-4455-6677-8899-aabbccddeeff",
  },
  expect = {
    rule = "virtual machines with a BIOS",
    boot = "linux",
    args = contains "/assets/00112233-4455-6677-8899-aabbccddeeff/",
  },
}

test "any other machine is left alone" {
  given  = { mac = "3c:ec:ef:00:00:01", arch = "efi-x64" },
  expect = { rule = "everyone else", boot = "ignore" },
}
