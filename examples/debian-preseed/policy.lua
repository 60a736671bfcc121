-- Installs Debian without a question, from the installer's netboot files; each machine gets its own
-- preseed. README.md says which files belong where.

-- Where a machine that is installed goes next time is another rule's affair: see `installed`.
local installed = {
  "52:54:00:00:00:20",
}

profile "debian-12" {
  kernel = "debian/bookworm/linux",
  initrd = { "debian/bookworm/initrd.gz" },
  args   = {
    "auto=true", "priority=critical",            -- asks nothing that the preseed answers
    "preseed/url={{config 'preseed.cfg'}}",
    "interface=auto", "netcfg/dhcp_timeout=60",
    -- These are asked before the preseed can be fetched.
    "hostname={{(hostname or serial or mac):lower():gsub('[^%w]+', '-'):match('%w.*%w') or 'node'}}",
    "domain={{domain or 'lab.example.org'}}",
    "---",                                       -- what follows is the installed system's too
    "console=tty0", "console=ttyS0,115200n8",
  },
  vars   = {
    mirror   = "deb.debian.org", suite = "bookworm", timezone = "Europe/Berlin",
    target   = "/dev/sda", -- "": the first disk that there is
    packages = { "openssh-server", "sudo" },
    keys     = { "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIP0eGsH8fBUu6bwuGxoAmvBkkwvs4DEvox4u5j1k06DS admin@example.org" },
  },
  config = {
    ["preseed.cfg"] = template "preseed.cfg",
    ["late.sh"]     = template "late.sh",
  },
}

rule "installed" { match = { mac = installed }, boot = disk }

rule "database servers" {
  match = { serial = prefix "DB" },
  boot  = "debian-12",
  vars  = { target = "/dev/nvme0n1", packages = { "openssh-server", "sudo", "postgresql" } },
}

rule "guests" {
  match = { mac = prefix "52:54:00", arch = { "bios", "efi-x64" } },
  boot  = "debian-12",
}

rule "everyone else" { boot = ignore }
