test "a server gets its own name and arguments" {
  given  = { mac = "52:54:00:00:00:01", arch = "efi-x64" },
  expect = { rule = "servers", boot = "compute", args = { "ip=dhcp", "hostname=n1", "rack=12", "console=ttyS1" } },
}

test "what a host does not say is said by the profile" {
  given  = { mac = "525400000002", arch = "efi-x64" },
  expect = { boot = "compute", args = contains "rack=unknown" },
}

test "storage servers share a description" {
  given  = { mac = "52:54:00:00:00:11", arch = "efi-x64" },
  expect = { boot = "storage", args = { "hostname=s1", "zpool=sda,sdb", "single" } },
}

test "an installed server boots its disk" {
  given  = { mac = "52:54:00:00:00:20", arch = "bios" },
  expect = { rule = "servers", boot = "disk" },
}

test "one that is repaired does not boot" {
  given  = { mac = "52:54:00:00:00:21", arch = "bios" },
  expect = { rule = "servers", boot = "deny" },
}

test "a blade is known by its serial number" {
  given  = { mac = "3c:ec:ef:00:00:01", serial = "R5QNN72", arch = "efi-x64" },
  expect = { rule = "blades", boot = "compute", args = contains "hostname=b1" },
}

test "which firmware does not tell by DHCP" {
  given  = { mac = "3c:ec:ef:00:00:01", arch = "efi-x64", stage = "dhcp" },
  expect = { boot = "undetermined" },
}

test "a blade with a GPU has its driver" {
  given  = { mac = "3c:ec:ef:00:00:02", serial = "R5QNN73", arch = "efi-x64" },
  expect = { rule = "GPU blades", args = contains { "quiet", "console=ttyS0", "nvidia.a100" } },
}

test "strangers among the servers are refused" {
  given  = { mac = "3c:ec:ef:00:00:03", serial = "X", arch = "efi-x64", interface = "servers" },
  expect = { rule = "strangers", boot = "deny" },
}

test "and elsewhere left alone" {
  given  = { mac = "3c:ec:ef:00:00:03", serial = "X", arch = "efi-x64", interface = "office" },
  expect = { boot = "ignore" },
}
