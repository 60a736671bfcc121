local dnsmasq = require "moonboot.dnsmasq"

profile "linux" { kernel = "vmlinuz" }

rule "as dnsmasq" { boot = dnsmasq "dnsmasq.conf" }
rule "what was sent to moonboot's script" { boot = "linux" }
