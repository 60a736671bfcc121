test "rack 12 computes, under its serial number" {
  given  = { mac = "52:54:00:12:00:01", serial = "R12-01", arch = "efi-x64" },
  expect = {
    rule = "rack 12", boot = "compute", args = contains { "hostname=R12-01", "console=ttyS1,115200n8" },
    config = { motd = "This is R12-01.\n" },
  },
}

test "an asset tag is in the message of the day" {
  given  = { mac = "52:54:00:12:00:02", serial = "R12-02", arch = "efi-arm64", asset = "A-1002" },
  expect = { rule = "rack 12", config = { motd = "This is R12-02.\nAsset A-1002.\n" } },
}

test "rack 12 by an architecture that it does not have is left alone" {
  given  = { mac = "52:54:00:12:00:04", serial = "R12-04", arch = "bios" },
  expect = { boot = "ignore" },
}

test "rack 13 stores" {
  given  = { mac = "52:54:00:13:00:01", serial = "R13-01", arch = "efi-x64" },
  expect = { rule = "rack 13", boot = "storage", args = { "ip=dhcp", "disks=sda,sdb" } },
}

test "the inventory comes first" {
  given  = { mac = "52:54:00:12:00:07", serial = "R12-07", arch = "efi-x64" },
  expect = { rule = "single machines", boot = "compute", args = contains { "hostname=build1", "debug" } },
}

test "a broken machine is told so" {
  given  = { mac = "52:54:00:12:00:08", serial = "R12-08", arch = "efi-x64" },
  expect = { verdict = "deny", why = "its power supply is broken" },
}

test "a laptop is left alone" {
  given  = { mac = "52:54:00:99:00:01", serial = "LAPTOP-1", arch = "efi-x64" },
  expect = { boot = "ignore" },
}
