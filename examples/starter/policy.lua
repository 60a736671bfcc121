-- Which machine boots what. Rules are tried from the top; the first that matches decides. After a
-- change: `moonboot check --strict && moonboot test`, then SIGHUP makes the service take it.

local debian = "http://deb.debian.org/debian/dists/bookworm/main/installer-amd64/current/images"

-- What a machine can boot. This one is Debian's installer, fetched from Debian itself; files of
-- your own go under assets/ and are named without a URL: kernel = "debian/linux".
profile "debian-installer" {
  kernel = debian .. "/netboot/debian-installer/amd64/linux",
  initrd = { debian .. "/netboot/debian-installer/amd64/initrd.gz" },
  args   = {
    "priority=high",
    "hostname={{name or serial or mac:gsub(':', '-')}}", -- {{…}} is filled in for each machine
  },
  vars   = { name = false }, -- hosts.yaml says more of single machines
}

-- Single machines are data: what each boots, its arguments and vars.
rule "hosts" { boot = inventory "hosts.yaml" }

-- Families are rules: QEMU gives its guests addresses that start like this. "efi-x64" is any UEFI
-- of a 64-bit PC, by PXE or by HTTP; moonboot knows which boot program each kind of firmware needs.
rule "virtual machines" {
  match = { mac = prefix "52:54:00", arch = { "bios", "efi-x64" } },
  boot  = menu {
    title = "{{mac}}", timeout = 30, default = "Local disk",
    { "Local disk", disk },
    { "Install Debian", "debian-installer" },
  },
}

-- Nobody else hears a word from moonboot. Keep a rule like this last.
rule "everyone else" { boot = ignore }
