test "a machine behind the relay is told its segment" {
  given  = { mac = "52:54:00:12:34:56", arch = "bios", relay = "10.1.0.1" },
  expect = { rule = "the second segment", boot = "linux", args = contains "relay=10.1.0.1" },
}

test "where its packets came through is told before iPXE asks" {
  given  = { mac = "52:54:00:12:34:56", arch = "bios", firmware = "ipxe", relay = "10.1.0.1", stage = "dhcp" },
  expect = {
    rule = "the second segment",
    dhcp = { file = contains "relay=10.1.0.1" },
  },
}

test "a machine that no relay speaks for is in our own segment" {
  given  = { mac = "52:54:00:12:34:56", arch = "efi-x64" },
  expect = { rule = "our own segment", args = contains "segment=own" },
}

test "the machines of another segment are left alone" {
  given  = { mac = "52:54:00:12:34:56", arch = "efi-x64", relay = "10.2.0.1" },
  expect = { rule = "everyone else", boot = "ignore" },
}
