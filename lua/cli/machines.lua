-- `moonboot machines`: what has happened to each machine.
return require "cli.known" "machines"
