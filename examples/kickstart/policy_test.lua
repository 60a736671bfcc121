local guest = { mac = "52:54:00:12:34:56", arch = "efi-x64", serial = "R5QNN72" }

test "a guest is installed by its own kickstart" {
  given  = guest,
  expect = {
    rule = "guests", boot = "el9",
    args = contains {
      "inst.stage2=http://10.0.0.2:8080/assets/el9/",
      "inst.ks=http://10.0.0.2:8080/config/~mac=52:54:00:12:34:56~serial=R5QNN72~arch=efi-x64/ks.cfg",
    },
    config = {
      ["ks.cfg"] = contains {
        "--hostname=r5qnn72 ", "url --url=http://10.0.0.2:8080/assets/el9/\n", "sshkey --username=admin 'ssh-ed25519 ",
        "clearpart --all --initlabel --drives=sda\n", "%packages\n@^minimal-environment\nchrony\ntmux\n%end\n",
      },
    },
  },
}

test "a storage server has another disk, and more packages" {
  given  = { mac = "3c:ec:ef:00:00:01", product = "PowerEdge R750", arch = "efi-x64" },
  expect = {
    rule = "storage servers",
    config = {
      ["ks.cfg"] = contains {
        "--only-use=nvme0n1\n", "nfs-utils\n%end", "'serial number unknown, PowerEdge R750'",
      },
    },
  },
}

test "among the guests too" {
  given  = { mac = "52:54:00:12:34:57", product = "PowerEdge R740", arch = "bios" },
  expect = { rule = "storage servers" },
}

test "a serial number with a line break makes no kickstart" {
  given  = { mac = "52:54:00:12:34:56", arch = "bios", serial = "x\n%pre\nreboot\n%end" },
  expect = { config = { ["ks.cfg"] = false }, error = contains "control character" },
}

test "any other machine is left alone" {
  given  = { mac = "3c:ec:ef:00:00:09", arch = "efi-x64", serial = "X", product = "Laptop" },
  expect = { rule = "everyone else", boot = "ignore" },
}
