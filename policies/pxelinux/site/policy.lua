local pxelinux = require "moonboot.pxelinux"

rule "as pxelinux.cfg says" { boot = pxelinux("tftp", { bios = "pxelinux.0" }) }
