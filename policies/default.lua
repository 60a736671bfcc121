-- A first policy: every PC and every 64-bit Arm machine boots the same Linux over the
-- network, BIOS or UEFI. Copy it, put kernels and initrds under the assets, and begin to
-- make differences.

profile "linux-x86_64" {
  kernel = "linux/x86_64/vmlinuz",
  initrd = { "linux/x86_64/initrd.img" },
  args   = { "ip=dhcp" },
}

profile "linux-arm64" {
  kernel = "linux/arm64/vmlinuz",
  initrd = { "linux/arm64/initrd.img" },
  args   = { "ip=dhcp" },
}

rule "PCs" {
  match = { arch = { "bios", "efi-x64" } },
  boot  = "linux-x86_64",
}

rule "Arm machines" {
  match = { arch = "efi-arm64" },
  boot  = "linux-arm64",
}

rule "anything else" { boot = ignore }
