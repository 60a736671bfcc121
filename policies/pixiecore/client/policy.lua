-- What the API of another server says; what it does not know, or cannot say, boots the disk.

local pixiecore = require "moonboot.pixiecore"

rule "as the API says" {
  match    = { mac = prefix "52:54:00" },
  boot     = pixiecore { api = "http://api.lab:4242/boot/", timeout = 0.3 },
  on_error = disk,
}

rule "everyone else" { boot = shell }
