local guest = { mac = "52:54:00:12:34:56", arch = "efi-x64", serial = "R5QNN72" }

test "a guest is installed, and asked nothing" {
  given  = guest,
  expect = {
    rule = "guests", boot = "debian-12",
    args = contains {
      "auto=true", "priority=critical", "hostname=r5qnn72", "domain=lab.example.org",
      "preseed/url=http://10.0.0.2:8080/config/~mac=52:54:00:12:34:56~serial=R5QNN72~arch=efi-x64/preseed.cfg",
    },
  },
}

test "its preseed names its disk, and fetches its script" {
  given  = guest,
  expect = {
    config = {
      ["preseed.cfg"] = contains {
        "d-i partman-auto/disk string /dev/sda\n", "d-i pkgsel/include string openssh-server sudo\n",
        "late.sh 'http://10.0.0.2:8080/config/~mac=52:54:00:12:34:56~serial=R5QNN72~arch=efi-x64/late.sh' && in-target",
      },
      ["late.sh"] = contains { "#!/bin/sh\n", "echo 'ssh-ed25519 ", "'serial number R5QNN72, unknown' > /etc/motd" },
    },
  },
}

test "one that is installed boots its disk" {
  given  = { mac = "52:54:00:00:00:20", arch = "efi-x64", serial = "DB0001" },
  expect = { rule = "installed", boot = "disk" },
}

test "a database server gets more, elsewhere" {
  given  = { mac = "3c:ec:ef:00:00:01", serial = "DB0042", arch = "bios" },
  expect = {
    rule = "database servers",
    config = { ["preseed.cfg"] = contains { "string /dev/nvme0n1\n", "openssh-server sudo postgresql\n" } },
  },
}

test "among the guests too" {
  given  = { mac = "52:54:00:12:34:57", serial = "DB0043", arch = "efi-x64" },
  expect = { rule = "database servers" },
}

test "a serial number with a line break makes no preseed" {
  given  = { mac = "52:54:00:12:34:56", arch = "bios", serial = "x\nd-i partman/early_command string reboot" },
  expect = { config = { ["preseed.cfg"] = false }, error = contains "control character" },
}

test "nor can one leave its quotes in the script" {
  given  = { mac = "52:54:00:12:34:56", arch = "bios", serial = "'; reboot #" },
  expect = { config = { ["late.sh"] = contains [[echo 'serial number '\''; reboot #, unknown' > /etc/motd]] } },
}

test "any other machine is left alone" {
  given  = { mac = "3c:ec:ef:00:00:09", arch = "efi-x64", serial = "X", product = "Laptop" },
  expect = { rule = "everyone else", boot = "ignore" },
}
