-- Workers install once: the installer says when it is done. installed.txt names those that were
-- there before.

local install_once = require "moonboot.install_once"

profile "el9-install" {
  kernel = "el9/vmlinuz",
  initrd = { "el9/initrd.img" },
  args   = { "inst.repo={{assets 'el9/'}}", "inst.text", "inst.ks={{config 'ks.cfg'}}" },
  config = { ["ks.cfg"] = template "ks.cfg" },
}

rule "workers" {
  match    = { product = { "Worker", absent } },
  boot     = install_once { install = "el9-install", installed = "installed.txt" },
  on_error = disk,
}

rule "everyone else" { boot = ignore }
