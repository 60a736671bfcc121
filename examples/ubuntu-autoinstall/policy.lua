-- Installs Ubuntu Server without a question: the live installer, told by cloud-init what to do.
-- README.md says which files belong where.

profile "ubuntu-24.04" {
  kernel = "ubuntu-24.04/casper/vmlinuz",
  initrd = { "ubuntu-24.04/casper/initrd" },
  args   = {
    "ip=dhcp",
    "url={{assets 'ubuntu-24.04/live-server-amd64.iso'}}",  -- fetched into memory
    "autoinstall",                                          -- without it, the installer asks first
    "ds=nocloud-net;s={{config 'autoinstall/'}}",
    "cloud-config-url=/dev/null", -- or else cloud-init fetches url= as well, all of it
    "---", "console=tty0", "console=ttyS0,115200n8",
  },
  vars   = {
    storage  = "lvm", packages = {}, timezone = "Europe/Berlin",
    keys     = { "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIP0eGsH8fBUu6bwuGxoAmvBkkwvs4DEvox4u5j1k06DS admin@example.org" },
  },
  config = {
    ["autoinstall/user-data"]   = template "user-data",
    ["autoinstall/meta-data"]   = "instance-id: {{yaml(uuid or mac)}}\n",
    ["autoinstall/vendor-data"] = "",
  },
}

rule "hypervisors" {
  match = { ["label.role"] = "hypervisor" },
  boot  = "ubuntu-24.04",
  vars  = { storage = "zfs", packages = { "qemu-system-x86", "libvirt-daemon-system" } },
}

rule "guests" {
  match = { mac = prefix "52:54:00", arch = { "bios", "efi-x64" } },
  boot  = "ubuntu-24.04",
}

rule "everyone else" { boot = ignore }
