local raspberry_pi = require "moonboot.raspberry_pi"

rule "Raspberry Pis" { boot = raspberry_pi { root = "tftp", firmware = "firmware" } }
rule "everyone else" { boot = ignore }
