rule "lab" { match = { domain = "lab" }, boot = disk }
