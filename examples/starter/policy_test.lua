-- Tests policy.lua, by its name: `moonboot test`. No machine is needed.

test "a host of the inventory is installed under its own name" {
  given  = { mac = "52:54:00:00:00:01", arch = "efi-x64" },
  expect = {
    rule = "hosts", boot = "debian-installer",
    args = { "priority=high", "hostname=build1", "console=ttyS0" },
  },
}

test "an installed host boots its disk" {
  given  = { mac = "52-54-00-00-00-02", arch = "bios" },
  expect = { rule = "hosts", boot = "disk" },
}

test "any other virtual machine is asked" {
  given  = { mac = "52:54:00:12:34:56", arch = "efi-x64-http" },
  expect = {
    rule = "virtual machines", boot = "menu", menu = { default = 1, timeout = 30 },
    ipxe = contains { "52:54:00:12:34:56", "Install Debian" },
  },
}

test "the rest of the network is left alone" {
  given  = { mac = "3c:ec:ef:00:00:01", arch = "efi-x64" },
  expect = { rule = "everyone else", boot = "ignore" },
}
