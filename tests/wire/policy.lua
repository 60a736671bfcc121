-- What the captures are answered by (tests/unit/test_golden.c): the captures' machine boots,
-- nobody else does.

profile "guest" {
  kernel = "vmlinuz",
  initrd = { "initrd.img" },
  args   = { "console=ttyS0", "mac={{mac}}", "ds=nocloud-net;s=http://10.99.0.2/seed/" },
}

rule "the lab's client" {
  match = { mac = "52:54:00:99:0a:1f" },
  boot  = "guest",
}

rule "everyone else" { boot = ignore }
