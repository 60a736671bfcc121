-- The lab's own rule, put before the rules of the quickstart's policy. The ROM of QEMU's network
-- card is iPXE; this machine is to load undionly.kpxe in its place, as a machine with a plain PXE
-- ROM does. undionly.kpxe itself sends a bare "PXEClient" (it repeats our own option 60), and HTTP
-- requests carry no vendor class: both go past this rule, to the one that says what to boot.
rule "lab: undionly.kpxe replaces the iPXE in the ROM" {
  match = { mac = "52:54:00:00:00:01", vendor_class = prefix "PXEClient:Arch:00000:" },
  boot  = "linux",
  dhcp  = { file = "undionly.kpxe", ipxe = true },
}
