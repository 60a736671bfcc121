-- Two racks, single machines by their inventory, silence for the rest.

profile "compute" {
  kernel = "el9/vmlinuz",
  initrd = { "el9/initrd.img" },
  args   = { "ip=dhcp", "console=ttyS1,115200n8", "hostname={{name or serial}}" },
  vars   = { name = false },
  config = { ["motd"] = template "motd" },
}

profile "storage" {
  kernel = "el9/vmlinuz",
  initrd = { "el9/initrd.img" },
  args   = { "ip=dhcp", "disks={{table.concat(disks, ',')}}" },
  vars   = { disks = { "sda", "sdb" } },
}

rule "single machines" { boot = inventory "hosts.yaml" }

rule "rack 12" {
  match = { serial = prefix "R12", arch = { "efi-x64", "efi-arm64" } },
  boot  = "compute",
}

rule "rack 13" {
  match = { serial = prefix "R13" },
  boot  = "storage",
}
