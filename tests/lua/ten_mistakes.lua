-- A policy with ten mistakes: each is to be reported, with its line and what was meant.

profile "compute" {
  kernel = "vmlinuz",
  inird  = "initrd.img",
  args   = { "host={{serail}}" },
}
rule "one" {
  match = { manufcturer = "Dell",
    arch = { "bios", "efi-x65" } },
  boot  = "comptue",
}
rule "two" {
  match   = { mac = prefx "52:54:00" },
  boot    = "compute",
  on_eror = disk,
}
rule "three" { boot = menu {
  title   = "Choose",
  default = "Lokal disk",
  { "Local disk", disk },
} }
rule "four" { boot = function(machine)
  return string.lowr(machine.serial)
end }
rule "five" {
  match = { vlan = 12 },
  boot  = ignroe,
}
