-- A site that moved from matchbox: its data directory is as it was.

local matchbox = require "moonboot.matchbox"

matchbox { data = "matchbox" }
