test "a node is told the URL of its script" {
  given  = { mac = "52:54:00:12:34:56", arch = "efi-x64" },
  expect = {
    rule = "nodes", boot = "node",
    args = contains "moonboot.run=http://10.0.0.2:8080/config/~mac=52:54:00:12:34:56~arch=efi-x64/first-boot",
    config = {
      ["first-boot"] = contains { "# Made for 52:54:00:12:34:56.\n", 'echo node-525400123456 >"$root/etc/hostname"\n' },
    },
  },
}

test "iPXE boots only what it has verified" {
  given  = { mac = "52:54:00:12:34:56", arch = "efi-x64" },
  expect = { ipxe = contains {
    "imgtrust --permanent || goto failed\n",
    "imgverify vmlinuz http://10.0.0.2:8080/assets/vmlinuz.cms || goto failed\n",
    "imgverify initrd1 http://10.0.0.2:8080/assets/initrd.img.cms || goto failed\n",
  } },
}

test "GRUB, which cannot verify them, is given neither" {
  given  = { mac = "52:54:00:12:34:56", arch = "efi-x64" },
  expect = { grub = contains "nothing to boot for this machine" },
}

test "a login node has another name" {
  given  = { mac = "52:54:00:01:34:56", arch = "bios" },
  expect = { rule = "login nodes", config = { ["first-boot"] = contains "echo login-525400013456 >" } },
}

test "strangers are left alone" {
  given  = { mac = "3c:ec:ef:00:00:01", arch = "efi-x64" },
  expect = { boot = "ignore" },
}
