-- Which machine boots what, by the segment that it is in. `relay` is the relay's address in
-- the machine's own segment; a machine of moonboot's segment has none.

profile "linux" {
  kernel = "vmlinuz",                        -- files under `assets` of site.yaml
  initrd = { "initrd.img" },
  args   = { "console=ttyS0,115200n8", "quiet" },
}

rule "the second segment" {
  match = { mac = prefix "52:54:00", relay = subnet "10.1.0.0/24" },
  boot  = "linux",
  args  = { "segment=second", "relay={{relay}}" },
}

rule "our own segment" {
  match = { mac = prefix "52:54:00", relay = absent },
  boot  = "linux",
  args  = { "segment=own" },
}

rule "everyone else" { boot = ignore }
