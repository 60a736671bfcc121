-- Machines that another team's API knows boot what it says; all others start their disk.

local pixiecore = require "moonboot.pixiecore"

rule "as the API says" {
  match    = { mac = prefix "52:54:00" },
  boot     = pixiecore { api = "http://api.lab:4242", timeout = 2, cache = { ttl = 5, stale_if_error = 60 } },
  on_error = disk,
}

rule "everyone else" { boot = ignore }
