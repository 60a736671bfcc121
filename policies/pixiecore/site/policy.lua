profile "compute" {
  kernel = "el9/vmlinuz",
  initrd = { "el9/initrd.img", "el9/extra.img" },
  args   = { "ip=dhcp", "role={{role}}", 'note="two words"' },
  vars   = { role = "node" },
}

rule "compute nodes" { match = { mac = prefix "52:54:00" }, boot = "compute" }
rule "another server's" { match = { mac = "02:00:00:00:00:01" }, boot = chain "http://boot.lab/{{mac}}.ipxe" }
rule "everyone else" { boot = ignore }
