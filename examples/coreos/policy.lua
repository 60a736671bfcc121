-- Fedora CoreOS and Flatcar. Both run from memory, and are on their first boot what an Ignition
-- document says; each machine gets its own. README.md says which files belong where.

local admins = {
  "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIP0eGsH8fBUu6bwuGxoAmvBkkwvs4DEvox4u5j1k06DS admin@example.org",
}

local console = { "console=tty0", "console=ttyS0,115200n8" }

profile "fedora-coreos" {
  kernel = "fcos/live-kernel.x86_64",
  initrd = { "fcos/live-initramfs.x86_64.img" },
  args   = {
    "coreos.live.rootfs_url={{assets 'fcos/live-rootfs.x86_64.img'}}",
    "ignition.firstboot", "ignition.platform.id=metal",
    "ignition.config.url={{config 'node.ign'}}",
    console[1], console[2],
  },
  vars   = { admins = admins, domain_name = "lab.example.org", role = "worker" },
  config = { ["node.ign"] = template "node.ign" },
}

-- Writes it to the disk instead, and hands the document on to the installed system.
profile "fedora-coreos-install" {
  kernel = "fcos/live-kernel.x86_64",
  initrd = { "fcos/live-initramfs.x86_64.img" },
  args   = {
    "coreos.live.rootfs_url={{assets 'fcos/live-rootfs.x86_64.img'}}",
    "coreos.inst.install_dev={{target}}",
    "coreos.inst.ignition_url={{config 'node.ign'}}",
    console[1], console[2],
  },
  vars   = { admins = admins, domain_name = "lab.example.org", role = "worker", target = "/dev/sda" },
  config = { ["node.ign"] = template "node.ign" },
}

profile "flatcar" {
  kernel = "flatcar/flatcar_production_pxe.vmlinuz",
  initrd = { "flatcar/flatcar_production_pxe_image.cpio.gz" },
  args   = {
    "flatcar.first_boot=1",
    "ignition.config.url={{config 'node.ign'}}",
    console[1], console[2],
  },
  vars   = { admins = admins, domain_name = "lab.example.org", role = "worker" },
  config = { ["node.ign"] = template "node.ign" },
}

rule "the controller, from its disk" {
  match = { mac = "52:54:00:00:00:10" },
  boot  = "fedora-coreos-install",
  vars  = { role = "controller", target = "/dev/nvme0n1" },
}

rule "Flatcar for what was bought from Supermicro" {
  match = { manufacturer = "Supermicro", arch = { "bios", "efi-x64" } },
  boot  = "flatcar",
}

rule "workers" {
  match = { mac = prefix "52:54:00", arch = { "bios", "efi-x64" } },
  boot  = "fedora-coreos",
}

rule "everyone else" { boot = ignore }
