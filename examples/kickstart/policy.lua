-- Installs an Enterprise Linux 9 (AlmaLinux, Rocky, RHEL, CentOS Stream) without a question; each
-- machine gets its own kickstart. README.md says which files belong where.

profile "el9" {
  kernel = "el9/images/pxeboot/vmlinuz",
  initrd = { "el9/images/pxeboot/initrd.img" },
  args   = {
    "inst.stage2={{assets 'el9/'}}",
    "inst.ks={{config 'ks.cfg'}}",
    "ip=dhcp", "inst.text",
    "console=tty0", "console=ttyS0,115200n8", "inst.sshd=0",
  },
  vars   = {
    target   = "sda", timezone = "Europe/Berlin",
    packages = { "@^minimal-environment", "chrony", "tmux" },
    keys     = { "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIP0eGsH8fBUu6bwuGxoAmvBkkwvs4DEvox4u5j1k06DS admin@example.org" },
  },
  config = { ["ks.cfg"] = template "ks.cfg" },
}

rule "storage servers" {
  match = { product = glob "PowerEdge R7*" },
  boot  = "el9",
  vars  = { target = "nvme0n1", packages = { "@^minimal-environment", "chrony", "tmux", "nfs-utils" } },
}

rule "guests" {
  match = { mac = prefix "52:54:00", arch = { "bios", "efi-x64" } },
  boot  = "el9",
}

rule "everyone else" { boot = ignore }
