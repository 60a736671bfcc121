-- Which machine boots what. Rules are tried from the top; the first one that matches decides.
-- README.md beside this file says how to try a change before a machine does.

profile "linux" {
  kernel = "vmlinuz",                        -- files under `assets` of site.yaml
  initrd = { "initrd.img" },
  args   = { "console=ttyS0,115200n8", "quiet" },
}

-- One machine, by its address. Its arguments are added to the profile's.
rule "the build server" {
  match = { mac = "52:54:00:00:00:01" },
  boot  = "linux",
  args  = { "role=build", "ds=nocloud-net;s=http://10.0.0.2:8080/assets/build/" },
}

-- A family: QEMU gives its guests addresses that start like this. {{…}} is filled in for each
-- machine. "efi-x64" means any UEFI on a 64-bit PC, whether it boots by PXE or by HTTP.
rule "virtual machines with UEFI" {
  match = { mac = prefix "52:54:00", arch = "efi-x64" },
  boot  = "linux",
  args  = { "role=guest", "report=http://10.0.0.2/up?mac={{mac}}&arch={{arch}}" },
}

rule "virtual machines with a BIOS" {
  match = { mac = prefix "52:54:00", arch = "bios" },
  boot  = "linux",
  args  = { "role=old-guest", "ds=nocloud-net;s=http://10.0.0.2:8080/assets/{{mac}}/" },
}

-- Nobody else hears a word from moonboot: a machine that is not named above starts as if
-- moonboot were not there. Keep a rule like this last.
rule "everyone else" { boot = ignore }
