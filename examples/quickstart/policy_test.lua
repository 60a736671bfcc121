-- Tests policy.lua, by its name: `moonboot test examples/quickstart`. No machine is needed.

test "the build server is told its role" {
  given  = { mac = "52:54:00:00:00:01", arch = "efi-x64" },
  expect = { rule = "the build server", boot = "linux", args = contains "role=build" },
}

test "it is known however its address is written" {
  given  = { mac = "52-54-00-00-00-01", arch = "bios" },
  expect = { rule = "the build server", boot = "linux" },
}

test "a virtual machine with UEFI is told where to report, and as whom" {
  given  = { mac = "52:54:00:ab:cd:ef", arch = "efi-x64" },
  expect = {
    rule = "virtual machines with UEFI",
    boot = "linux",
    args = {
      "console=ttyS0,115200n8", "quiet", "role=guest",
      "report=http://10.0.0.2/up?mac=52:54:00:ab:cd:ef&arch=efi-x64",
    },
  },
}

test "UEFI that boots by HTTP is UEFI too" {
  given  = { mac = "52:54:00:ab:cd:ef", arch = "efi-x64-http" },
  expect = { rule = "virtual machines with UEFI", boot = "linux" },
}

test "a virtual machine with a BIOS finds its own seed" {
  given  = { mac = "52:54:00:ab:cd:ef", arch = "bios" },
  expect = {
    rule = "virtual machines with a BIOS",
    boot = "linux",
    args = contains "ds=nocloud-net;s=http://10.0.0.2:8080/assets/52:54:00:ab:cd:ef/",
  },
}

test "any other machine is left alone" {
  given  = { mac = "3c:ec:ef:00:00:01", arch = "efi-x64" },
  expect = { rule = "everyone else", boot = "ignore" },
}

test "however much differs, a virtual machine boots linux and nobody else does" {
  given  = { label = { x = "y" } },
  cases  = {
    virtual = { for_all = { mac = any.mac "52:54:00", arch = any.one_of { "bios", "efi-x64" }, serial = any.text },
                expect = { boot = "linux", error = false } },
    other   = { for_all = { mac = any.mac "3c:ec:ef", arch = any.arch, serial = any.text },
                expect = { rule = "everyone else", dhcp = false } },
  },
}
