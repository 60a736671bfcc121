-- Which machines there are is data: hosts.yaml and racks.csv.

profile "compute" {
  kernel = "el9/vmlinuz",
  initrd = { "el9/initrd.img" },
  args   = { "ip=dhcp", "hostname={{name}}", "rack={{rack or 'unknown'}}" },
}

profile "storage" {
  kernel = "debian12/linux",
  initrd = { "debian12/initrd.gz" },
  args   = { "hostname={{name}}", "zpool={{table.concat(disks, ',')}}" },
}

local hosts = inventory "hosts.yaml"
local racks = inventory "racks.csv"

rule "servers" { boot = hosts }

-- A blade with a GPU boots with another driver.
rule "GPU blades" {
  match = { serial = racks },
  boot  = function(machine)
    local host = racks:get(machine)
    if host.vars.gpu then
      table.insert(host.args, "nvidia." .. host.vars.gpu)
      return host
    end
  end,
}

rule "blades" { boot = racks }

rule "strangers" {
  match = { interface = "servers", mac = except(hosts) },
  boot  = deny "{{mac}} is in no inventory",
}
