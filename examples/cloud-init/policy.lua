-- Ubuntu without a disk, set up by cloud-init: the root file system is fetched into memory, and
-- what the machine is stands in three documents. README.md says which files belong where.

profile "ubuntu-in-memory" {
  kernel = "ubuntu/noble/boot-kernel",
  initrd = { "ubuntu/noble/boot-initrd" },
  args   = {
    "root=squash:{{assets 'ubuntu/noble/squashfs'}}",
    "ip=:::::BOOTIF", "BOOTIF=01-{{mac:gsub(':', '-')}}", "ip6=off",
    "overlayroot=tmpfs", "overlayroot_cfgdisk=disabled",
    -- cloud-init appends user-data, meta-data and vendor-data to this URL. From 24.1 on it calls
    -- this source "nocloud" and still takes the older name.
    "ds=nocloud-net;s={{config 'nocloud/'}}",
    "console=tty0", "console=ttyS0,115200n8",
  },
  vars   = {
    role     = "node",
    packages = {},
    mirror   = "http://archive.ubuntu.com/ubuntu",
    timezone = "Europe/Berlin",
    admins   = {
      {
        name = "alex", gecos = "Alex O'Neill: on call",
        keys = { "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIP0eGsH8fBUu6bwuGxoAmvBkkwvs4DEvox4u5j1k06DS admin@example.org" },
      },
    },
  },
  config = {
    ["nocloud/user-data"]   = template "user-data",
    ["nocloud/meta-data"]   = template "meta-data",
    ["nocloud/vendor-data"] = template "vendor-data",
  },
}

rule "web servers" {
  match = { ["label.role"] = "web" },
  boot  = "ubuntu-in-memory",
  vars  = { role = "web", packages = { "nginx", "certbot" } },
}

rule "guests" {
  match = { mac = prefix "52:54:00", arch = { "bios", "efi-x64" } },
  boot  = "ubuntu-in-memory",
}

rule "everyone else" { boot = ignore }
