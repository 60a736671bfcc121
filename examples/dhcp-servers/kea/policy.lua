-- Which machine boots what. The DHCP server has sent the machine to iPXE, and iPXE here: what
-- it tells of itself is known to every rule.

profile "linux" {
  kernel = "vmlinuz",                        -- files under `assets` of site.yaml
  initrd = { "initrd.img" },
  args   = { "console=ttyS0,115200n8", "quiet", "firmware={{platform}}" },
}

rule "virtual machines" {
  match = { mac = prefix "52:54:00" },
  boot  = "linux",
}

-- The DHCP server sends every machine here, so that this rule is met by all the others: they
-- go on to their disk.
rule "everyone else" { boot = disk }
