-- Each machine boots the site's own initramfs, which fetches its first-boot script, and runs it
-- when its signature is good. iPXE has verified kernel and initramfs before. README.md says how all
-- of it is made.

profile "node" {
  kernel = "vmlinuz",
  initrd = { "initrd.img" },
  verify = true, -- by iPXE, before they run
  args   = { "ip=dhcp", "moonboot.run={{config 'first-boot'}}", "console=ttyS0,115200n8" },
  vars   = { role = "node" },
  config = { ["first-boot"] = template "first-boot.sh" },
}

rule "login nodes" { match = { mac = prefix "52:54:00:01" }, boot = "node", vars = { role = "login" } }
rule "nodes"       { match = { mac = prefix "52:54:00" }, boot = "node" }
rule "everyone else" { boot = ignore }
