-- `moonboot machine`: what has happened to one.
return require "cli.known" "machine"
