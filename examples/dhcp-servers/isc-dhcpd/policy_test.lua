test "a virtual machine boots linux" {
  given  = { mac = "52:54:00:12:34:56", platform = "efi" },
  expect = { rule = "virtual machines", boot = "linux", args = contains "firmware=efi" },
}

test "any other machine starts from its disk" {
  given  = { mac = "3c:ec:ef:00:00:01", platform = "pcbios" },
  expect = { rule = "everyone else", boot = "disk" },
}
