-- Three moonboots decide by this, and by what Redis remembers: whichever answers, it is the same.

profile "install" {
  kernel = "el9/vmlinuz",
  initrd = { "el9/initrd.img" },
  args   = { "console=ttyS0,115200n8", "inst.ks={{config 'ks.cfg'}}" },
  config = { ["ks.cfg"] = template "ks.cfg" },
}
profile "rescue" {
  kernel = "rescue/vmlinuz",
  initrd = { "rescue/initrd.img" },
  args   = { "console=ttyS0,115200n8" },
}

-- Needs no state: boots whatever becomes of Redis.
rule "diskless" {
  match = { mac = prefix "52:54:00:d0" },
  boot  = "rescue",
}

-- While Redis does not say whether a machine is installed, it starts what is on its disk.
rule "workers" {
  match    = { mac = prefix "52:54:00" },
  boot     = once { "install", done_on = "installed", then_boot = disk },
  on_error = disk,
}

rule "everyone else" { boot = ignore }
